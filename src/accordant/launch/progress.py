"""How far a run has come, read from the database whether or not the platform is alive."""

import msgspec
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from accordant.backbone.rows import cursor_table, effect_table, exception_table, inbox_table, transaction_table
from accordant.kernel.database import Database


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Counts at one moment."""

    polled: bool = False
    """Every stream has been read to its end at least once."""
    unread: int = 0
    by_state: dict[str, int] = {}
    telling: int = 0
    behind: int = 0
    """Waiting in a lane that a stopped transaction holds."""
    unverified: int = 0
    open_exceptions: int = 0

    @property
    def ended(self) -> int:
        """Transactions that are completed, compensated or in a person's hands."""
        return sum(n for state, n in self.by_state.items() if state not in {"running", "waiting"})

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def settled(self) -> bool:
        """Nothing is left to do without a person."""
        return self.polled and not self.unread and not self.telling and self.ended + self.behind == self.total


def read_progress(database: Database) -> Progress:
    """Counts; all zero while the database is not there yet."""
    try:
        return database.read_now(_counts)
    except SQLAlchemyError:
        return Progress()


_BEHIND = (
    "SELECT count(*) FROM business_transaction AS one WHERE one.turn = 0 AND EXISTS ("
    "SELECT 1 FROM business_transaction AS head WHERE head.lane = one.lane AND head.turn = 1"
    " AND head.state = 'exception')"
)


def _counts(connection: Connection) -> Progress:
    tx, effect = transaction_table.c, effect_table.c
    by_state = select(tx.state, func.count()).group_by(tx.state)
    kept = select(func.count()).select_from(inbox_table).where(inbox_table.c.state == "kept")
    unverified = select(func.count()).select_from(effect_table).where(effect.state == "confirmed", effect.checked == "")
    telling = select(func.count()).select_from(transaction_table).where(tx.waiting_for == "telling")
    opened = select(func.count()).select_from(exception_table).where(exception_table.c.state == "open")
    return Progress(
        polled=connection.execute(select(func.count()).select_from(cursor_table)).scalar_one() > 0,
        unread=connection.execute(kept).scalar_one(),
        by_state=dict(connection.execute(by_state).all()),
        telling=connection.execute(telling).scalar_one(),
        behind=connection.execute(text(_BEHIND)).scalar_one(),
        unverified=connection.execute(unverified).scalar_one(),
        open_exceptions=connection.execute(opened).scalar_one(),
    )
