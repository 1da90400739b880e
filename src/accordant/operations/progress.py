"""How far everything has come: messages, transactions, effects and open items, counted at one moment."""

import msgspec
from sqlalchemy import Connection, func, select

from accordant.backbone.inbox import counts_by_state
from accordant.backbone.rows import effect_table, exception_table, transaction_table
from accordant.operations.verification import unverified


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Counts at one moment."""

    inbox: dict[str, int]
    transactions: dict[str, int]
    open_exceptions: int
    effects_confirmed: int
    effects_unverified: int
    """Confirmed and not read back yet."""

    @property
    def backlog(self) -> int:
        """Messages not understood yet and transactions on their way."""
        under_way = self.transactions.get("running", 0) + self.transactions.get("waiting", 0)
        return self.inbox.get("kept", 0) + under_way


def progress(connection: Connection) -> Progress:
    """Count; takes one pass over the transactions and one over the effects."""
    tx, effect = transaction_table.c, effect_table.c
    by_state = select(tx.state, func.count()).group_by(tx.state)
    confirmed = select(func.count()).select_from(effect_table).where(effect.state == "confirmed")
    opened = select(func.count()).select_from(exception_table).where(exception_table.c.state == "open")
    return Progress(
        inbox=counts_by_state(connection),
        transactions=dict(connection.execute(by_state).all()),
        open_exceptions=connection.execute(opened).scalar_one(),
        effects_confirmed=connection.execute(confirmed).scalar_one(),
        effects_unverified=unverified(connection),
    )
