"""Nothing that was taken is lost, and nothing stays half done without somebody who owns it."""

from collections.abc import Iterator, Sequence

from accordant.backbone.rows import MessageRow, TransactionRow
from accordant.proving.checker.history import Acknowledged, Applied, Expected, Finding, History, Ruling
from accordant.proving.checker.matching import (
    TAKEN_BACK,
    VOID,
    Writes,
    found_out,
    held_records,
    owned,
    standing,
    thing_of,
    waived,
    wanted,
)

OVERDUE_AFTER_MS = 60_000
"""How long after the instant at which it should have gone on a waiting transaction counts as forgotten."""
_READ = frozenset({"published", "ignored", "superseded"})
_STAYS = frozenset({"customer"})
"""Kinds that a transaction leaves behind when it is taken back: others may rely on them by then."""

Delivery = tuple[str, str]


def lost(history: History) -> Ruling:
    """What was acknowledged was read or is owned; what was refused left nothing; what is due was written."""
    wants = wanted(history)
    findings = [*_lost_deliveries(history), *_left_unread(history), *_never_written(history, wants)]
    judged = len(history.truth.acknowledged) + len(history.records.messages) + len(wants)
    return Ruling(judged, tuple(findings))


def _lost_deliveries(history: History) -> Iterator[Finding]:
    kept: dict[Delivery, list[MessageRow]] = {}
    for row in history.records.messages:
        kept.setdefault((row.connection, row.delivery_id), []).append(row)
    told: dict[Delivery, list[Acknowledged]] = {}
    for one in history.truth.acknowledged:
        told.setdefault((one.connection, one.delivery_id), []).append(one)
    settled = _settled_messages(history)
    for delivery, sendings in told.items():
        where, outcomes = "/".join(delivery), {one.outcome for one in sendings}
        rows = kept.get(delivery, [])
        if "ok" in outcomes and not rows:
            yield _lost("the delivery was acknowledged, and the inbox does not hold it", where)
        if outcomes == {"failed"} and rows:
            yield _lost("every sending was refused for good, and the inbox holds it all the same", where)
        for row in rows:
            if row.state not in _READ and row.state != "kept" and row.message_id not in settled:
                yield _lost(f"it is {row.state}, and no open item with an owner stands for it", where)


def _settled_messages(history: History) -> set[str]:
    """Messages that have an owner, or that a person has settled."""
    resolved = {one.message_id for one in history.records.exceptions if one.state == "resolved"}
    return owned(history) | resolved


def _left_unread(history: History) -> Iterator[Finding]:
    for row in history.records.messages:
        if row.state == "kept":
            yield _lost("the message was kept and never read", f"{row.connection}/{row.delivery_id}")


def _never_written(history: History, wants: dict[str, list[Expected]]) -> Iterator[Finding]:
    """Facts that came to nothing: no transaction stands for them, or one that says it is done and wrote nothing."""
    writes, rows_of, shown = Writes(history), standing(history), found_out(history)
    parked = {one.subject for one in history.records.exceptions if one.state == "open" and one.owner}
    for subject, expected in wants.items():
        rows = rows_of.get(subject, [])
        if not rows and subject not in parked:
            yield _lost("neither a transaction nor an open item stands for it", subject)
        if not rows or any(row.state != "completed" for row in rows) or any(writes.own(one) for one in expected):
            continue
        missing = [one for one in expected if not writes.satisfied(one) and thing_of(one) not in shown]
        for one in missing if len(missing) > waived(rows) else ():
            yield _lost(f"the transaction is completed, and {_named(one)} was never applied", subject)


def partial(history: History) -> Ruling:
    """Who wrote a part of what is due is on the way, owned, or taken back without a trace."""
    writes, rows_of, held_by = Writes(history), standing(history), owned(history)
    shown = found_out(history)
    findings: list[Finding] = []
    for subject, expected in wanted(history).items():
        rows = rows_of.get(subject, [])
        if not rows or any(_on_the_way(row, history, held_by=held_by) for row in rows):
            continue
        applied = [one for one in expected if writes.own(one)]
        if any(row.state in TAKEN_BACK for row in rows):
            findings += [_partial(what, subject) for what in _remains(history, applied, writes=writes)]
            continue
        missing = [one for one in expected if not writes.satisfied(one) and thing_of(one) not in shown]
        if applied and len(missing) > waived(rows):
            states = " and ".join(sorted({row.state for row in rows}))
            findings += [_partial(f"it is {states}, and {_named(one)} was never applied", subject) for one in missing]
    return Ruling(len(wanted(history)), tuple(findings))


def _on_the_way(row: TransactionRow, history: History, *, held_by: set[str]) -> bool:
    if row.state == "exception":
        return row.transaction_id in held_by
    if row.state not in {"running", "waiting"}:
        return False
    return row.wake_at_ms is None or row.wake_at_ms + OVERDUE_AFTER_MS > history.at_rest_ms


def _remains(history: History, applied: Sequence[Expected], *, writes: Writes) -> Iterator[str]:
    """What a transaction that was taken back left behind."""
    for one in applied:
        if one.kind in _STAYS:
            continue
        lines, mine = writes.lines[thing_of(one)], writes.own(one)
        last, records = lines[-1], held_records(history, one.system, kind=one.kind)
        record = records.get(one.business_id) if records is not None else None
        if last.n == mine[-1].n:
            yield f"it was taken back, and {_named(one)} still stands"
        elif one.change == "create" and last.change != "delete" and record and record.get("status", "void") not in VOID:
            yield f"it was taken back, and {_named(one)} is {record['status']}"
        elif one.change != "create" and not _as_before(lines, mine[0]):
            yield f"it was taken back, and {_named(one)} is not as it was before"


def _as_before(lines: Sequence[Applied], mine: Applied) -> bool:
    before = [line for line in lines if line.n < mine.n]
    return not before or (before[-1].amount_minor, before[-1].currency) == (lines[-1].amount_minor, lines[-1].currency)


def _named(one: Expected) -> str:
    return f"{one.change} {one.kind} {one.business_id} in {one.system}"


def _lost(what: str, where: str) -> Finding:
    return Finding(rule="lost", what=what, where=where)


def _partial(what: str, where: str) -> Finding:
    return Finding(rule="partial", what=what, where=where)
