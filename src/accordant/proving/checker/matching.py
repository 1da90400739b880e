"""Which line of a system's ledger, which effect and which expectation speak of the same thing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from accordant.backbone.rows import EffectRow, TransactionRow
from accordant.proving.checker.history import Applied, Expected, Final, History

Thing = tuple[str, str, str]
"""System, kind and business id."""

APPLIED_MAYBE = frozenset({"sent", "confirmed", "unknown"})
TAKEN_BACK = frozenset({"compensated", "cancelled"})
VOID = frozenset({"canceled", "cancelled", "closed", "ended", "void", "voided"})
"""Words of a held record that stands for nothing any more."""

_One = TypeVar("_One", Expected, Applied, EffectRow)


def thing_of(one: Expected | Final | Applied | EffectRow) -> Thing:
    """What it is about."""
    return one.system, one.kind, one.business_id


def by_thing(many: Iterable[_One]) -> dict[Thing, list[_One]]:
    """Grouped, each group in the order given."""
    found: dict[Thing, list[_One]] = {}
    for one in many:
        found.setdefault(thing_of(one), []).append(one)
    return found


def lines_of(history: History) -> dict[Thing, list[Applied]]:
    """The ledgers' lines by what they are about, each in the order of its ledger."""
    return by_thing(sorted(history.applied, key=lambda line: (line.system, line.n)))


def wanted(history: History) -> dict[str, list[Expected]]:
    """What is expected, by the business id of the transaction that has to see to it."""
    found: dict[str, list[Expected]] = {}
    for one in history.truth.expected:
        found.setdefault(one.transaction, []).append(one)
    return found


def standing(history: History) -> dict[str, list[TransactionRow]]:
    """The transactions that stand for a business id: those that wrote or tried to, else all that there are."""
    tried = {one.transaction_id for one in history.records.effects}
    every: dict[str, list[TransactionRow]] = {}
    for row in history.records.transactions:
        every.setdefault(row.subject, []).append(row)
    return {subject: [row for row in rows if row.transaction_id in tried] or rows for subject, rows in every.items()}


def owned(history: History) -> set[str]:
    """Transactions and messages with an open item that has an owner."""
    items = [one for one in history.records.exceptions if one.state == "open" and one.owner]
    return {one.transaction_id for one in items} | {one.message_id for one in items} - {""}


def found_out(history: History) -> set[Thing]:
    """Things that a system lied about, and that it was caught with, each with an owner: nobody is deceived."""
    if not history.truth.lies:
        return set()
    held_by = owned(history)
    differ = (one for one in history.records.effects if one.checked == "different" and one.transaction_id in held_by)
    return {thing_of(one) for one in differ}


def waived(rows: Iterable[TransactionRow]) -> int:
    """How many steps people let these transactions skip."""
    return sum(len(row.waivers.strip().splitlines()) for row in rows)


class Writes:
    """Finds the lines that fulfil an expectation."""

    def __init__(self, history: History) -> None:
        self.lines = lines_of(history)
        self.effects = by_thing(one for one in history.records.effects if one.state in APPLIED_MAYBE)
        self._versions = by_thing(one for one in history.truth.expected if one.version)
        self._standing = {subject: {row.transaction_id for row in rows} for subject, rows in standing(history).items()}

    def fulfil(self, one: Expected) -> list[Applied]:
        """The lines that are this write."""
        lines = self.lines.get(thing_of(one), [])
        if one.version:
            return [line for line in lines if says(line, one)]
        same = [line for line in lines if line.change == one.change]
        if one.change == "create" or one.amount_minor is None:
            return same
        return [line for line in same if (line.amount_minor, line.currency) == (one.amount_minor, one.currency)]

    def satisfied(self, one: Expected) -> bool:
        """Whether it was written, or a newer version of the same thing was."""
        if self.fulfil(one):
            return True
        newer = (later for later in self._versions.get(thing_of(one), []) if later.version > one.version > 0)
        return any(self.fulfil(later) for later in newer)

    def own(self, one: Expected) -> list[Applied]:
        """The lines that are this write and nobody else's: an effect of its transaction says so, or none at all."""
        effects = self.effects.get(thing_of(one), [])
        mine = self._standing.get(one.transaction, set[str]())
        if effects and not any(effect.transaction_id in mine and _made(effect) for effect in effects):
            return []
        return self.fulfil(one)


def _made(effect: EffectRow) -> bool:
    return effect.state != "confirmed" or bool(effect.own)


def says(line: Applied, one: Expected) -> bool:
    """Whether the record, after this write, is as the expectation says."""
    if one.amount_minor is not None and (line.amount_minor, line.currency) != (one.amount_minor, one.currency):
        return False
    return tells(line, one.says)


def tells(line: Applied, words: Mapping[str, Any]) -> bool:
    """Whether every one of these values stands somewhere in the record, whatever the system calls it."""
    told = set(_leaves(body_of(line))) if words else set[str]()
    return all(str(value) in told for value in words.values() if value is not None)


def agrees(record: Mapping[str, Any], words: Mapping[str, Any]) -> bool:
    """Whether a held record says the same under the names that both know."""
    return all(str(record[name]) == str(value) for name, value in words.items() if name in record)


def body_of(line: Applied) -> Any:
    """The record after the write, decoded."""
    return msgspec.json.decode(line.body) if isinstance(line.body, msgspec.Raw) else line.body


def _leaves(body: Any) -> Iterator[str]:
    if isinstance(body, Mapping):
        for value in body.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(value)
    elif isinstance(body, list | tuple):
        for value in body:  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(value)
    elif body is not None:
        yield str(body)
        if isinstance(body, str) and body[10:11] == "T":
            yield body[:10]


def held_records(history: History, system: str, *, kind: str) -> dict[str, Mapping[str, Any]] | None:
    """What a system holds of a kind, by business id; None where it was not asked."""
    if system not in history.held or kind not in history.held[system]:
        return None
    return {str(one.get("business_id")): one for one in history.held[system][kind]}
