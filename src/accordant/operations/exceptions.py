"""What people do about open items: retry one, or release a whole cause; nothing disappears before it succeeded."""

from collections.abc import Callable, Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, select

from accordant.backbone import lanes, standing
from accordant.backbone.engine.port import Engine
from accordant.backbone.exceptions import close_item
from accordant.backbone.flow import Flows
from accordant.backbone.rows import (
    ExceptionRow,
    MemoRow,
    MessageRow,
    TransactionRow,
    exception_table,
    inbox_table,
    memo_table,
    transaction_table,
)
from accordant.backbone.transaction import DISCARDED, REPINNED
from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.errors import Refused
from accordant.kernel.priority import Priority, rank
from accordant.telemetry.audit import AuditEntry, record

_CHUNK = 200
_replace = msgspec.structs.replace


class DeskParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk works with."""

    database: Database
    writer: Writer
    clock: Clock
    engine: Engine
    flows: Flows


class Desk:
    """Retry and release, under the estate as it is now."""

    def __init__(self, parts: DeskParts, *, estate: Callable[[], Estate], reread: Callable[[], None]) -> None:
        self._parts = parts
        self._estate = estate
        self._reread = reread
        self._flows = parts.flows

    async def retry(self, exception_id: str, *, actor: str) -> int:
        """Try one item again. Raises Refused when it is not open (any more)."""
        items = await self._parts.database.read(
            lambda connection: _items(connection, exception_table.c.exception_id == exception_id)
        )
        if not items:
            raise Refused(
                f"{exception_id} is not an open exception",
                code="exception.not_open",
                hint="list the open ones with `accordant exception list`",
            )
        return await self._again(items, actor)

    async def release(self, cause_group: str, *, actor: str) -> int:
        """Try every open item of a cause again; returns how many."""
        items = await self._parts.database.read(
            lambda connection: _items(connection, exception_table.c.cause_group == cause_group)
        )
        if not items:
            raise Refused(
                f"no open exception has the cause {cause_group}",
                code="exception.not_open",
                hint="list the causes with `accordant exception list`",
            )
        done = 0
        for start in range(0, len(items), _CHUNK):
            done += await self._again(items[start : start + _CHUNK], actor)
        return done

    async def _again(self, items: Sequence[ExceptionRow], actor: str) -> int:
        ids = [item.transaction_id for item in items if item.transaction_id]
        changes = Changes()
        released = 0

        async def act() -> None:
            nonlocal released
            by_id = await self._parts.database.read(lambda connection: _transactions(connection, ids))
            memos = await self._parts.database.read(lambda connection: _memos(connection, ids))
            messages = await self._parts.database.read(
                lambda connection: _messages(connection, [item.message_id for item in items if item.message_id])
            )
            newest = await self._parts.database.read(lambda connection: self._newest_events(connection, by_id.values()))
            for item in items:
                row = by_id.get(item.transaction_id)
                if row is not None and row.state == "exception":
                    corrected = _replace(row, event_id=newest.get(row.transaction_id, row.event_id))
                    self._repin(changes, corrected, memos=memos.get(row.transaction_id, []), actor=actor)
                elif item.message_id in messages:
                    changes.put(inbox_table, _replace(messages[item.message_id], state="kept", note=""))
                else:
                    continue
                close_item(changes, item, actor=actor, at_ms=self._parts.clock.now_ms(), state="released")
                released += 1
            await self._parts.writer.commit(changes)

        await self._parts.engine.alone(ids, act)
        self._reread()
        return released

    def _newest_events(self, connection: Connection, rows: Iterable[TransactionRow]) -> dict[str, str]:
        """A transaction with nothing in any system yet takes the newest correction of its fact."""
        found: dict[str, str] = {}
        for row in rows:
            one = self._flows.named(row.flow)
            if row.turn == lanes.LEFT and one.corrected_by is not None:
                newest = standing.newest_event(
                    connection, row.tenant, event_id=row.event_id, types=[one.on.type, one.corrected_by.type]
                )
                if newest:
                    found[row.transaction_id] = newest
        return found

    def _repin(self, changes: Changes, row: TransactionRow, *, memos: Sequence[MemoRow], actor: str) -> None:
        """Go on under the present estate: decisions are taken again, confirmed effects stay."""
        now, version = self._parts.clock.now_ms(), self._estate().version
        for memo in memos:
            changes.put(memo_table, _replace(memo, kind=DISCARDED))
        changes.put(memo_table, _mark(row, now))
        has_turn = row.turn == lanes.HAS_TURN
        changes.put(
            transaction_table,
            _replace(
                row,
                estate_version=version,
                changed_at_ms=now,
                state="running" if has_turn else "waiting",
                waiting_for="" if has_turn else "lane",
                turn=lanes.HAS_TURN if has_turn else lanes.WAITS,
                lane_seq=row.lane_seq if has_turn else now * 1000,
                due_rank=rank(Priority(row.priority), arrived_ms=row.opened_at_ms) if has_turn else None,
                wake_at_ms=None,
            ),
        )
        lanes.wake(changes, row.lane)
        record(
            changes,
            AuditEntry(
                at_ms=now,
                tenant=row.tenant,
                correlation_id=row.correlation_id,
                transaction_id=row.transaction_id,
                action="transaction.repinned",
                subject=row.subject,
                actor=actor,
                detail={"estate_before": row.estate_version, "estate_now": version},
            ),
        )


def _mark(row: TransactionRow, at_ms: int) -> MemoRow:
    return MemoRow(
        transaction_id=row.transaction_id,
        name=REPINNED,
        n=0,
        kind=DISCARDED,
        input_hash="",
        result="null",
        at_ms=at_ms,
    )


def _items(connection: Connection, condition: ColumnElement[bool]) -> list[ExceptionRow]:
    query = select(exception_table).where(condition, exception_table.c.state == "open")
    return [ExceptionRow(**row) for row in connection.execute(query).mappings()]


def _transactions(connection: Connection, ids: Sequence[str]) -> dict[str, TransactionRow]:
    query = select(transaction_table).where(transaction_table.c.transaction_id.in_(ids))
    return {row["transaction_id"]: TransactionRow(**row) for row in connection.execute(query).mappings()}


def _memos(connection: Connection, ids: Sequence[str]) -> dict[str, list[MemoRow]]:
    found: dict[str, list[MemoRow]] = {}
    query = select(memo_table).where(memo_table.c.transaction_id.in_(ids))
    for row in connection.execute(query).mappings():
        found.setdefault(row["transaction_id"], []).append(MemoRow(**row))
    return found


def _messages(connection: Connection, ids: Sequence[str]) -> dict[str, MessageRow]:
    query = select(inbox_table).where(inbox_table.c.message_id.in_(ids), inbox_table.c.state == "quarantined")
    return {row["message_id"]: MessageRow(**row) for row in connection.execute(query).mappings()}
