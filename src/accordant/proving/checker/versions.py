"""Newer is never overwritten by older, and what concerns one customer happens in the order of its facts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from accordant.backbone.rows import TransactionRow
from accordant.proving.checker.history import Applied, Expected, Finding, History, Ruling
from accordant.proving.checker.matching import (
    Thing,
    agrees,
    by_thing,
    found_out,
    held_records,
    lines_of,
    says,
    standing,
    tells,
    thing_of,
)

_OUT_OF_TURN = frozenset({"timer", "event", "approval"})
"""What a transaction waits for outside its lane, so that others may pass it."""
_NOTICE = "tell "
"""Effects that only say where a transaction stands; they are sent whenever there is something to say."""
_NEIGHBOURS = 50
"""How far ahead in a lane each transaction is compared."""

OwnLines = dict[str, dict[str, list[int]]]
"""Line numbers by system of the writes that are one transaction's alone, by its id."""


def stale(history: History) -> Ruling:
    """The last write of each thing is its newest version, and the system holds what that version says."""
    lines, rows_of, shown = lines_of(history), standing(history), found_out(history)
    findings: list[Finding] = []
    judged = 0
    for thing, versions in by_thing(one for one in history.truth.expected if one.version).items():
        done = [one for one in versions if _is_done(rows_of.get(one.transaction, []))]
        if not done or not lines.get(thing) or thing in shown:
            continue
        judged += 1
        newest = max(done, key=lambda one: one.version)
        allowed = [one for one in versions if one.version >= newest.version]
        last = lines[thing][-1]
        if not any(says(last, one) for one in allowed):
            findings.append(_stale(f"the last write (line {last.n}) is not version {newest.version}", thing))
        elif not any(_held_as(history, last, words=_words(one)) for one in allowed if says(last, one)):
            findings.append(_stale(f"it holds something else than version {newest.version}", thing))
    for one in history.truth.final:
        thing = thing_of(one)
        if (
            lines.get(thing)
            and thing not in shown
            and all(_is_done(rows_of.get(subject, [])) for subject in one.transactions)
        ):
            judged += 1
            last = lines[thing][-1]
            if not tells(last, one.says):
                findings.append(_stale(f"the last write (line {last.n}) is not what it comes to", thing))
            elif not _held_as(history, last, words=one.says):
                findings.append(_stale("it holds something else than it comes to", thing))
    return Ruling(judged, tuple(findings))


def _is_done(rows: Sequence[TransactionRow]) -> bool:
    return any(row.state == "completed" for row in rows)


def _held_as(history: History, last: Applied, *, words: Mapping[str, Any]) -> bool:
    """Whether what the system shows says so; a system that was not asked contradicts nobody."""
    records = held_records(history, last.system, kind=last.kind)
    if records is None:
        return True
    record = records.get(last.business_id)
    return agrees(record, words) if record is not None else last.change == "delete"


def _words(one: Expected) -> dict[str, Any]:
    if one.amount_minor is None:
        return dict(one.says)
    return {**one.says, "amount_minor": one.amount_minor, "currency": one.currency}


def order(history: History) -> Ruling:
    """The versions written to a thing never go down, and no transaction of a lane writes before one ahead of it."""
    things, down = _versions_down(history)
    pairs, overtaken = _overtaken(history)
    return Ruling(things + pairs, (*down, *overtaken))


def _versions_down(history: History) -> tuple[int, list[Finding]]:
    lines = lines_of(history)
    findings: list[Finding] = []
    judged = 0
    for thing, versions in by_thing(one for one in history.truth.expected if one.version).items():
        reached = 0
        judged += thing in lines
        for line in lines.get(thing, []):
            meant = sorted({one.version for one in versions if says(line, one)})
            following = [version for version in meant if version >= reached]
            if meant and not following:
                what = f"line {line.n} writes version {meant[-1]} after version {reached}"
                findings.append(_order(f"{thing[0]} {thing[1]}: {what}", thing[2]))
            reached = following[0] if following else reached
    return judged, findings


def _overtaken(history: History) -> tuple[int, list[Finding]]:
    """Two of a lane, both known from the start, whose writes in one system stand the wrong way round."""
    own, strays = _own_lines(history), _strays(history)
    lanes: dict[str, list[TransactionRow]] = {}
    for row in history.records.transactions:
        if row.lane and row.transaction_id in own and row.transaction_id not in strays:
            lanes.setdefault(row.lane, []).append(row)
    findings: list[Finding] = []
    judged = 0
    for rows in lanes.values():
        rows.sort(key=lambda row: (row.lane_seq, row.transaction_id))
        for place, ahead in enumerate(rows):
            for behind in rows[place + 1 : place + _NEIGHBOURS]:
                if ahead.lane_seq == behind.lane_seq or ahead.opened_at_ms > behind.opened_at_ms:
                    continue  # of equal rank, or come when the other may have had its turn already
                judged += 1
                findings += _wrong_way_round(ahead, behind, own=own)
    return judged, findings


def _wrong_way_round(ahead: TransactionRow, behind: TransactionRow, *, own: OwnLines) -> Iterator[Finding]:
    first, second = own[ahead.transaction_id], own[behind.transaction_id]
    for system in first.keys() & second.keys():
        if min(second[system]) < max(first[system]):
            what = f"{system}: {behind.subject} wrote before {ahead.subject}, which is ahead of it in its lane"
            yield _order(what, ahead.lane)


def _own_lines(history: History) -> OwnLines:
    effects = [one for one in history.records.effects if not one.name.startswith(_NOTICE)]
    keys = {one.key: one.transaction_id for one in effects if one.key}
    writers: dict[Thing, set[str]] = {}
    for one in effects:
        writers.setdefault(thing_of(one), set()).add(one.transaction_id)
    found: OwnLines = {}
    for line in history.applied:
        only = writers.get(thing_of(line), set[str]())
        mine = keys.get(line.key) or (next(iter(only)) if len(only) == 1 else "")
        if mine:
            found.setdefault(mine, {}).setdefault(line.system, []).append(line.n)
    return found


def _strays(history: History) -> set[str]:
    """Transactions that left their lane for a while."""
    found: set[str] = set()
    for entry in history.records.audit:
        if entry["action"] == "transaction.waiting":
            waits_for = msgspec.json.decode(entry["detail"]).get("for")
            found |= {str(entry["transaction_id"])} if waits_for in _OUT_OF_TURN else set()
    return found


def _stale(what: str, thing: Thing) -> Finding:
    return Finding(rule="stale", what=f"{thing[0]} {thing[1]}: {what}", where=thing[2])


def _order(what: str, where: str) -> Finding:
    return Finding(rule="order", what=what, where=where)
