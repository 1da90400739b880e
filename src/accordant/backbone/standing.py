"""How far the transactions of one source record have come."""

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.lanes import LEFT
from accordant.backbone.rows import event_table, transaction_table


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction that an event about the record began."""

    transaction_id: str
    flow: str
    state: str
    effects: int
    untouched: bool
    """Stopped by a check, with nothing of it in any system."""


def of_subject(connection: Connection, tenant: str, *, subject: str, flow: str) -> list[Standing]:
    """The transactions of one flow about a business id, oldest first."""
    tx = transaction_table.c
    query = (
        select(tx.transaction_id, tx.flow, tx.state, tx.effects, tx.turn)
        .where(tx.subject == subject, tx.tenant == tenant, tx.flow == flow)
        .order_by(tx.opened_at_ms)
    )
    return [
        Standing(
            transaction_id=row.transaction_id,
            flow=row.flow,
            state=row.state,
            effects=row.effects,
            untouched=row.state == "exception" and row.turn == LEFT,
        )
        for row in connection.execute(query)
    ]


def newest_event(connection: Connection, tenant: str, *, event_id: str, types: list[str]) -> str | None:
    """The newest event of these types about the record that an event is about."""
    event = event_table.c
    source = connection.execute(select(event.source).where(event.event_id == event_id)).scalar_one()
    query = (
        select(event.event_id)
        .where(event.source == source, event.tenant == tenant, event.type.in_(types))
        .order_by(event.sequence.desc(), event.published_at_ms.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
