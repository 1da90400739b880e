"""Replay: what was kept is processed again through the same code, and what would happen is shown first.

A message is offered to its mapping again; a transaction is driven again from its memo. Neither writes anything a
second time: a fact told twice is one fact, and a confirmed effect is not sent again.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from accordant.backbone import lanes
from accordant.backbone.engine.port import Engine
from accordant.backbone.exceptions import close_item
from accordant.backbone.rows import (
    ExceptionRow,
    MessageRow,
    TransactionRow,
    exception_table,
    inbox_table,
    transaction_table,
)
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer, rows_of
from accordant.kernel.errors import Refused
from accordant.kernel.priority import Priority, rank
from accordant.telemetry.audit import AuditEntry, record

_CHUNK = 200
_IDS_MAX = 1000
_replace = msgspec.structs.replace
_m = inbox_table.c


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay: ids, or every message that fits the filters. Without ids only quarantined messages, or `all`."""

    ids: tuple[str, ...] = ()
    """Of messages (`msg-…`) and transactions (`tx-…`)."""
    since_ms: int | None = None
    """Received at or after this instant."""
    until_ms: int | None = None
    """Received before this instant."""
    connection: str = ""
    quarantined: bool = False
    all: bool = False
    """Messages in every state; refused without another filter."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What replaying would do with one message or transaction."""

    id: str
    kind: str
    """message, transaction, or unknown."""
    state: str
    about: str
    will: bool
    """Whether anything is done."""
    what: str


class ReplayParts(msgspec.Struct, frozen=True, kw_only=True):
    """What replaying works with."""

    database: Database
    writer: Writer
    clock: Clock
    engine: Engine
    reread: Callable[[], None]
    """Tell the pump that there is something in the inbox."""


def preview(connection: Connection, selection: Selection, *, tenant: str) -> list[Planned]:
    """What would happen; changes nothing.

    Raises:
        Refused: `replay.no_filter` when nothing narrows it, `replay.too_many` for more than 1000 ids.
    """
    _require_filter(selection)
    if not selection.ids:
        return [plan_message(row) for row in _selected(connection, selection, tenant=tenant)]
    messages = {row.message_id: plan_message(row) for row in _messages(connection, selection.ids, tenant=tenant)}
    transactions = {
        row.transaction_id: plan_transaction(row) for row in _driven(connection, selection.ids, tenant=tenant)
    }
    found = {**messages, **transactions}
    return [found.get(one) or _unknown(one) for one in dict.fromkeys(selection.ids)]


def plan_message(row: MessageRow) -> Planned:
    """What happens to a message."""
    waits = row.state == "kept"
    what = "nothing: it has not been translated yet" if waits else "offered to the mapping again"
    about = f"{row.connection} {row.stream} {row.delivery_id}"
    state = f"{row.state} ({row.note})" if row.note else row.state
    return Planned(id=row.message_id, kind="message", state=state, about=about, will=not waits, what=what)


def plan_transaction(row: TransactionRow) -> Planned:
    """What happens to a transaction."""
    will, what = _fate(row)
    about = f"{row.subject} {row.party}".strip()
    return Planned(id=row.transaction_id, kind="transaction", state=row.state, about=about, will=will, what=what)


class Replays:
    """Does what the preview showed."""

    def __init__(self, parts: ReplayParts) -> None:
        self._parts = parts

    async def run(self, selection: Selection, *, tenant: str, actor: str) -> list[Planned]:
        """Replay; returns what was done with each. Raises like `preview`."""
        planned = await self._parts.database.read(lambda connection: preview(connection, selection, tenant=tenant))
        done: dict[str, Planned] = {}
        for kind, again in (("message", self._messages), ("transaction", self._transactions)):
            ids = [one.id for one in planned if one.kind == kind and one.will]
            for start in range(0, len(ids), _CHUNK):
                done.update(await again(ids[start : start + _CHUNK], tenant=tenant, actor=actor))
        return [done.get(one.id, one) for one in planned]

    async def _messages(self, ids: Sequence[str], *, tenant: str, actor: str) -> dict[str, Planned]:
        """Looked at again once no other command is at work, so that of two people one does it and one is told."""
        planned: dict[str, Planned] = {}

        async def act() -> None:
            rows = await self._parts.database.read(lambda connection: _messages(connection, ids, tenant=tenant))
            planned.update({row.message_id: plan_message(row) for row in rows})
            taken = [row for row in rows if planned[row.message_id].will]
            about = [row.message_id for row in taken]
            items = await self._parts.database.read(lambda connection: _open_items(connection, about))
            changes, now = Changes(), self._parts.clock.now_ms()
            for row in taken:
                changes.put(inbox_table, _replace(row, state="kept", note=""))
                record(changes, _replayed_message(row, actor=actor, at_ms=now))
            for item in items:
                close_item(changes, item, actor=actor, at_ms=now, state="released")
            if changes:
                await self._parts.writer.commit(changes, at="replay.messages")

        await self._parts.engine.alone([], act)
        self._parts.reread()
        return planned

    async def _transactions(self, ids: Sequence[str], *, tenant: str, actor: str) -> dict[str, Planned]:
        planned: dict[str, Planned] = {}

        async def act() -> None:
            rows = await self._parts.database.read(lambda connection: _driven(connection, ids, tenant=tenant))
            changes, now = Changes(), self._parts.clock.now_ms()
            for row in rows:
                planned[row.transaction_id] = plan_transaction(row)
                if planned[row.transaction_id].will:
                    changes.put(transaction_table, _again(row, now))
                    lanes.wake(changes, row.lane)
                    record(changes, _replayed_transaction(row, actor=actor, at_ms=now))
            if changes:
                await self._parts.writer.commit(changes, at="replay.transactions")

        await self._parts.engine.alone(ids, act)
        return planned


def _require_filter(selection: Selection) -> None:
    narrowed = bool(selection.ids or selection.connection or selection.quarantined)
    if not narrowed and selection.since_ms is None and selection.until_ms is None:
        raise Refused(
            "replaying everything that ever arrived is refused; nothing narrows it",
            code="replay.no_filter",
            hint="name ids, or give --quarantined, --connection, --since or --until",
        )
    if len(selection.ids) > _IDS_MAX:
        raise Refused(
            f"{len(selection.ids)} ids are too many; expected at most {_IDS_MAX}",
            code="replay.too_many",
            hint="use a time range",
        )


def _fate(row: TransactionRow) -> tuple[bool, str]:
    """Whether driving a transaction again makes sense, and why or why not."""
    if row.state == "exception":
        return False, "nothing: it is parked; mend the cause and use `accordant exception retry`"
    if row.state in {"compensated", "cancelled"}:
        return False, f"nothing: it is {row.state}, and stays so"
    if row.due_rank is not None:
        return False, "nothing: it is being driven already"
    if row.turn == lanes.WAITS:
        return False, "nothing: it waits for its turn in its lane"
    return True, "driven again from its memo; confirmed effects are not sent again"


def _again(row: TransactionRow, now_ms: int) -> TransactionRow:
    """Driven now where it has the turn of its lane; else it queues, so that no two of a lane run side by side."""
    has_turn = row.turn == lanes.HAS_TURN
    return _replace(
        row,
        state="running" if has_turn else "waiting",
        waiting_for="" if has_turn else "lane",
        turn=lanes.HAS_TURN if has_turn else lanes.WAITS,
        due_rank=rank(Priority(row.priority), arrived_ms=now_ms) if has_turn else None,
        wake_at_ms=None,
        expects_type="",
        expects_subject="",
        changed_at_ms=now_ms,
        ended_at_ms=None,
    )


def _unknown(one: str) -> Planned:
    return Planned(
        id=one, kind="unknown", state="", about="", will=False, what="nothing: no message or transaction has this id"
    )


def _selected(connection: Connection, selection: Selection, *, tenant: str) -> list[MessageRow]:
    conditions: list[ColumnElement[bool]] = [_m.tenant == tenant]
    if selection.since_ms is not None:
        conditions.append(_m.received_at_ms >= selection.since_ms)
    if selection.until_ms is not None:
        conditions.append(_m.received_at_ms < selection.until_ms)
    if selection.connection:
        conditions.append(_m.connection == selection.connection)
    if selection.quarantined or not selection.all:
        conditions.append(_m.state == "quarantined")
    query = select(inbox_table).where(*conditions).order_by(_m.received_at_ms, _m.message_id)
    return rows_of(connection, query, MessageRow)


def _messages(connection: Connection, ids: Sequence[str], *, tenant: str) -> list[MessageRow]:
    query = select(inbox_table).where(_m.message_id.in_(ids), _m.tenant == tenant)
    return rows_of(connection, query, MessageRow)


def _driven(connection: Connection, ids: Sequence[str], *, tenant: str) -> list[TransactionRow]:
    columns = transaction_table.c
    query = select(transaction_table).where(columns.transaction_id.in_(ids), columns.tenant == tenant)
    return rows_of(connection, query, TransactionRow)


def _open_items(connection: Connection, message_ids: Sequence[str]) -> list[ExceptionRow]:
    item = exception_table.c
    query = select(exception_table).where(item.message_id.in_(message_ids), item.state == "open")
    return rows_of(connection, query, ExceptionRow)


def _replayed_message(row: MessageRow, *, actor: str, at_ms: int) -> AuditEntry:
    return AuditEntry(
        at_ms=at_ms,
        tenant=row.tenant,
        correlation_id=row.correlation_id,
        action="message.replayed",
        subject=row.message_id,
        actor=actor,
        detail={"state": row.state, "note": row.note},
    )


def _replayed_transaction(row: TransactionRow, *, actor: str, at_ms: int) -> AuditEntry:
    return AuditEntry(
        at_ms=at_ms,
        tenant=row.tenant,
        correlation_id=row.correlation_id,
        transaction_id=row.transaction_id,
        action="transaction.replayed",
        subject=row.subject,
        actor=actor,
        detail={"state": row.state},
    )
