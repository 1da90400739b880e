"""The rules of the page that no ready-made linter knows, each a function from a module to what it breaks."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
PARAMETERS_MAX = 5
POSITIONAL_PARAMETERS_MAX = 2
FORBIDDEN_NAMES = frozenset({"utils", "helpers", "common", "base", "core", "misc", "manager", "types"})
VENDORS = frozenset({"salesforce", "stripe", "netsuite", "zendesk"})
# Names that take time, randomness or settings from the air instead of from an argument.
AMBIENT = frozenset(
    {
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "os.urandom",
        "time.time",
        "time.time_ns",
        "uuid.uuid1",
        "uuid.uuid4",
    }
)
AMBIENT_MODULES = ("random.", "secrets.token_", "secrets.rand", "secrets.choice")
ENVIRONMENT = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file: its path below src/accordant, and its text."""

    path: PurePosixPath
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """Numbers of the lines that hold code: neither blank nor only a comment."""
        idle = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in idle:
                lines.update(range(token.start[0], token.end[0] + 1))
        return frozenset(lines)

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each imported name stands for: `dt` for `datetime`, `now` for `time.time`."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        return names

    def dotted(self, node: ast.AST) -> str:
        """The full name an expression refers to, or nothing where it is not an imported name."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id, "")
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return f"{owner}.{node.attr}" if owner else ""
        return ""

    @cached_property
    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def references(self) -> list[ast.Name | ast.Attribute]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Name | ast.Attribute)]

    def below(self, *folders: str) -> bool:
        """Whether the file, or the folder of its name, stands at one of these places."""
        place = self.path.with_suffix("")
        return any(place == PurePosixPath(folder) or place.is_relative_to(folder) for folder in folders)


Rule = Callable[[Module], Iterator[str]]


def modules_stay_short(module: Module) -> Iterator[str]:
    """A module is at most 300 lines."""
    lines = len(module.text.splitlines())
    if lines > MODULE_LINES_MAX:
        yield f"{lines} lines"


def modules_say_what_they_are(module: Module) -> Iterator[str]:
    """A module opens with a sentence."""
    if not (ast.get_docstring(module.tree) or "").strip():
        yield "no module docstring"


def names_say_something(module: Module) -> Iterator[str]:
    """No file or folder is named for being a place to put things."""
    for part in module.path.with_suffix("").parts:
        if part.strip("_") in FORBIDDEN_NAMES:
            yield f"a module named {part}"


def functions_stay_short(module: Module) -> Iterator[str]:
    """A function is at most 40 lines of code; docstring, comments and blank lines are free."""
    for function in module.functions:
        first = function.body[0]
        documented = ast.get_docstring(function, clean=False) is not None
        text = range(first.lineno, (first.end_lineno or first.lineno) + 1) if documented else range(0)
        body = range(function.lineno, (function.end_lineno or function.lineno) + 1)
        lines = len(module.code_lines.intersection(body).difference(text))
        if lines > FUNCTION_LINES_MAX:
            yield f"line {function.lineno}: {function.name} has {lines} lines"


def parameters_stay_few(module: Module) -> Iterator[str]:
    """At most 5 parameters, by keyword after the first two.

    `self` and `cls` do not count. Free are the commands of the CLI, whose parameters are the options a user types;
    flows, which name the system of each role they drive; and signatures that Python (`__exit__`) or, where written
    positional-only, a framework dictates.
    """
    for function in module.functions:
        if _is_command(module, function) or _is_flow(module, function):
            continue
        positional = function.args.posonlyargs + function.args.args
        bound = bool(positional) and positional[0].arg in {"self", "cls"}
        count_positional = len(positional) - bound
        count = count_positional + len(function.args.kwonlyargs)
        dictated = bool(function.args.posonlyargs) or (function.name.startswith("__") and function.name != "__init__")
        if count > PARAMETERS_MAX:
            yield f"line {function.lineno}: {function.name} takes {count} parameters"
        elif count_positional > POSITIONAL_PARAMETERS_MAX and not dictated:
            yield f"line {function.lineno}: {function.name} takes {count_positional} parameters by position"


def _is_flow(module: Module, function: Function) -> bool:
    """Whether a function is a business flow."""
    if not module.below("process"):
        return False
    called = [decorator.func for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
    return any(isinstance(name, ast.Name) and name.id == "flow" for name in called)


def _is_command(module: Module, function: Function) -> bool:
    """Whether a function is a typer command."""
    if not module.below("experience/cli"):
        return False
    called = [decorator.func for decorator in function.decorator_list if isinstance(decorator, ast.Call)]
    return any(isinstance(name, ast.Attribute) and name.attr in {"command", "callback"} for name in called)


def time_and_chance_are_arguments(module: Module) -> Iterator[str]:
    """Clock and randomness are read in the kernel only; a generator handed in (`random.Random`) is welcome."""
    if module.below("kernel"):
        return
    unseeded = {
        node.func
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and not node.args and not node.keywords
    }
    for node in module.references:
        name = module.dotted(node)
        if name == "random.Random" and node not in unseeded:
            continue
        if name in AMBIENT or name.startswith(AMBIENT_MODULES):
            yield f"line {node.lineno}: {name}"


def settings_are_read_once(module: Module) -> Iterator[str]:
    """The environment is read in kernel/settings.py only."""
    if module.below("kernel/settings"):
        return
    for node in module.references:
        if module.dotted(node) in ENVIRONMENT:
            yield f"line {node.lineno}: {module.dotted(node)}"


def errors_are_caught_by_name(module: Module) -> Iterator[str]:
    """No bare except."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"line {node.lineno}: bare except"


def money_knows_no_float(module: Module) -> Iterator[str]:
    """Neither money nor the canonical model converts to float, or declares one for anything but seconds (`_s`)."""
    if not module.below("kernel/money", "canonical"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield f"line {node.lineno}: float()"
        declared = _annotation(node)
        if declared is not None and any(
            isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(declared)
        ):
            yield f"line {declared.lineno}: declared float"


def _annotation(node: ast.AST) -> ast.expr | None:
    """The type a node declares for something that is not a number of seconds."""
    name = (
        node.arg if isinstance(node, ast.arg) else ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else ""
    )
    if name.endswith("_s"):
        return None
    if isinstance(node, ast.AnnAssign | ast.arg):
        return node.annotation
    return node.returns if isinstance(node, Function) else None


def flows_name_no_vendor(module: Module) -> Iterator[str]:
    """A flow speaks of billing, never of the product that does it."""
    if not module.below("process"):
        return
    for number, line in enumerate([module.path.name, *module.text.splitlines()]):
        for vendor in sorted(VENDORS):
            if vendor in line.casefold():
                yield f"line {number}: names {vendor}"


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        modules_stay_short,
        modules_say_what_they_are,
        names_say_something,
        functions_stay_short,
        parameters_stay_few,
        time_and_chance_are_arguments,
        settings_are_read_once,
        errors_are_caught_by_name,
        money_knows_no_float,
        flows_name_no_vendor,
    )
}
