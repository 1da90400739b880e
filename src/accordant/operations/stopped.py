"""Where the things stand that people want to have tried again: read in one go, while nobody drives them."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from accordant.backbone import lanes, standing
from accordant.backbone.flow import Flows
from accordant.backbone.ledger.entries import CONFIRMED, MAYBE_APPLIED
from accordant.backbone.router import lane_of
from accordant.backbone.rows import (
    EffectRow,
    EventRow,
    ExceptionRow,
    MemoRow,
    MessageRow,
    TransactionRow,
    effect_table,
    event_table,
    exception_table,
    inbox_table,
    memo_table,
    transaction_table,
)
from accordant.kernel.database import rows_of

_tx = transaction_table.c
_e = effect_table.c


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that retrying some open items needs to know."""

    transactions: dict[str, TransactionRow]
    memos: dict[str, list[MemoRow]]
    messages: dict[str, MessageRow]
    confirmed: dict[tuple[str, str], list[EffectRow]]
    """Confirmed effects by transaction and name."""
    in_the_open: list[EffectRow]
    """Effects of which nobody can say whether they were applied."""
    corrections: dict[str, EventRow]
    """The newest event about the fact of each transaction that has nothing in any system."""
    ends: dict[str, int]
    """The last place taken in each lane; counted on as places are given."""

    def at_end_of(self, lane: str, *, now_ms: int) -> int:
        """The next free place in a lane."""
        self.ends[lane] = max(now_ms * 1000, self.ends.get(lane, 0) + 1)
        return self.ends[lane]


def open_items(connection: Connection, tenant: str, *, condition: ColumnElement[bool]) -> list[ExceptionRow]:
    """Open items in the order in which their transactions stood in their lanes."""
    item = exception_table.c
    query = (
        select(exception_table)
        .outerjoin(transaction_table, _tx.transaction_id == item.transaction_id)
        .where(condition, item.state == "open", item.tenant == tenant)
        .order_by(_tx.lane_seq, item.opened_at_ms, item.exception_id)
    )
    return rows_of(connection, query, ExceptionRow)


def stand_of(connection: Connection, items: Sequence[ExceptionRow], *, parts: tuple[str, Flows]) -> Stand:
    """Where the transactions and messages of these items stand; `parts`: tenant and flows."""
    tenant, flows = parts
    ids = {item.transaction_id for item in items if item.transaction_id}
    query = select(transaction_table).where(_tx.transaction_id.in_(ids), _tx.tenant == tenant)
    rows = {row["transaction_id"]: TransactionRow(**row) for row in connection.execute(query).mappings()}
    effects = _effects(connection, rows)
    touched = {one.transaction_id for one in effects if not one.name.startswith("tell ")}
    corrections = {
        row.transaction_id: event
        for row in rows.values()
        if row.transaction_id not in touched and (event := _newest(connection, row, flows=flows))
    }
    confirmed: dict[tuple[str, str], list[EffectRow]] = {}
    for one in effects:
        if one.state == CONFIRMED:
            confirmed.setdefault((one.transaction_id, one.name), []).append(one)
    return Stand(
        transactions=rows,
        memos=_memos(connection, rows),
        messages=_messages(connection, tenant, ids={item.message_id for item in items if item.message_id}),
        confirmed=confirmed,
        in_the_open=[one for one in effects if one.state in MAYBE_APPLIED],
        corrections=corrections,
        ends=_ends(connection, {row.lane for row in rows.values()} | {lane_of(one) for one in corrections.values()}),
    )


def _effects(connection: Connection, ids: Collection[str]) -> list[EffectRow]:
    """What was or may have been applied."""
    query = select(effect_table).where(_e.transaction_id.in_(ids), _e.state.in_({CONFIRMED, *MAYBE_APPLIED}))
    return rows_of(connection, query, EffectRow)


def _newest(connection: Connection, row: TransactionRow, *, flows: Flows) -> EventRow | None:
    one = flows.all().get(row.flow)
    if one is None or one.corrected_by is None:
        return None
    types = [one.on.type, one.corrected_by.type]
    event_id = standing.newest_event(connection, row.tenant, event_id=row.event_id, types=types)
    query = select(event_table).where(event_table.c.event_id == event_id)
    found = connection.execute(query).mappings().first()
    return EventRow(**found) if found else None


def _memos(connection: Connection, ids: Collection[str]) -> dict[str, list[MemoRow]]:
    found: dict[str, list[MemoRow]] = {}
    query = select(memo_table).where(memo_table.c.transaction_id.in_(ids))
    for row in connection.execute(query).mappings():
        found.setdefault(row["transaction_id"], []).append(MemoRow(**row))
    return found


def _messages(connection: Connection, tenant: str, *, ids: set[str]) -> dict[str, MessageRow]:
    query = select(inbox_table).where(inbox_table.c.message_id.in_(ids), inbox_table.c.tenant == tenant)
    return {row["message_id"]: MessageRow(**row) for row in connection.execute(query).mappings()}


def _ends(connection: Connection, names: set[str]) -> dict[str, int]:
    query = select(_tx.lane, func.max(_tx.lane_seq)).where(_tx.lane.in_(names), _tx.turn == lanes.WAITS)
    return dict(connection.execute(query.group_by(_tx.lane)).all())
