"""Every error code that the product can say, found in its sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import accordant

ROOT = Path(accordant.__file__).parent
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_SAYS_A_CODE = frozenset({"problem", "_note", "refuse", "needed", "_refusal", "_out", "exception"})
"""Functions that take a code by position."""


def codes() -> dict[str, list[str]]:
    """Code → the modules that say it."""
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if ("/sandbox" in name and not name.endswith("sandbox/export.py")) or name.startswith("proving/"):
            continue  # a vendor's own words, and our checker's
        for code in set(_codes_of(ast.parse(path.read_bytes()))):
            found.setdefault(code, []).append(name)
    return found


def _codes_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            values = [word.value for word in node.keywords if word.arg == "code"]
            if called in _SAYS_A_CODE:
                values += node.args[:2]
            yield from (text for value in values for text in _texts(value))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(_name(target) in {"code", "CONFLICT"} for target in targets):
                yield from _texts(node.value)
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and node.value.elts:
            yield from _texts(node.value.elts[0])
        elif isinstance(node, ast.arg) and node.arg == "code":
            continue


def _name(target: ast.expr) -> str:
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _texts(value: ast.expr) -> Iterator[str]:
    """The codes an expression may give: `a if b else c` gives two."""
    for node in ast.walk(value):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value
