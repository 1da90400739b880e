"""What a flow does, in order: steps, and the frames that branch, repeat or hold."""

from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal["check", "recall", "keep", "effect", "notice", "approval", "until", "expect"]
WAITS: tuple[Kind, ...] = ("approval", "until", "expect")


class Verb(msgspec.Struct, frozen=True):
    """One business verb of a system."""

    system: str
    name: str

    @property
    def words(self) -> str:
        """As people say it."""
        return self.name.replace("_", " ")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One call on the transaction."""

    kind: Kind
    name: str
    verbs: tuple[Verb, ...] = ()
    """What it writes, or reads, in which system; empty where it stays within the platform."""
    undo: tuple[Verb, ...] = ()
    rule: str = ""
    """Name of a check's rule."""
    says: str = ""
    """First sentence about the rule, or about the step."""
    codes: tuple[str, ...] = ()
    """Exception codes with which this step can stop the transaction."""
    approves: tuple[str, ...] = ()
    """Kinds of approvals.yaml among which the flow chooses."""
    event: str = ""
    """Type of the event that is waited for."""
    unless: str = ""
    """When it is left out."""


class End(msgspec.Struct, frozen=True):
    """The flow is completed here."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that belong together: taken under a condition, repeated, or while records are held."""

    kind: Literal["if", "else", "each", "hold"]
    label: str
    items: "tuple[Step | Frame | End, ...]"


Item = Step | Frame | End


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A whole flow."""

    items: tuple[Item, ...]
    blocked: tuple[Verb, ...] = ()
    """What the source is told where a transaction stops for a person."""
    codes: tuple[str, ...] = ()
    """Exception codes raised between the steps."""

    def steps(self) -> list[Step]:
        """Every step, in order."""
        return list(_steps(self.items))

    def systems(self) -> list[str]:
        """Every system that is read, written or told, in the order in which they come in."""
        named = [verb.system for step in self.steps() for verb in (*step.verbs, *step.undo)]
        return list(dict.fromkeys([*named, *(verb.system for verb in self.blocked)]))


def _steps(items: tuple[Item, ...]) -> Iterator[Step]:
    for one in items:
        if isinstance(one, Step):
            yield one
        elif isinstance(one, Frame):
            yield from _steps(one.items)
