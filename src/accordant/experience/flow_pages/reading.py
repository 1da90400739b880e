"""Reads a flow's own text, and that of every function it hands the transaction to, and tells what happens in order.

Nothing is run: names are followed to what they stand for, and a call of a port's verb is a write or a read of that
system. A loop over what is written out in the text is followed round by round.
"""

import ast
import inspect
from typing import Any, Literal

import msgspec

from accordant.backbone.flow import Flow
from accordant.canonical.envelope import Fact
from accordant.experience.flow_pages.codes import Function, codes_of, tree_of
from accordant.experience.flow_pages.expressions import Expressions
from accordant.experience.flow_pages.outline import End, Frame, Item, Kind, Outline, Step, Verb
from accordant.experience.flow_pages.values import (
    PORTS,
    UNKNOWN_WORD,
    Inner,
    Kinds,
    Known,
    Many,
    Scope,
    body_of,
    scope_of,
    truth,
    verbs_in,
)
from accordant.experience.flow_pages.wording import condition, first_sentence
from accordant.kernel.errors import Misconfigured

_KINDS: dict[str, Kind] = {
    "check": "check",
    "recall": "recall",
    "keep": "keep",
    "effect": "effect",
    "send_notice": "notice",
    "approval": "approval",
    "until": "until",
    "expect": "expect",
}
_CODES: dict[Kind, tuple[str, ...]] = {
    "approval": ("approval.expired", "approval.nobody_may"),
    "expect": ("promise.broken",),
}
"""What the platform itself raises at a step."""


def outline_of(one: Flow) -> Outline:
    """Everything a flow does.

    Raises:
        Misconfigured: a call on the transaction could not be followed, so that the page would be wrong.
    """
    reader = _Reader()
    reader.entered(one.run)
    items = reader.block(body_of(one.run), scope_of(one.run, given={}, depth=0))
    if reader.unread:
        raise Misconfigured(f"{one.name}: cannot tell when these are called: {', '.join(sorted(reader.unread))}")
    blocked: tuple[Verb, ...] = ()
    if one.blocked:
        scope = scope_of(one.blocked, given={}, depth=1)
        reader.block(body_of(one.blocked), scope)
        blocked = verbs_in(*scope.returned)
    return Outline(items=items, blocked=blocked, codes=codes_of(one.run, without=frozenset(reader.rules)))


class _Reader(Expressions):
    """Follows one flow."""

    def __init__(self) -> None:
        self.rules: set[Function] = set()
        self._calls: dict[int, str] = {}
        self._out: list[Item] = []

    @property
    def unread(self) -> set[str]:
        """Calls on the transaction that stand in the text and were never reached."""
        return {text for text in self._calls.values() if text}

    def entered(self, run: Function) -> None:
        """Remember every step that stands in the function's text: each must be reached."""
        for node in _steps_in(tree_of(run)):
            self._calls.setdefault(id(node), f"{run.__name__}: {ast.unparse(node)[:60]}")

    def lose(self, node: ast.Call) -> None:
        """Remember that something may happen there which nobody sees."""
        self._calls[id(node)] = ast.unparse(node)[:60]

    # --- statements ---

    def follow(self, body: list[ast.stmt], scope: Scope) -> None:
        """Follow statements where they stand."""
        self._out += self.block(body, scope)

    def block(self, body: list[ast.stmt], scope: Scope) -> tuple[Item, ...]:
        """The items of a block; what comes after an early way out carries its condition."""
        before, self._out = self._out, []
        unless = ""
        for node in body:
            began = len(self._out)
            left_out_if = self._statement(node, scope)
            if unless:
                self._out[began:] = [_with_condition(one, unless) for one in self._out[began:]]
            unless = left_out_if or unless
        found, self._out = tuple(self._out), before
        return found

    def _statement(self, node: ast.stmt, scope: Scope) -> str:
        """Take a statement in; gives the condition under which the rest of the block is left out."""
        if isinstance(node, ast.If):
            return self._if(node, scope)
        if isinstance(node, ast.For | ast.AsyncFor):
            self._for(node, scope)
        elif isinstance(node, ast.While):
            self._frame("each", f"while {condition(node.test)}", items=self.block(node.body, scope))
        elif isinstance(node, ast.With | ast.AsyncWith):
            self._with(node, scope)
        elif isinstance(node, ast.Try):
            self._try(node, scope)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope.local[node.name] = Inner(node, scope)
        elif isinstance(node, ast.Return):
            scope.returned.append(self.given_by(self.value(node.value, scope)) if node.value else None)
            if scope.depth == 0:
                self._out.append(End())
        else:
            self._simple(node, scope)
        return ""

    def _simple(self, node: ast.stmt, scope: Scope) -> None:
        value = getattr(node, "value", None)
        found = self.value(value, scope) if isinstance(value, ast.expr) else None
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            _bind(target, found, scope=scope)

    def _if(self, node: ast.If, scope: Scope) -> str:
        decided = truth(self.value(node.test, scope))
        left = node.orelse if decided else node.body
        if decided is not None and not any(_steps_in(one) for one in left):
            self.follow(node.body if decided else node.orelse, scope)
            return ""
        told = condition(node.test, words=scope.local)
        chosen, otherwise = self.block(node.body, scope), self.block(node.orelse, scope)
        self._frame("if", f"if {told}", items=chosen)
        self._frame("else", "otherwise" if chosen else f"unless {told}", items=otherwise)
        is_way_out = isinstance(node.body[-1], ast.Continue | ast.Break | ast.Return)
        return told if is_way_out and not chosen else ""

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> None:
        over = self.value(node.iter, scope)
        if isinstance(over, Many):
            for key, value in over.all:
                pair = Many(((None, key), (None, value)))
                _bind(node.target, pair if key is not None else value, scope=scope)
                self.follow(node.body, scope)
            return
        _bind(node.target, None, scope=scope)
        first = node.target.elts[0] if isinstance(node.target, ast.Tuple) else node.target
        self._frame("each", f"for each {ast.unparse(first).replace('_', ' ')}", items=self.block(node.body, scope))

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for one in node.items:
            self.value(one.context_expr, scope)
        text = " ".join(ast.unparse(one.context_expr) for one in node.items)
        items = self.block(node.body, scope)
        if ".holding(" in text:
            self._frame("hold", "no other transaction writes these records meanwhile", items=items)
        else:
            self._out += items

    def _try(self, node: ast.Try, scope: Scope) -> None:
        self.follow([*node.body, *node.orelse], scope)
        for handler in node.handlers:
            caught = ast.unparse(handler.type) if handler.type else "anything"
            self._frame("if", f"on {caught}", items=self.block(handler.body, scope))
        self.follow(node.finalbody, scope)

    def _frame(self, kind: Literal["if", "else", "each", "hold"], label: str, *, items: tuple[Item, ...]) -> None:
        if items:
            self._out.append(Frame(kind=kind, label=label, items=items))

    # --- steps ---

    def take_step(self, node: ast.Call, method: str, /, scope: Scope) -> Any:
        """What is called on the transaction, as a step; its result is not known."""
        if method not in _KINDS:
            return None
        self._calls[id(node)] = ""
        kind = _KINDS[method]
        name = self.value(node.args[0], scope)
        step = Step(kind=kind, name=_tidy(name), codes=_CODES.get(kind, ()))
        second = node.args[1] if len(node.args) > 1 else None
        named = {one.arg: one.value for one in node.keywords if one.arg}
        self._out.append(self._detailed(step, second, scope, named))
        return None

    def _detailed(self, step: Step, second: ast.expr | None, scope: Scope, /, named: dict[str, ast.expr]) -> Step:
        found = self.value(second, scope)
        changed: dict[str, Any] = {}
        if step.kind == "check" and isinstance(found, Known) and inspect.isfunction(found.it):
            self.rules.add(found.it)
            changed = {"rule": found.it.__name__, "says": first_sentence(found.it), "codes": codes_of(found.it)}
        elif step.kind in ("effect", "notice", "recall"):
            changed = {"verbs": verbs_in(self.given_by(found)), "undo": self.verbs(named.get("undo"), scope)}
        elif step.kind == "approval":
            kinds = found.all if isinstance(found, Kinds) else ()
            changed = {"approves": kinds, "verbs": self.verbs(named.get("tell"), scope)}
        elif step.kind == "expect" and isinstance(found, Known) and issubclass(found.it, Fact):
            producer = found.it.producer
            heard = (Verb(producer, found.it.__name__),) if producer in PORTS else ()
            changed = {"event": found.it.type, "verbs": heard}
        return msgspec.structs.replace(step, **changed)


def _steps_in(node: ast.AST) -> list[ast.Call]:
    """Calls on the transaction that are steps, anywhere in a text."""
    return [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.Call)
        and isinstance(one.func, ast.Attribute)
        and one.func.attr in _KINDS
        and isinstance(one.func.value, ast.Name)
        and one.func.value.id == "tx"
    ]


def _bind(target: Any, value: Any, *, scope: Scope) -> None:
    if isinstance(target, ast.Name):
        scope.local[target.id] = value
    elif isinstance(target, ast.Tuple):
        parts = [one for _, one in value.all] if isinstance(value, Many) else [None] * len(target.elts)
        for one, part in zip(target.elts, parts, strict=False):
            _bind(one, part, scope=scope)


def _with_condition(one: Item, unless: str) -> Item:
    if isinstance(one, Step) and not one.unless:
        return msgspec.structs.replace(one, unless=unless)
    return one


def _tidy(name: Any) -> str:
    return " ".join(str(name).split()) if isinstance(name, str) else UNKNOWN_WORD
