"""A transaction may wait: for an instant, an event, somebody's word, a vendor; waiting survives restarts."""

from sqlalchemy import Connection, or_, select

from accordant.backbone import lanes
from accordant.backbone.rows import TransactionRow, event_table
from accordant.kernel.database import Changes
from accordant.kernel.errors import AccordantError, Terminal


class Pause(Exception):
    """The drive ends here and the transaction goes on later; not an error."""

    def __init__(self, waiting_for: str, *, wake_at_ms: int | None, expects: tuple[str, str] = ("", "")) -> None:
        super().__init__(waiting_for)
        self.waiting_for = waiting_for
        self.wake_at_ms = wake_at_ms
        self.expects = expects
        """Type and subject of the event that should come."""


_WAKE = f"UPDATE business_transaction SET {lanes.GO_ON}"  # noqa: S608 - made of our own names
_CAME = (
    "waiting_for = 'event' AND EXISTS (SELECT 1 FROM event"
    " WHERE event.tenant = business_transaction.tenant AND event.subject = expects_subject"
    " AND event.type = expects_type AND event.event_id <> business_transaction.event_id"
    " AND (event.published_at_ms >= business_transaction.opened_at_ms OR event.at_ms >= (SELECT own.at_ms"
    " FROM event AS own WHERE own.event_id = business_transaction.event_id)))"
)
_UNDECIDED = (
    "SELECT 1 FROM approval AS asked WHERE asked.transaction_id = business_transaction.transaction_id"
    " AND NOT EXISTS (SELECT 1 FROM approval_decision AS said WHERE said.approval_id = asked.approval_id)"
)
_DECIDED = f"transaction_id = :p AND state = 'waiting' AND waiting_for = 'approval' AND NOT EXISTS ({_UNDECIDED})"
FOLLOW_UPS = {
    "wake_expecting": f"{_WAKE} WHERE expects_subject = :p AND expects_subject <> '' AND {_CAME}",
    "wake_if_it_came": f"{_WAKE} WHERE transaction_id = :p AND {_CAME}",
    "wake_decided": f"{_WAKE} WHERE {_DECIDED}",
    "wake_sleepers": f"{_WAKE} WHERE wake_at_ms IS NOT NULL AND wake_at_ms <= CAST(:p AS BIGINT)",
}
"""Conditions name no column that another index could be chosen for: who waits for an event is in the state `waiting`.

An event wakes who expects it; and whoever falls asleep looks once more, in the same commit, so that an event that
came in between is not missed. `wake_sleepers` makes due what has waited long enough; its parameter is the present
instant in milliseconds, as text."""


def wake_expecting(changes: Changes, subject: str) -> None:
    """After this commit, wake whoever expects an event about this subject."""
    changes.follow_up("wake_expecting", subject)
    lanes.seat_woken(changes)


def wake_if_it_came(changes: Changes, transaction_id: str) -> None:
    """After this commit, in which it falls asleep, wake it at once if its event is there already."""
    changes.follow_up("wake_if_it_came", transaction_id)
    lanes.seat_woken(changes)


def wake_decided(changes: Changes, transaction_id: str) -> None:
    """After this commit, wake a transaction whose question is answered: by this commit, or while it fell asleep."""
    changes.follow_up("wake_decided", transaction_id)
    lanes.seat_woken(changes)


def wake_sleepers(changes: Changes, now_ms: int) -> None:
    """Wake whoever's instant has come."""
    changes.follow_up("wake_sleepers", str(now_ms))
    lanes.seat_woken(changes)


def came_since(connection: Connection, row: TransactionRow, *, event_type: str, subject: str) -> str | None:
    """The data of the first such event since the transaction began; its own event does not count.

    Deliveries overtake each other: what happened after the transaction's own fact counts also where it came before it.
    """
    event, own = event_table.c, event_table.alias("own").c
    began_ms = select(own.at_ms).where(own.event_id == row.event_id).scalar_subquery()
    query = (
        select(event.data)
        .where(event.subject == subject, event.type == event_type, event.tenant == row.tenant)
        .where(event.event_id != row.event_id)
        .where(or_(event.published_at_ms >= row.opened_at_ms, event.at_ms >= began_ms))
        .order_by(event.published_at_ms, event.event_id)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def never_came(event_type: str, within_s: float) -> AccordantError:
    """The problem of an expected event whose time is over."""
    return Terminal(
        f"{event_type} was expected within {within_s:.0f} s and did not come",
        code="promise.broken",
        hint="ask the system that should have told it; retrying waits once more",
        detail={"cause": f"{event_type} did not come in time"},
    )
