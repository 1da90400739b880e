"""Conditions and rules of the code in words that a person reads."""

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

_TX = re.compile(r"(?:await )?tx\.\w+\('([^']*)'.*\)$")
_WORDS = (
    (re.compile(r"\bis not None\b"), "is there"),
    (re.compile(r"\bis None\b"), "is missing"),
    (re.compile(r" not in "), " is not in "),
    (re.compile(r"(?<! not) in "), " is in "),
    (re.compile(r" == "), " is "),
    (re.compile(r" != "), " is not "),
    (re.compile(r"(\w)\.is_"), r"\1 is "),
    (re.compile(r"isinstance\((\w+), (\w+)\)"), r"\1 is \2"),
    (re.compile(r"[._]"), " "),
    (re.compile(r" is in known\b"), " is known already"),
)


def condition(test: ast.expr, *, words: Mapping[str, Any] | None = None) -> str:
    """A condition in words; names whose text is known stand as that text."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return negated(condition(test.operand, words=words))
    text = ast.unparse(test)
    step = _TX.match(text)
    if step:
        return step[1]
    for name, word in (words or {}).items():
        if isinstance(word, str) and word:
            text = re.sub(rf"\b{name}\b", word, text)
    for pattern, plain in _WORDS:
        text = pattern.sub(plain, text)
    return text


def negated(text: str) -> str:
    """The contrary of a condition in words."""
    return text.replace(" is ", " is not ", 1) if " is " in text else f"not {text}"


def first_sentence(function: Callable[..., Any]) -> str:
    """The first sentence of a function's docstring; empty where it has none."""
    text = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
    return re.split(r"[.;] ", text, maxsplit=1)[0].rstrip(".")
