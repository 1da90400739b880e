"""Which exception codes a function can raise: read from its text and from that of every function it names."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from accordant.kernel.errors import AccordantError

_OURS = "accordant."
_NOT_FOLLOWED = ("accordant.backbone.", "accordant.kernel.database", "accordant.kernel.failpoints")
"""The machinery below a flow: what it raises stands with the step that uses it."""
Function = Callable[..., Any]
Tree = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache(maxsize=512)
def tree_of(function: Function) -> Tree:
    """A function's own text, parsed."""
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{function!r} is not written as a def")
    return found


def resolved(node: ast.expr, names: dict[str, Any]) -> Any:
    """The object that a name, or a name within a module or class, stands for; None where it cannot be told."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = resolved(node.value, names)
        return getattr(owner, node.attr, None) if inspect.ismodule(owner) or inspect.isclass(owner) else None
    return None


def is_ours(found: Any) -> bool:
    """Whether it is a function of the platform that says something about a flow."""
    module = getattr(found, "__module__", None) or ""
    return inspect.isfunction(found) and module.startswith(_OURS) and not module.startswith(_NOT_FOLLOWED)


def codes_of(*functions: Function, without: frozenset[Function] = frozenset()) -> tuple[str, ...]:
    """Codes that the functions can raise, in alphabetical order; `without` and what only they reach is left out."""
    found: set[str] = set()
    seen: set[Function] = set(without)
    to_read = [one for one in functions if one not in seen]
    while to_read:
        one = to_read.pop()
        if one in seen:
            continue
        seen.add(one)
        names, tree = one.__globals__, tree_of(one)  # type: ignore[attr-defined]
        found.update(_raised(tree, names))
        to_read += [known for known in _named(tree, names) if known not in seen]
    return tuple(sorted(found))


def _within(tree: Tree) -> Iterator[ast.AST]:
    """Everything that runs when the function is called: its decorators and annotations do not."""
    for statement in tree.body:
        yield from ast.walk(statement)


def _named(tree: Tree, names: dict[str, Any]) -> Iterator[Function]:
    for node in _within(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            known = resolved(node, names)
            if is_ours(known):
                yield known


def _raised(tree: Tree, names: dict[str, Any]) -> Iterator[str]:
    """Whatever is made with a code, and every error that is made without one."""
    for node in _within(tree):
        if not isinstance(node, ast.Call):
            continue
        given = next((one.value for one in node.keywords if one.arg == "code"), None)
        if isinstance(given, ast.Constant) and isinstance(given.value, str):
            yield given.value
            continue
        made = resolved(node.func, names)
        if given is None and inspect.isclass(made) and issubclass(made, AccordantError):
            yield made.code
