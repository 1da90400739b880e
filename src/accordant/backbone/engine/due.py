"""Finding what is due: one page at a time, so that memory does not grow with the backlog."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Integer, func, select, text

from accordant.backbone import waits
from accordant.backbone.engine.port import Due
from accordant.backbone.rows import (
    EffectRow,
    MemoRow,
    TransactionRow,
    effect_table,
    event_table,
    memo_table,
    transaction_table,
)
from accordant.backbone.tools import History
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Query, Writer, as_struct, first_column, given, one_of

_tx = transaction_table.c
_FIELDS = TransactionRow.__struct_fields__
_WITH_EVENT = select(
    transaction_table, event_table.c.type.label("event_type"), event_table.c.data.label("event_data")
).join(event_table, event_table.c.event_id == _tx.event_id)
_PAGE = Query(
    _WITH_EVENT.where(_tx.due_rank.is_not(None)).order_by(_tx.due_rank).limit(given("limit", type_=Integer)), tuple
)
_ONE = Query(_WITH_EVENT.where(_tx.transaction_id == given("id")), tuple)
_MEMOS = Query(select(memo_table).where(one_of(memo_table.c.transaction_id, "ids")), as_struct(MemoRow))
_EFFECTS = Query(
    select(effect_table).where(one_of(effect_table.c.transaction_id, "ids")).order_by(effect_table.c.version),
    as_struct(EffectRow),
)
_NEXT_WAKE = Query(select(func.min(_tx.wake_at_ms)).where(_tx.wake_at_ms.is_not(None)), first_column)


def due_page(connection: Connection, *, limit: int, leave_out: frozenset[str] = frozenset()) -> list[Due]:
    """The most urgent due transactions with their events and histories, without those already in hand."""
    page = _PAGE.all(connection, limit=limit + len(leave_out))
    rows = [row for row in page if row[0] not in leave_out][:limit]
    return _with_history(connection, rows)


def one_due(connection: Connection, transaction_id: str) -> Due | None:
    """One transaction, due or not, with everything a drive needs."""
    found = _with_history(connection, _ONE.all(connection, id=transaction_id))
    return found[0] if found else None


def _with_history(connection: Connection, rows: Sequence[Any]) -> list[Due]:
    """`rows` hold a transaction's columns, and then type and data of its event."""
    ids = [row[0] for row in rows]
    memos: dict[str, dict[str, MemoRow]] = {}
    effects: dict[str, dict[str, EffectRow]] = {}
    if ids:
        for memo in _MEMOS.all(connection, ids=ids):
            memos.setdefault(memo.transaction_id, {})[memo.name] = memo
        for effect in _EFFECTS.all(connection, ids=ids):
            effects.setdefault(effect.transaction_id, {})[effect.name] = effect
    return [
        Due(
            row=TransactionRow(**dict(zip(_FIELDS, row, strict=False))),
            event_type=row[-2],
            event_data=row[-1],
            history=History(memos=memos.get(row[0], {}), effects=effects.get(row[0], {})),
        )
        for row in rows
    ]


def next_wake_ms(connection: Connection) -> int | None:
    """The instant at which the next sleeper wakes."""
    return _NEXT_WAKE.first(connection)


async def wake_sleepers(database: Database, writer: Writer, *, clock: Clock) -> bool:
    """Wake what has slept long enough; whether there was anything. Raises NotRead, NotCommitted."""
    wake_ms, now = await database.read(next_wake_ms), clock.now_ms()
    if wake_ms is None or wake_ms > now:
        return False
    changes = Changes()
    waits.wake_sleepers(changes, now)
    await writer.commit(changes, at="engine.wake")
    return True


def stranded(connection: Connection) -> int:
    """Transactions that nothing will ever wake: neither due, nor asleep, nor queued, nor in a person's hands."""
    return connection.execute(
        text(
            "SELECT count(*) FROM business_transaction WHERE state IN ('running', 'waiting')"
            " AND due_rank IS NULL AND wake_at_ms IS NULL AND turn <> 0 AND waiting_for NOT IN ('approval', 'event')"
        )
    ).scalar_one()
