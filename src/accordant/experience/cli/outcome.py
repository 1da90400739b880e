"""How a command ends: what it says to people and to programs, and with which exit code.

0  fine
1  something is wrong or failed
2  wrong usage or input
3  not found
4  the platform is not running
"""

import sys

import msgspec

from accordant.experience.cli.screen import Screen
from accordant.kernel.errors import AccordantError, Malformed, Misconfigured, Terminal

FINE, WRONG, BAD_INPUT, NOT_FOUND, NOT_RUNNING = range(5)


class NotFound(Terminal):
    """There is no such thing."""

    code = "command.not_found"


class NotRunning(Terminal):
    """No platform runs on this state folder."""

    code = "command.not_running"


class BadInput(Terminal):
    """What was typed makes no sense."""

    code = "command.bad_input"


def exit_code_of(error: AccordantError) -> int:
    """The documented exit code of an error."""
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, NotRunning):
        return NOT_RUNNING
    return BAD_INPUT if isinstance(error, BadInput | Malformed | Misconfigured) else WRONG


def tell_error(error: AccordantError, *, as_json: bool) -> None:
    """Say what went wrong: a JSON object on the output for programs, else sentences on the error output."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode({"error": error.as_dict()}), indent=2).decode() + "\n")
        return
    screen = Screen(errors=True)
    screen.say(f"{screen.mark('rejected')} {error.message}", style="bold red")
    problems: list[object] = error.detail.get("problems") or []
    for problem in problems:
        screen.say(f"  {problem}")
    if error.hint:
        screen.say(f"  {error.hint}")
    screen.say(f"  ({error.code})", style="dim")
