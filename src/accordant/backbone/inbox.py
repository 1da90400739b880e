"""The inbox keeps every delivery as it came, once and for ever, before anyone is told that it arrived."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, Integer, func, select

from accordant.backbone.message import Message
from accordant.backbone.rows import MessageRow, inbox_table
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Query, Writer, as_struct, given, one_of
from accordant.kernel.ids import content_hash, digest

_c = inbox_table.c
_UNREAD = Query(
    select(inbox_table)
    .where(_c.state == "kept")
    .order_by(_c.received_at_ms, _c.message_id)
    .limit(given("limit", type_=Integer)),
    as_struct(MessageRow),
)
_HASHES = Query(select(_c.message_id, _c.body_hash).where(one_of(_c.message_id, "ids")), tuple)
WEBHOOK = "webhook"
CONFLICT = "event.id.conflict"
"""Note of a kept message whose delivery id had been used for other content; the pump parks it with an open item."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery proved authentic, or one row of a poll."""

    connection: str
    stream: str
    delivery_id: str
    body: bytes


class Kept(msgspec.Struct, frozen=True):
    """What keeping did with one arrival."""

    message_id: str
    new: bool
    """The first with its delivery id."""
    conflict: bool = False
    """The delivery id was used before for other content; this content is kept beside it, under `message_id`."""


class Inbox:
    """Permanent memory of what was delivered."""

    def __init__(self, *, tenant: str, database: Database, writer: Writer, clock: Clock) -> None:
        self._tenant = tenant
        self._database = database
        self._writer = writer
        self._clock = clock
        self.on_new: Callable[[], None] = lambda: None
        self.duplicates = 0
        self.conflicts = 0

    async def keep(self, arrivals: Sequence[Arrival]) -> list[Kept]:
        """Commit the arrivals; returns when they are durable, so that a 2xx may follow.

        Raises NotCommitted when the database did not take them: the sender must be asked to come again.
        """
        rows = [self._row(arrival) for arrival in arrivals]
        changes = Changes()
        for row in rows:
            changes.add(inbox_table, row)
        committed = await self._writer.commit(changes, at="inbox.keep")
        first = {row.message_id: row for row in reversed(rows)}
        new = [committed.is_new(inbox_table, row.message_id) and first[row.message_id] is row for row in rows]
        if any(new):
            self.on_new()
        if all(new):
            return [Kept(row.message_id, True) for row in rows]
        known = await self._known_hashes([row.message_id for row, is_new in zip(rows, new, strict=True) if not is_new])
        other = [row for row in rows if known.get(row.message_id, row.body_hash) != row.body_hash]
        conflicts = await self._keep_conflicts(other)
        self.duplicates += len(rows) - sum(new) - len(conflicts)
        return [
            Kept(conflicts.get(id(row), row.message_id), is_new, id(row) in conflicts)
            for row, is_new in zip(rows, new, strict=True)
        ]

    async def _keep_conflicts(self, rows: Sequence[MessageRow]) -> dict[int, str]:
        """Commit what came under a delivery id that other content had; gives the id under which each is kept.

        The vendor is told that it arrived, so it must be on disk; which of the two is right is for a person to say.
        """
        if not rows:
            return {}
        changes = Changes()
        kept = {id(row): msgspec.structs.replace(row, message_id=self._id(row, row.body_hash)) for row in rows}
        for row in kept.values():
            changes.add(inbox_table, msgspec.structs.replace(row, note=CONFLICT))
        committed = await self._writer.commit(changes, at="inbox.conflict")
        fresh = {row.message_id for row in kept.values() if committed.is_new(inbox_table, row.message_id)}
        self.conflicts += len(fresh)
        if fresh:
            self.on_new()
        return {key: row.message_id for key, row in kept.items()}

    def _id(self, of: Arrival | MessageRow, version: str) -> str:
        return "msg-" + digest(self._tenant, of.connection, of.stream, of.delivery_id, version)

    def _row(self, arrival: Arrival) -> MessageRow:
        body_hash = content_hash(arrival.body)
        message_id = self._id(arrival, "" if arrival.stream == WEBHOOK else body_hash)
        return MessageRow(
            message_id=message_id,
            tenant=self._tenant,
            connection=arrival.connection,
            stream=arrival.stream,
            delivery_id=arrival.delivery_id,
            body=arrival.body,
            body_hash=body_hash,
            received_at_ms=self._clock.now_ms(),
            correlation_id="cor-" + digest("correlation", message_id)[:20],
            state="kept",
            note="",
        )

    async def _known_hashes(self, message_ids: Sequence[str]) -> dict[str, str]:
        return dict(await self._database.read(lambda connection: _HASHES.all(connection, ids=message_ids)))


def unread(connection: Connection, limit: int) -> list[MessageRow]:
    """Messages nobody has translated yet, oldest first."""
    return _UNREAD.all(connection, limit=limit)


def message_of(row: MessageRow) -> Message:
    """The message as a vendor's mapping sees it."""
    return Message(
        message_id=row.message_id,
        tenant=row.tenant,
        connection=row.connection,
        stream=row.stream,
        delivery_id=row.delivery_id,
        body=row.body,
        received_at_ms=row.received_at_ms,
        correlation_id=row.correlation_id,
    )


def counts_by_state(connection: Connection) -> dict[str, int]:
    """How many messages are kept, published, ignored, superseded and quarantined."""
    columns = inbox_table.c
    query = select(columns.state, func.count().label("n")).group_by(columns.state)
    return {row.state: row.n for row in connection.execute(query)}
