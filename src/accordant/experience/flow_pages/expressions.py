"""Follows expressions: what is called on the transaction becomes a step, what is called on a port becomes a verb."""

import ast
from abc import ABC, abstractmethod
from typing import Any

from accordant.experience.flow_pages.outline import Verb
from accordant.experience.flow_pages.values import (
    UNKNOWN_WORD,
    Inner,
    Known,
    Many,
    Port,
    Scope,
    Tx,
    Verbs,
    body_of,
    can_be_followed,
    given_to,
    joined,
    kinds_in,
    of_attribute,
    of_name,
    scope_of,
    truth,
    verb_of,
    verbs_in,
)

_DEPTH_MAX = 12


class Expressions(ABC):
    """The value of any expression; a reader adds what statements and steps are."""

    @abstractmethod
    def block(self, body: list[ast.stmt], scope: Scope) -> tuple[Any, ...]:
        """Follow statements on their own; what happened in them."""

    @abstractmethod
    def follow(self, body: list[ast.stmt], scope: Scope) -> None:
        """Follow statements; what happened in them happens here."""

    @abstractmethod
    def take_step(self, node: ast.Call, method: str, /, scope: Scope) -> Any:
        """A call on the transaction; what it gives."""

    @abstractmethod
    def entered(self, run: Any) -> None:
        """The transaction is handed to a function."""

    @abstractmethod
    def lose(self, node: ast.Call) -> None:
        """The transaction is handed to something that cannot be followed."""

    def value(self, node: ast.expr | None, scope: Scope) -> Any:
        """What an expression stands for; None where its text does not tell."""
        if isinstance(node, ast.Await | ast.Starred | ast.NamedExpr):
            return self.value(node.value, scope)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else Known(node.value)
        if isinstance(node, ast.Name):
            return of_name(node.id, scope)
        if isinstance(node, ast.Attribute):
            return of_attribute(self.value(node.value, scope), node.attr)
        if isinstance(node, ast.Lambda):
            return Inner(node, scope)
        return self._composed(node, scope)

    def _composed(self, node: ast.expr | None, scope: Scope) -> Any:
        if isinstance(node, ast.JoinedStr):
            return "".join(self._word(part, scope) for part in node.values)
        if isinstance(node, ast.IfExp):
            decided = truth(self.value(node.test, scope))
            ways = [self.value(one, scope) for one in (node.body, node.orelse)]
            return joined(ways) if decided is None else ways[not decided]
        if isinstance(node, ast.BoolOp):
            found = [self.value(one, scope) for one in node.values]
            stops_at = isinstance(node.op, ast.Or)
            return next((one for one in found[:-1] if truth(one) is not (not stops_at)), found[-1])
        if isinstance(node, ast.Dict):
            keys = [self.value(one, scope) for one in node.keys]
            return Many(tuple(zip(keys, [self.value(one, scope) for one in node.values], strict=True)))
        if isinstance(node, ast.List | ast.Tuple):
            return Many(tuple((None, self.value(one, scope)) for one in node.elts))
        parts = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)] if node else []
        verbs = verbs_in(*(self.value(one, scope) for one in parts))
        return Verbs(verbs) if verbs else None

    def _word(self, part: ast.expr, scope: Scope) -> str:
        found = self.value(part.value if isinstance(part, ast.FormattedValue) else part, scope)
        return found if isinstance(found, str) else UNKNOWN_WORD

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if isinstance(owner, Tx):
                return self.take_step(node, node.func.attr, scope)
            found = verb_of(owner, node.func.attr) if isinstance(owner, Port) else None
            if found:
                return found
            if isinstance(owner, Many):
                return owner if node.func.attr == "items" else None
        callee = self.value(node.func, scope)
        positional = [self.value(one, scope) for one in node.args]
        named = {one.arg: self.value(one.value, scope) for one in node.keywords if one.arg}
        kinds = kinds_in(node, callee, scope=scope)
        if kinds is not None:
            return kinds
        if can_be_followed(callee, scope) and scope.depth < _DEPTH_MAX:
            given = given_to(callee.it, node, values=(positional, named))
            inside = scope_of(callee.it, given=given, depth=scope.depth + 1)
            return self._followed(callee.it, inside)
        if isinstance(callee, Inner):
            return self.given_by(callee)
        if any(isinstance(one, Tx) for one in (*positional, *named.values())):
            self.lose(node)
        verbs = verbs_in(*positional, *named.values())
        return Verbs(verbs) if verbs else None

    def _followed(self, run: Any, inside: Scope) -> Any:
        if any(isinstance(one, Tx) for one in inside.local.values()):
            self.entered(run)
            self.follow(body_of(run), inside)
        else:
            self.block(body_of(run), inside)
        return joined(inside.returned)

    def given_by(self, inner: Any) -> Any:
        """What a lambda or a function within a function gives, its own arguments unknown."""
        if not isinstance(inner, Inner):
            return inner
        scope = inner.scope.inner()
        arguments = inner.node.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            scope.local[one.arg] = None
        if isinstance(inner.node, ast.Lambda):
            return self.given_by(self.value(inner.node.body, scope))
        self.block(inner.node.body, scope)
        return joined(scope.returned)

    def verbs(self, node: ast.expr | None, scope: Scope) -> tuple[Verb, ...]:
        """The verbs of an operation, or of what a function gives."""
        return verbs_in(self.given_by(self.value(node, scope)))
