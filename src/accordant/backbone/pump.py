"""The pump takes kept messages out of the inbox, has them translated, and publishes what they tell.

A message that cannot be translated is parked with its reason and shown; it blocks nobody. Whether a record says
something new is decided against its watermark: the newest version read, and the digest of its commercial content.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, select, tuple_

from accordant.backbone import exceptions
from accordant.backbone.inbox import message_of, unread
from accordant.backbone.message import Ignored, Message, Told
from accordant.backbone.outbox import event_of
from accordant.backbone.router import Router, require_authority
from accordant.backbone.rows import MessageRow, WatermarkRow, inbox_table, watermark_table
from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.errors import AccordantError, Terminal

_BATCH = 256


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


Watermarks = dict[str, WatermarkRow]


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
            if not await self.step():
                self._kick.clear()
                try:
                    await asyncio.wait_for(self._kick.wait(), look_again_s)
                except TimeoutError:
                    continue

    async def step(self) -> int:
        """Publish one batch; returns how many messages were handled."""
        rows = await self._parts.database.read(lambda connection: unread(connection, _BATCH))
        if not rows:
            return 0
        understood = [(row, self._translate(row)) for row in rows]
        records = {told.source_record for _, result in understood if isinstance(result, list) for told in result}
        marks = await self._read_watermarks(rows[0].tenant, sorted(records))
        changes = Changes()
        for row, result in sorted(understood, key=_source_order):
            self._settle(changes, row, result, marks)
        await self._parts.writer.commit(changes)
        self._on_published()
        return len(rows)

    def _translate(self, row: MessageRow) -> "list[Told] | Ignored | AccordantError":
        try:
            source = self._parts.sources[row.connection]
            told = source.translate(message_of(row))
            if isinstance(told, list):
                for one in told:
                    require_authority(one.fact, role=source.role, connection=row.connection)
            return told
        except AccordantError as problem:
            return problem
        except Exception as crash:  # a mapping's own bug must park one message, not stop the pump
            return Terminal(
                f"translating failed: {type(crash).__name__}: {crash}",
                code="mapping.crashed",
                detail={"cause": f"the mapping of {row.connection} failed with {type(crash).__name__}"},
            )

    def _settle(
        self, changes: Changes, row: MessageRow, result: "list[Told] | Ignored | AccordantError", marks: Watermarks
    ) -> None:
        if isinstance(result, AccordantError):
            found = exceptions.Found(problem=result, step="translate", policies=self._parts.estate().policies)
            exceptions.open_item(changes, exceptions.of_message(row, found, self._parts.clock))
            state, note = "quarantined", result.code
        elif isinstance(result, Ignored):
            state, note = "ignored", result.reason
        else:
            states = [self._publish(changes, row, told, marks) for told in result]
            state = "published" if "published" in states else (states[0] if states else "ignored")
            note = "" if state == "published" else "same_fact" if state == "ignored" else "older_version"
        changes.put(inbox_table, msgspec.structs.replace(row, state=state, note=note))

    def _publish(self, changes: Changes, row: MessageRow, told: Told, marks: Watermarks) -> str:
        mark = marks.get(told.source_record)
        if mark and told.sequence < mark.sequence:
            return "superseded"
        if mark and told.content == mark.content:
            marks[told.source_record] = msgspec.structs.replace(mark, sequence=told.sequence)
            changes.put(watermark_table, marks[told.source_record])
            return "ignored"
        fact = told.fact.as_correction() if mark else told.fact
        occurrence = told.content if mark else "1"
        event = event_of(row, told, fact=fact, occurrence=occurrence, at_ms=self._parts.clock.now_ms())
        self._parts.router.route(changes, event, fact=fact, estate_version=self._parts.estate().version)
        marks[told.source_record] = WatermarkRow(
            tenant=row.tenant,
            source_record=told.source_record,
            sequence=told.sequence,
            content=told.content,
            event_id=event.event_id,
        )
        changes.put(watermark_table, marks[told.source_record])
        return "published"

    async def _read_watermarks(self, tenant: str, records: Sequence[str]) -> Watermarks:
        if not records:
            return {}

        def query(connection: Connection) -> Watermarks:
            columns = watermark_table.c
            found = connection.execute(
                select(watermark_table).where(
                    tuple_(columns.tenant, columns.source_record).in_([(tenant, one) for one in records])
                )
            )
            return {row.source_record: WatermarkRow(**row._mapping) for row in found}  # pyright: ignore[reportPrivateUsage]

        return await self._parts.database.read(query)


def _source_order(item: "tuple[MessageRow, list[Told] | Ignored | AccordantError]") -> tuple[int, str]:
    row, result = item
    if isinstance(result, list) and result:
        return result[0].happened_at_ms, result[0].sequence
    return row.received_at_ms, ""
