"""Verb groups are loaded when they are called, so that `accordant --help` answers at once."""

from importlib import import_module
from typing import Any

import msgspec
import typer
from typer.core import TyperCommand, TyperGroup

from accordant.kernel.errors import AccordantError, Malformed, Misconfigured

_WITH_VALUE = frozenset({"--state", "--db"})
_GLOBAL = _WITH_VALUE | {"--json"}


class Verb(msgspec.Struct, frozen=True):
    """Where a verb lives: a module with a typer `app`, or with a function of the verb's name."""

    module: str
    help: str


class LazyGroup(TyperGroup):
    """A group whose members are named in a table; their modules are imported only to run them."""

    # The methods below take typer.Context where typer's copy of click names its own: waived for that.
    verbs: dict[str, Verb] = {}  # noqa: RUF012 - filled once, by main

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return list(self.verbs)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What the help page needs of a verb."""
        verb = self.verbs.get(cmd_name)
        return TyperCommand(name=cmd_name, help=verb.help) if verb else None

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.commands = {name: self.get_command(ctx, name) for name in self.verbs}
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(name, self.verbs[name]) if name in self.verbs else command, rest

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Options that every command takes may also stand before it."""
        leading, rest = _leading(args)
        ctx.meta["json"] = "--json" in args
        ctx.meta["undecodable"] = next((n for n, one in enumerate(args, start=1) if not _is_text(one)), 0)
        return super().parse_args(ctx, [*rest, *leading] if rest else args)

    def invoke(self, ctx: typer.Context) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Errors of ours end in a sentence and an exit code, never in a traceback."""
        try:
            if ctx.meta["undecodable"]:
                raise Malformed(
                    f"argument {ctx.meta['undecodable']} is not UTF-8; expected text",
                    code="command.not_utf8",
                    hint="set the terminal to UTF-8, and type the argument again",
                )
            return super().invoke(ctx)
        except AccordantError as error:
            from accordant.experience.cli.outcome import exit_code_of, tell_error

            tell_error(error, as_json=bool(ctx.meta.get("json")))
            raise typer.Exit(exit_code_of(error)) from error


def _is_text(argument: str) -> bool:
    """Python carries bytes that are no text as half surrogates, which nothing later can write or store."""
    return argument.isascii() or not any("\ud800" <= char <= "\udfff" for char in argument)


def _leading(args: list[str]) -> tuple[list[str], list[str]]:
    n = 0
    while n < len(args) and args[n].partition("=")[0] in _GLOBAL:
        n += 2 if args[n] in _WITH_VALUE else 1
    return args[:n], args[n:]


def _load(name: str, verb: Verb) -> Any:
    try:
        module = import_module(verb.module)
    except ModuleNotFoundError as missing:
        if missing.name != verb.module:
            raise
        raise Misconfigured(
            f"this installation has no `{name}`: {verb.module} is missing",
            code="command.missing",
            hint="install the whole package again; every other command works",
        ) from missing
    if hasattr(module, "app"):
        return typer.main.get_command(module.app)
    single = typer.Typer(add_completion=False)
    single.command(name=name)(getattr(module, name))
    return typer.main.get_command(single)
