"""The outbox is the log of canonical events: what happened, told once, committed with the work it begins."""

import msgspec

from accordant.backbone.message import Told
from accordant.backbone.rows import EventRow, MessageRow
from accordant.canonical.envelope import Event, Fact
from accordant.kernel.ids import digest


def event_of(message: MessageRow, told: Told, *, fact: Fact, occurrence: str, at_ms: int) -> EventRow:
    """The event that a told fact becomes; the same fact told again has the same id."""
    return EventRow(
        event_id="evt-" + digest("event", message.tenant, told.source_record, fact.type, occurrence)[:24],
        tenant=message.tenant,
        type=fact.type,
        source=told.source_record,
        subject=told.subject,
        at_ms=told.happened_at_ms,
        producer=fact.producer,
        ordering_key=told.orderingkey,
        sequence=told.sequence,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        published_at_ms=at_ms,
        content=told.content,
        data=msgspec.json.encode(fact).decode(),
    )


def cloudevent_of(row: EventRow, *, version: int) -> Event:
    """The row in the envelope that leaves the platform."""
    return Event(
        id=row.event_id,
        type=row.type,
        source=row.source,
        subject=row.subject,
        time_ms=row.at_ms,
        tenant=row.tenant,
        producer=row.producer,
        orderingkey=row.ordering_key,
        sequence=row.sequence,
        correlationid=row.correlation_id,
        dataschema=f"{row.type}/{version}",
        data=msgspec.Raw(row.data.encode()),
    )
