"""The list of every boundary, read from the sources, so that a drill enumerates them instead of remembering them.

A boundary is a call out of the process, a commit, or a handover from one part to another. Each stands in a
`with around("name")` or carries its name to the writer as `at="name"`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

ROOMS = ("kernel", "governance", "backbone", "masterdata", "connector", "operations", "experience/api", "wiring.py")
"""Where the platform works; sandboxes and commands are no part of it."""
_NOT_OURS = ("connector/sandbox", "kernel/failpoints.py", "kernel/database/migrations")
OUTWARD: dict[str, frozenset[str]] = {
    "request": frozenset({"session"}),
    "send": frozenset({"operation"}),
    "look_up": frozenset({"operation"}),
    "read_back": frozenset({"ports"}),
    "flock": frozenset({"fcntl"}),
    "fsync": frozenset({"os"}),
    "enqueue_workflow": frozenset({"*"}),
    "launch": frozenset({"DBOS"}),
    "create_task": frozenset({"*"}),
    "keep": frozenset({"inbox", "ports"}),
    "load_cursor": frozenset({"ports"}),
    "drive": frozenset({"self"}),
    "run_in_executor": frozenset({"*"}),
    "to_thread": frozenset({"*"}),
}
"""Calls that leave the process or hand work over: the name that is called, and the names of what it is called on."""
_STATEMENTS = ("COMMIT", "BEGIN", "SELECT pg_advisory_xact", "SELECT pg_try_advisory_lock")


class Boundary(msgspec.Struct, frozen=True, order=True):
    """One named boundary and where it stands."""

    name: str
    path: str
    line: int


class Unnamed(msgspec.Struct, frozen=True, order=True):
    """A call that leaves the process, commits or hands over, and stands in no boundary."""

    path: str
    line: int
    what: str


def sources(root: Path | None = None) -> Iterator[tuple[PurePosixPath, str]]:
    """Path below the package and text of every module that the platform works with."""
    top = root or Path(__file__).parents[1]
    for file in sorted(top.rglob("*.py")):
        path = PurePosixPath(file.relative_to(top).as_posix())
        if str(path).startswith(ROOMS) and not str(path).startswith(_NOT_OURS):
            yield path, file.read_text(encoding="utf-8")


def boundaries(root: Path | None = None) -> list[Boundary]:
    """Every boundary of the platform, by name."""
    return sorted(found for path, text in sources(root) for found in _named(path, ast.parse(text)))


def places(root: Path | None = None) -> list[str]:
    """Every place at which a drill may stop the platform."""
    return [f"{one.name}:{side}" for one in boundaries(root) for side in ("before", "after")]


def unnamed(path: PurePosixPath, text: str) -> list[Unnamed]:
    """What stands in no boundary though it should."""
    return sorted(set(_bare(path, ast.parse(text), inside=False)))


def _named(path: PurePosixPath, tree: ast.AST) -> Iterator[Boundary]:
    for node in ast.walk(tree):
        name = _name_of(node)
        if name is not None:
            yield Boundary(name, str(path), getattr(node, "lineno", 0))


def _name_of(node: ast.AST) -> str | None:
    """The literal name that a call gives to a boundary."""
    if not isinstance(node, ast.Call):
        return None
    called = node.func.id if isinstance(node.func, ast.Name) else ""
    given = node.args[0] if called == "around" and node.args else _keyword(node, "at")
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else None


def _keyword(node: ast.Call, name: str) -> ast.expr | None:
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in {"commit", "post"}:
        return None
    return next((one.value for one in node.keywords if one.arg == name), None)


def _bare(path: PurePosixPath, node: ast.AST, *, inside: bool) -> Iterator[Unnamed]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        inside = False  # it runs later, when the boundary around its definition is long past
    if isinstance(node, ast.Call):
        what = _crossing(node)
        if what and not inside:
            yield Unnamed(str(path), node.lineno, what)
    if isinstance(node, ast.With | ast.AsyncWith):
        inside = inside or any(_is_around(item.context_expr) for item in node.items)
    for child in ast.iter_child_nodes(node):
        yield from _bare(path, child, inside=inside)


def _is_around(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "around"


def _crossing(node: ast.Call) -> str:
    """What kind of boundary a call crosses without naming it; empty for none."""
    if not isinstance(node.func, ast.Attribute):
        return ""
    called, on = node.func.attr, _last_name(node.func.value)
    if called in {"commit", "post"} and on == "writer":
        return "" if _name_of(node) is not None else f"{on}.{called} without a literal at="
    if called in {"execute", "exec_driver_sql"} and node.args:
        first = next((one.value for one in ast.walk(node.args[0]) if isinstance(one, ast.Constant)), "")
        return f"execute {first}" if str(first).startswith(_STATEMENTS) else ""
    owners = OUTWARD.get(called.lstrip("_"), frozenset())
    return f"{on}.{called}" if on in owners or "*" in owners else ""


def _last_name(node: ast.expr) -> str:
    """`writer` for `self._tools.writer` and for `self._writer`."""
    if isinstance(node, ast.Attribute):
        return node.attr.lstrip("_")
    if isinstance(node, ast.Call | ast.Subscript):
        return _last_name(node.func if isinstance(node, ast.Call) else node.value)
    return node.id.lstrip("_") if isinstance(node, ast.Name) else ""
