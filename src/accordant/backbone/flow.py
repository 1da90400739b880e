"""A flow is one business process, written as a plain function and run from the top until it ends or parks."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from accordant.canonical.envelope import Fact
from accordant.canonical.operation import Operation
from accordant.kernel.errors import Misconfigured
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority

FlowFunction = Callable[..., Awaitable[None]]


class Describe(msgspec.Struct, frozen=True, kw_only=True):
    """How a fact is shown in lists before anything is agreed about it."""

    party: Callable[[Any], str]
    """The customer's name, from the fact."""
    worth: Callable[[Any], Money | None]
    """The money at stake, from the fact; None where it cannot be read."""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A registered flow and the rules it runs under."""

    name: str
    version: int
    on: type[Fact]
    run: FlowFunction
    owner: str
    priority: Priority
    describe: Describe
    blocked: Callable[..., Operation | None] | None
    """`blocked(fact, stop, **ports)`: the notice to send when the transaction stops for a person."""
    corrected_by: type[Fact] | None
    """A correction of this kind replaces the fact of a transaction that has had no effect yet."""
    hold_lane: bool
    also: tuple[type[Fact], ...] = ()
    """Other kinds of facts that begin it."""

    @property
    def story(self) -> str:
        """The opening lines of the flow's module."""
        import sys

        return (sys.modules[self.run.__module__].__doc__ or "").strip()


def flow(
    *,
    on: type[Fact],
    owner: str,
    describe: Describe,
    priority: Priority = Priority.CUSTOMER,
    version: int = 1,
    **more: Any,
) -> Callable[[FlowFunction], Flow]:
    """Register a function as the flow that handles a kind of fact. `more`: blocked, corrected_by, hold_lane, also."""

    def register(run: FlowFunction) -> Flow:
        return Flow(
            name=run.__name__,
            version=version,
            on=on,
            run=run,
            owner=owner,
            priority=priority,
            describe=describe,
            blocked=more.get("blocked"),
            corrected_by=more.get("corrected_by"),
            hold_lane=more.get("hold_lane", False),
            also=more.get("also", ()),
        )

    return register


class Flows:
    """All flows, found by the type of the event they handle or by name."""

    def __init__(self, *flows: Flow) -> None:
        self._by_type: dict[str, list[Flow]] = {}
        self._by_name: dict[str, Flow] = {}
        self.facts: dict[str, type[Fact]] = {}
        self.corrections: dict[str, Flow] = {}
        for one in flows:
            if one.name in self._by_name:
                raise Misconfigured(f"two flows are called {one.name!r}; give one of them another name")
            self._by_name[one.name] = one
            for kind in (one.on, *one.also):
                self._by_type.setdefault(kind.type, []).append(one)
                self.facts[kind.type] = kind
            if one.corrected_by:
                self.corrections[one.corrected_by.type] = one
                self.facts[one.corrected_by.type] = one.corrected_by

    def handling(self, event_type: str) -> list[Flow]:
        """The flows that a new event of this type begins."""
        return self._by_type.get(event_type, [])

    def named(self, name: str) -> Flow:
        """The flow of a transaction. Raises Misconfigured when it was removed while transactions still need it."""
        if name not in self._by_name:
            raise Misconfigured(f"flow {name!r} is not part of this release, but a transaction needs it")
        return self._by_name[name]

    def fact_of(self, flow_name: str, event_type: str, *, data: str) -> Fact:
        """Decode an event's data as the fact that the flow handles."""
        one = self.named(flow_name)
        kind = self.facts.get(event_type, one.on)
        return msgspec.json.decode(data.encode(), type=kind)

    def all(self) -> Mapping[str, Flow]:
        """Every flow by name."""
        return self._by_name


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """Why a transaction stopped for a person, as told to the system its fact came from."""

    reason: str
    owner: str
    transaction_id: str
