"""What people do about open items: retry one, or release a whole cause; nothing disappears before it succeeded."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement

from accordant.backbone import lanes
from accordant.backbone.engine.port import Engine
from accordant.backbone.exceptions import close_item
from accordant.backbone.flow import Flows
from accordant.backbone.router import lane_of
from accordant.backbone.rows import (
    EffectRow,
    EventRow,
    ExceptionRow,
    MemoRow,
    TransactionRow,
    effect_table,
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
from accordant.operations.settling import IN_DOUBT, Finding, doubtful, settle
from accordant.operations.stopped import Stand, open_items, stand_of
from accordant.operations.verification import DIFFERENT
from accordant.telemetry.audit import AuditEntry, record

_CHUNK = 200
_SHOWN = 3
_replace = msgspec.structs.replace


class DeskParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk works with."""

    tenant: str
    """Whose items these are; nobody else's are seen."""
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

    async def retry(self, exception_id: str, *, actor: str) -> int:
        """Try one item again. Raises Refused when it is not open (any more), or nothing can be done about it."""
        found = await self._open(exception_table.c.exception_id == exception_id)
        released, left = await self._again(found, actor) if found else (0, {})
        if exception_id in left:
            raise Refused(
                f"{exception_id} cannot be retried: {left[exception_id]}",
                code="exception.not_retryable",
                hint=f"see where it stands with `accordant exception show {exception_id}`",
            )
        if not released:
            raise Refused(
                f"{exception_id} is not an open exception",
                code="exception.not_open",
                hint="list the open ones with `accordant exception list`",
            )
        return released

    async def settle(self, exception_id: str, *, native_id: str, actor: str) -> int:
        """Say what a doubtful write came to: the record that was found, or an empty id where there is none.

        Raises Refused when the item is not open, or asks about nothing doubtful (any more).
        """
        finding = Finding(native_id=native_id, actor=actor, at_ms=self._parts.clock.now_ms())
        found = await self._open(exception_table.c.exception_id == exception_id)
        released, left = await self._again(found, actor, finding=finding) if found else (0, {})
        if not released:
            why = left.get(exception_id, "it is not an open exception")
            raise Refused(
                f"{exception_id} cannot be settled: {why}",
                code="exception.not_doubtful",
                hint=f"see where it stands with `accordant exception show {exception_id}`",
            )
        return released

    async def release(self, cause_group: str, *, actor: str) -> int:
        """Try every open item of a cause again; returns how many. Raises Refused when any of them had to be left."""
        found = await self._open(exception_table.c.cause_group == cause_group)
        released, left = 0, dict[str, str]()
        for start in range(0, len(found), _CHUNK):
            more, why = await self._again(found[start : start + _CHUNK], actor)
            released, left = released + more, {**left, **why}
        if left:
            shown = "; ".join(f"{exception_id}: {why}" for exception_id, why in list(left.items())[:_SHOWN])
            raise Refused(
                f"{released} released, {len(left)} left open: {shown}",
                code="exception.partly_released",
                hint="look at those that are left with `accordant exception show`",
                detail={"released": released, "left": list(left)},
            )
        if not released:
            raise Refused(
                f"no open exception has the cause {cause_group}",
                code="exception.not_open",
                hint="list the causes with `accordant exception list`",
            )
        return released

    async def _open(self, condition: ColumnElement[bool]) -> list[ExceptionRow]:
        tenant = self._parts.tenant
        return await self._parts.database.read(lambda connection: open_items(connection, tenant, condition=condition))

    async def _again(
        self, items: Sequence[ExceptionRow], actor: str, *, finding: Finding | None = None
    ) -> tuple[int, dict[str, str]]:
        """How many were taken up, and why the others were not; what was closed by somebody else is neither."""
        left: dict[str, str] = {}
        released = 0

        async def act() -> None:
            nonlocal released
            ids = [item.exception_id for item in items]
            fresh = await self._open(exception_table.c.exception_id.in_(ids))
            stand = await self._parts.database.read(
                lambda connection: stand_of(connection, fresh, parts=(self._parts.tenant, self._parts.flows))
            )
            changes = Changes()
            for item in fresh:
                why_not = _settled(changes, item, stand=stand, finding=finding) if finding else ""
                why_not = why_not or self._take_up(changes, item, stand=stand, actor=actor)
                if why_not:
                    left[item.exception_id] = why_not
                    continue
                close_item(changes, item, actor=actor, at_ms=self._parts.clock.now_ms(), state="released")
                released += 1
            if changes:
                await self._parts.writer.commit(changes, at="desk.release")

        await self._parts.engine.alone([item.transaction_id for item in items if item.transaction_id], act)
        self._reread()
        return released, left

    def _take_up(self, changes: Changes, item: ExceptionRow, *, stand: Stand, actor: str) -> str:
        """Put what retrying it means into the commit; else the reason why nothing can be done."""
        if item.code == DIFFERENT:
            return _read_again(changes, stand.confirmed.get((item.transaction_id, item.step), []))
        if item.message_id:
            message = stand.messages.get(item.message_id)
            if message is None:
                return "there is no such message"
            if message.state != "quarantined":
                return f"its message is {message.state}, not quarantined"
            changes.put(inbox_table, _replace(message, state="kept", note=""))
            return ""
        row = stand.transactions.get(item.transaction_id)
        if row is None:
            return "there is no such transaction"
        if row.state != "exception":
            return f"its transaction is {row.state}, not stopped"
        self._repin(changes, row, stand=stand, actor=actor)
        return ""

    def _repin(self, changes: Changes, before: TransactionRow, *, stand: Stand, actor: str) -> None:
        """Go on under the present estate: decisions are taken again, confirmed effects stay."""
        now, version = self._parts.clock.now_ms(), self._estate().version
        for memo in stand.memos.get(before.transaction_id, []):
            changes.put(memo_table, _replace(memo, kind=DISCARDED))
        changes.put(memo_table, _mark(before, now))
        row = _corrected(before, stand.corrections.get(before.transaction_id), flows=self._parts.flows)
        if before.turn == lanes.HAS_TURN and row.lane == before.lane:
            arrived = rank(Priority(row.priority), arrived_ms=row.opened_at_ms)
            place = {"state": "running", "waiting_for": "", "due_rank": arrived}
        else:
            seq = stand.at_end_of(row.lane, now_ms=now)
            place = {"state": "waiting", "waiting_for": "lane", "due_rank": None, "turn": lanes.WAITS, "lane_seq": seq}
        again = {**place, "estate_version": version, "changed_at_ms": now, "wake_at_ms": None}
        changes.put(transaction_table, _replace(row, **again))
        for lane in {before.lane, row.lane}:
            lanes.wake(changes, lane)
        detail: dict[str, Any] = {"estate_before": row.estate_version, "estate_now": version}
        if row.event_id != before.event_id:
            detail |= {"event_before": before.event_id, "event_now": row.event_id}
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
                detail=detail,
            ),
        )


def _settled(changes: Changes, item: ExceptionRow, *, stand: Stand, finding: Finding) -> str:
    """Put what a person found into the commit; else the reason why there is nothing to settle."""
    row, effect = stand.transactions.get(item.transaction_id), doubtful(item, stand.in_the_open)
    if row is None or row.state != "exception" or effect is None:
        return f"it asks about no doubtful write ({item.code})" if item.code != IN_DOUBT else "the doubt is over"
    settle(changes, effect, finding=finding, correlation_id=row.correlation_id)
    return ""


def _corrected(row: TransactionRow, event: EventRow | None, *, flows: Flows) -> TransactionRow:
    """The transaction with the newest words of its fact, in the lane where these belong."""
    if event is None or event.event_id == row.event_id:
        return row
    fact, describe = flows.fact_of(row.flow, event.type, data=event.data), flows.named(row.flow).describe
    worth = describe.worth(fact)
    return _replace(
        row,
        event_id=event.event_id,
        party=describe.party(fact)[:200],
        lane=lane_of(event),
        amount_minor=worth.amount_minor if worth else None,
        currency=worth.currency if worth else "",
    )


def _read_again(changes: Changes, effects: Sequence[EffectRow]) -> str:
    """Have an effect that was found different read back once more; the reason where there is none."""
    for effect in effects:
        if effect.checked == "different":
            changes.put(effect_table, _replace(effect, checked="", checked_at_ms=None, check_note=""))
    return "" if effects else "there is no such confirmed effect to read again"


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
