"""What an expression of a flow stands for, as far as its text tells: a system, its verbs, a word, an object."""

import ast
import inspect
from typing import Any, NamedTuple

from accordant.backbone.approvals import Asked
from accordant.canonical import ports
from accordant.experience.flow_pages.codes import Function, Tree, tree_of
from accordant.experience.flow_pages.outline import Verb

PORTS: dict[str, type] = {
    name.lower(): kind
    for name, kind in vars(ports).items()
    if inspect.isclass(kind) and kind.__module__ == ports.__name__
}
UNKNOWN_WORD = "…"
_OURS, _MACHINERY = "accordant.", ("accordant.kernel.", "accordant.backbone.")


class Tx(NamedTuple):
    """The transaction."""


class Port(NamedTuple):
    """A system, by its role."""

    role: str


class Verbs(NamedTuple):
    """An operation, or a read: what a port's verb gives."""

    all: tuple[Verb, ...]


class Known(NamedTuple):
    """An object of the program: a function, a class, a module, a constant."""

    it: Any


class Many(NamedTuple):
    """What is written out one by one, each with its key where it has one."""

    all: tuple[tuple[Any, Any], ...]


class Kinds(NamedTuple):
    """Kinds of approval."""

    all: tuple[str, ...]


class Scope:
    """The names within one function."""

    def __init__(self, run: Function, *, local: dict[str, Any], depth: int) -> None:
        self.run = run
        self.names: dict[str, Any] = run.__globals__  # type: ignore[attr-defined]
        self.local = local
        self.depth = depth
        self.returned: list[Any] = []

    def inner(self) -> "Scope":
        """The names within a function that stands inside this one."""
        return Scope(self.run, local=dict(self.local), depth=self.depth + 1)


class Inner(NamedTuple):
    """A lambda or a function that stands inside another, and where."""

    node: ast.Lambda | Tree
    scope: Scope


def of_name(name: str, scope: Scope) -> Any:
    """What a name stands for."""
    if name in scope.local:
        return scope.local[name]
    return known(scope.names[name]) if name in scope.names else None


def of_attribute(owner: Any, name: str) -> Any:
    """What a name within something stands for; a part of anything that is called like a role is that system."""
    if isinstance(owner, Known) and (inspect.ismodule(owner.it) or inspect.isclass(owner.it)):
        return known(getattr(owner.it, name, None))
    return Port(name) if name in PORTS else None


def known(it: Any) -> Any:
    """An object of the program; text is its own value."""
    return it if isinstance(it, str) else Known(it)


def verb_of(port: Port, name: str) -> Verbs | None:
    """A call of a port's verb; None where the role has no such verb."""
    return Verbs((Verb(port.role, name),)) if hasattr(PORTS[port.role], name) else None


def verbs_in(*values: Any) -> tuple[Verb, ...]:
    """Every verb in these values, each once."""
    found: list[Verb] = []
    for one in values:
        if isinstance(one, Verbs):
            found += one.all
        elif isinstance(one, Many):
            found += verbs_in(*(value for _, value in one.all))
    return tuple(dict.fromkeys(found))


def joined(values: list[Any]) -> Any:
    """What any of several values may be: verbs add up, otherwise the first that is known counts."""
    known_values = [one for one in values if one is not None]
    if len(known_values) == 1:
        return known_values[0]
    verbs = verbs_in(*values)
    if verbs:
        return Verbs(verbs)
    kinds = tuple(dict.fromkeys(kind for one in values if isinstance(one, Kinds) for kind in one.all))
    return Kinds(kinds) if kinds else next(iter(known_values), None)


def kinds_in(node: ast.Call, callee: Any, *, scope: Scope) -> Kinds | None:
    """The kinds among which a flow chooses where it puts a question; None for any other call."""
    if not (isinstance(callee, Known) and callee.it is Asked):
        return None
    given = next((one.value for one in node.keywords if one.arg == "kind"), None)
    parts = [given.body, given.orelse] if isinstance(given, ast.IfExp) else [given]
    words = [one.value if isinstance(one, ast.Constant) else of_name(ast.unparse(one), scope) for one in parts if one]
    return Kinds(tuple(word for word in words if isinstance(word, str)))


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None where its text does not tell."""
    return bool(value) if isinstance(value, str) else None


def can_be_followed(value: Any, scope: Scope) -> bool:
    """Whether it is a function of the platform or of the flow's own program, and no part of the machinery below."""
    it = value.it if isinstance(value, Known) else None
    module = getattr(it, "__module__", None) or ""
    own = (_OURS, f"{scope.run.__module__.partition('.')[0]}.")
    return inspect.isfunction(it) and module.startswith(own) and not module.startswith(_MACHINERY)


def given_to(run: Function, call: ast.Call, *, values: tuple[list[Any], dict[str, Any]]) -> dict[str, Any]:
    """Parameters of a function, by name, with what a call gives for them or their defaults."""
    positional, named = values
    parameters = inspect.signature(run).parameters
    given = {name: known(one.default) for name, one in parameters.items() if one.default is not one.empty}
    if not any(isinstance(one, ast.Starred) for one in call.args):
        given |= dict(zip(parameters, positional, strict=False))
    return {**given, **{name: one for name, one in named.items() if name in parameters}}


def scope_of(run: Function, *, given: dict[str, Any], depth: int) -> Scope:
    """The names of a function at its beginning: the ports and the transaction by their annotations."""
    local = dict(given)
    for name, one in inspect.signature(run).parameters.items():
        role = next((role for role, kind in PORTS.items() if one.annotation is kind), None)
        if local.get(name) is None and role:
            local[name] = Port(role)
        elif name not in local:
            local[name] = Tx() if name == "tx" else None
    return Scope(run, local=local, depth=depth)


def body_of(run: Function) -> list[ast.stmt]:
    """The statements of a function."""
    return tree_of(run).body
