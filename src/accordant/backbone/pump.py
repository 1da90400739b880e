"""The pump takes kept messages out of the inbox, has them translated, and publishes what they tell.

A message that cannot be translated is parked with its reason and shown; it blocks nobody. Whether a record says
something new is decided against its watermark: the newest version read, and the digest of its commercial content.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog
from sqlalchemy import func, select

from accordant.backbone import exceptions
from accordant.backbone.inbox import CONFLICT, message_of, unread
from accordant.backbone.message import Ignored, Message, Told
from accordant.backbone.outbox import event_of
from accordant.backbone.router import Router, require_authority
from accordant.backbone.rows import MessageRow, WatermarkRow, inbox_table, transaction_table, watermark_table
from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock
from accordant.kernel.database import (
    Changes,
    Database,
    NotCommitted,
    NotRead,
    Query,
    Unstorable,
    Writer,
    as_struct,
    given,
    one_of,
)
from accordant.kernel.errors import AccordantError, Malformed, Terminal
from accordant.kernel.failpoints import around

log = structlog.get_logger("pump")
_BATCH = 256
_w = watermark_table.c
_place = select(func.max(transaction_table.c.lane_seq)).where(transaction_table.c.event_id == _w.event_id)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """How messages of one connection are understood."""

    role: str
    translate: Callable[[Message], "list[Told] | Ignored"]


class PumpParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the pump works with."""

    database: Database
    writer: Writer
    clock: Clock
    router: Router
    sources: Mapping[str, Source]
    estate: Callable[[], Estate]


class Mark(msgspec.Struct, frozen=True):
    """The newest version read of a record, and the place in its lane that what it told has."""

    row: WatermarkRow
    place: int


Watermarks = dict[str, Mark]
_watermark = as_struct(WatermarkRow)
_WATERMARKS = Query(
    select(watermark_table, _place.scalar_subquery()).where(
        _w.tenant == given("tenant"), one_of(_w.source_record, "records")
    ),
    lambda row: Mark(_watermark(row[:-1]), row[-1] or 0),
)


class Pump:
    """Translates and publishes, in batches, for ever."""

    def __init__(self, parts: PumpParts, *, on_published: Callable[[], None]) -> None:
        self._parts = parts
        self._on_published = on_published
        self._kick = asyncio.Event()

    def nudge(self) -> None:
        """There may be something new in the inbox."""
        self._kick.set()

    async def run(self, *, look_again_s: float = 1.0) -> None:
        """Work until cancelled; looks by itself now and then, so that a missed nudge delays and never loses."""
        while True:
            self._kick.clear()
            if not await self._step_or_pause():
                with contextlib.suppress(TimeoutError):  # `wait_for` may lose a cancellation
                    async with asyncio.timeout(look_again_s):
                        await self._kick.wait()

    async def _step_or_pause(self) -> int:
        try:
            return await self.step()
        except (NotCommitted, NotRead) as later:
            log.warning("pump.postponed", error=later.message)
            return 0

    async def step(self) -> int:
        """Publish one batch; returns how many messages were handled."""
        with around("pump.read"):
            rows = await self._parts.database.read(lambda connection: unread(connection, _BATCH))
        if not rows:
            return 0
        try:
            await self._publish_all(rows)
        except Unstorable:  # one of them holds a value the database cannot take; find it, and let the others pass
            for row in rows:
                await self._publish_alone(row)
        self._on_published()
        return len(rows)

    async def _publish_alone(self, row: MessageRow) -> None:
        try:
            await self._publish_all([row])
        except Unstorable as problem:
            changes = Changes()
            self._quarantine(changes, row, problem=problem)
            await self._parts.writer.commit(changes, at="pump.quarantine")

    async def _publish_all(self, rows: Sequence[MessageRow]) -> None:
        understood = [(row, self._translate(row)) for row in rows]
        records = {told.source_record for _, result in understood if isinstance(result, list) for told in result}
        marks = await self._read_watermarks(rows[0].tenant, sorted(records))
        changes = Changes()
        for row, result in sorted(understood, key=_source_order):
            try:
                mine, read = Changes(), dict(marks)
                self._settle(mine, row, result=result, marks=read)
            except Exception as crash:  # noqa: BLE001 - a flow's description of a fact must not stop the pump either
                mine, read = Changes(), marks
                self._quarantine(
                    mine, row, problem=crash if isinstance(crash, AccordantError) else _crashed(row, crash)
                )
            marks = read
            changes.include(mine)
        await self._parts.writer.commit(changes, at="pump.publish")

    def _translate(self, row: MessageRow) -> "list[Told] | Ignored | AccordantError":
        try:
            if row.note == CONFLICT:
                raise _other_content(row)
            source = self._parts.sources[row.connection]
            told = source.translate(message_of(row))
            if isinstance(told, list):
                for one in told:
                    require_authority(one.fact, role=source.role, connection=row.connection)
            return told
        except AccordantError as problem:
            return problem
        except Exception as crash:  # noqa: BLE001 - a mapping's own bug must park one message, not stop the pump
            return _crashed(row, crash)

    def _settle(
        self, changes: Changes, row: MessageRow, *, result: "list[Told] | Ignored | AccordantError", marks: Watermarks
    ) -> None:
        if isinstance(result, AccordantError):
            self._quarantine(changes, row, problem=result)
            return
        if isinstance(result, Ignored):
            state, note = "ignored", result.reason
        else:
            states = [self._publish(changes, row, told=told, marks=marks) for told in result]
            state = "published" if "published" in states else (states[0] if states else "ignored")
            note = "" if state == "published" else "same_fact" if state == "ignored" else "older_version"
        changes.put(inbox_table, msgspec.structs.replace(row, state=state, note=note))

    def _quarantine(self, changes: Changes, row: MessageRow, *, problem: AccordantError) -> None:
        found = exceptions.Found(problem=problem, step="translate", policies=self._parts.estate().policies)
        exceptions.open_item(changes, exceptions.of_message(row, found, clock=self._parts.clock))
        changes.put(inbox_table, msgspec.structs.replace(row, state="quarantined", note=problem.code))

    def _publish(self, changes: Changes, row: MessageRow, *, told: Told, marks: Watermarks) -> str:
        before = marks.get(told.source_record)
        mark, after = (before.row, before.place) if before else (None, 0)
        if mark and told.sequence < mark.sequence:
            return "superseded"
        if mark and told.content == mark.content:
            marks[told.source_record] = Mark(msgspec.structs.replace(mark, sequence=told.sequence), after)
            changes.put(watermark_table, marks[told.source_record].row)
            return "ignored"
        if mark is None and told.needs_earlier:
            return "ignored"
        fact = told.fact.as_correction() if mark else told.fact
        # A correction is named by what it corrects, so that going back to an earlier content is told as well.
        occurrence = f"{mark.event_id}/{told.content}" if mark else "1"
        event = event_of(row, told, fact=fact, occurrence=occurrence, at_ms=self._parts.clock.now_ms())
        version = self._parts.estate().version
        opened = self._parts.router.route(changes, event, fact=fact, estate_version=version, after=after)
        read = WatermarkRow(
            tenant=row.tenant,
            source_record=told.source_record,
            sequence=told.sequence,
            content=told.content,
            event_id=event.event_id,
        )
        marks[told.source_record] = Mark(read, max((one.lane_seq for one in opened), default=after))
        changes.put(watermark_table, read)
        return "published"

    async def _read_watermarks(self, tenant: str, records: Sequence[str]) -> Watermarks:
        if not records:
            return {}
        found = await self._parts.database.read(lambda c: _WATERMARKS.all(c, tenant=tenant, records=records))
        return {mark.row.source_record: mark for mark in found}


def _source_order(item: "tuple[MessageRow, list[Told] | Ignored | AccordantError]") -> tuple[int, str]:
    row, result = item
    if isinstance(result, list) and result:
        return result[0].happened_at_ms, result[0].sequence
    return row.received_at_ms, ""


def _crashed(row: MessageRow, crash: Exception) -> Terminal:
    return Terminal(
        f"translating failed: {type(crash).__name__}: {crash}",
        code="mapping.crashed",
        detail={"cause": f"the mapping of {row.connection} failed with {type(crash).__name__}"},
    )


def _other_content(row: MessageRow) -> Malformed:
    return Malformed(
        f"{row.connection} used the delivery id {row.delivery_id[:100]!r} before, for other content; expected one body "
        "for one id, so this one is kept aside and not acted upon",
        code=CONFLICT,
        hint=f"compare both in the vendor's log; if this one counts as well, `accordant replay {row.message_id}`",
        detail={"cause": f"{row.connection} sent two contents under one delivery id", "sha256": row.body_hash},
    )
