"""After a disturbance everything comes to rest by itself, and what does not is in somebody's hands."""

from collections.abc import Iterator

from accordant.backbone.rows import TransactionRow
from accordant.proving.checker.history import Finding, History, Ruling
from accordant.proving.checker.matching import TAKEN_BACK, owned

_DONE = TAKEN_BACK | {"completed"}
_UNDECIDED = frozenset({"intended", "sent", "unknown"})
_PATIENT = frozenset({"approval", "event", "timer"})
_NOTICE = "tell "


def liveness(history: History) -> Ruling:
    """It came to rest in time; nothing is left running, waiting for nobody, or decided by nobody."""
    findings = [*_came_to_rest(history), *_left_over(history), *_undecided(history)]
    return Ruling(len(history.records.transactions), tuple(findings))


def _came_to_rest(history: History) -> Iterator[Finding]:
    if not history.at_rest_ms:
        yield _rest("it never came to rest", "everything")
    elif history.healed_ms and history.at_rest_ms - history.healed_ms > history.rest_within_ms:
        took_ms = history.at_rest_ms - history.healed_ms
        yield _rest(f"it took {took_ms} ms to come to rest; expected at most {history.rest_within_ms}", "everything")


def _left_over(history: History) -> Iterator[Finding]:
    held_by = owned(history)
    heads = {row.lane: row for row in history.records.transactions if row.turn == 1}
    for row in history.records.transactions:
        if row.state in _DONE:
            continue
        if row.state == "exception":
            if row.transaction_id not in held_by:
                yield _rest("it stopped, and no open item with an owner stands for it", row.subject)
        elif not _may_wait(row, heads.get(row.lane), held_by=held_by, at_rest_ms=history.at_rest_ms):
            why = f" for {row.waiting_for}" if row.waiting_for else ""
            yield _rest(f"it is {row.state}{why}, and nothing will move it", row.subject)


def _may_wait(row: TransactionRow, head: TransactionRow | None, *, held_by: set[str], at_rest_ms: int) -> bool:
    """For an instant to come, for a person or an event, or behind one that is in a person's hands."""
    if row.due_rank is not None:
        return False
    if row.turn == 0:
        if head is None or head.turn == 0 or head.transaction_id == row.transaction_id:
            return False
        return head.transaction_id in held_by or _may_wait(head, None, held_by=held_by, at_rest_ms=at_rest_ms)
    in_time = row.wake_at_ms is None or row.wake_at_ms > at_rest_ms
    return row.waiting_for in _PATIENT and in_time and (row.wake_at_ms is not None or row.waiting_for != "timer")


def _undecided(history: History) -> Iterator[Finding]:
    """Effects of ended transactions of which nobody knows any more whether they happened."""
    ended = {row.transaction_id for row in history.records.transactions if row.state in _DONE}
    for one in history.records.effects:
        if one.transaction_id in ended and one.state in _UNDECIDED and not one.name.startswith(_NOTICE):
            yield _rest(f"{one.name} is {one.state} in a transaction that has ended", one.transaction_id)


def _rest(what: str, where: str) -> Finding:
    return Finding(rule="liveness", what=what, where=where)
