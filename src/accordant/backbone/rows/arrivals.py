"""What has arrived and what it told: inbox, event log, watermarks, poll cursors."""

import msgspec
from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from accordant.backbone.rows.partial import only_where
from accordant.kernel.database import metadata


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery in the inbox. `state`: kept, published, ignored, superseded or quarantined."""

    message_id: str
    tenant: str
    connection: str
    stream: str
    delivery_id: str
    body: bytes
    body_hash: str
    received_at_ms: int
    correlation_id: str
    state: str
    note: str


inbox_table = Table(
    "inbox",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("note", Text, nullable=False),
)
Index("inbox_unread", inbox_table.c.received_at_ms, **only_where("state = 'kept'"))


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """One canonical event in the log: the outbox from which everything downstream is fed."""

    event_id: str
    tenant: str
    type: str
    source: str
    subject: str
    at_ms: int
    producer: str
    ordering_key: str
    sequence: str
    correlation_id: str
    message_id: str
    published_at_ms: int
    content: str
    data: str


event_table = Table(
    "event",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("producer", Text, nullable=False),
    Column("ordering_key", Text, nullable=False),
    Column("sequence", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("published_at_ms", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("data", Text, nullable=False),
)
Index("event_subject", event_table.c.subject)
Index("event_source", event_table.c.source)


class WatermarkRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version of a source record that has been read."""

    tenant: str
    source_record: str
    sequence: str
    content: str
    event_id: str


watermark_table = Table(
    "watermark",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("source_record", Text, primary_key=True),
    Column("sequence", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("event_id", Text, nullable=False),
)


class CursorRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far a polled stream has been read."""

    connection: str
    stream: str
    cursor: str
    at_ms: int


cursor_table = Table(
    "poll_cursor",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
