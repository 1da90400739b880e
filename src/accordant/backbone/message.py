"""A message is what arrived, exactly as it arrived, before anyone asked what it means."""

import msgspec

from accordant.canonical.envelope import Fact


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery kept in the inbox: a webhook, or one row of a poll."""

    message_id: str
    tenant: str
    connection: str
    stream: str
    """`webhook`, or the name of the polled stream, such as `Opportunity`."""
    delivery_id: str
    """The vendor's id of the delivery; for polls the record's id and version."""
    body: bytes
    """Raw bytes as received; for polls the row as JSON."""
    received_at_ms: int
    correlation_id: str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One fact that a message tells, before it becomes an event."""

    fact: Fact
    source_record: str
    """Connection, object and native id, such as `salesforce/Opportunity/006…`."""
    subject: str
    """The business id people search for."""
    orderingkey: str
    """Native id of the aggregate whose facts are handled in order, such as the account."""
    happened_at_ms: int
    sequence: str
    """Version of the record at the source, comparable as text within this record."""
    content: str
    """Digest over the commercial fields only: equal content is the same fact told again, for example after
    our own write moved the record's timestamp."""
    needs_earlier: bool = False
    """It only takes something back, such as a hold: of a record that never told anything it tells nothing."""


class Ignored(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is fine and tells nothing we act on, such as an open deal or the echo of our own write."""

    reason: str
    """A short stable word, such as `not_won`, `echo`, `unknown_type`."""
