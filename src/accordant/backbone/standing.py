"""How far the transactions of one source record have come."""

import msgspec
from sqlalchemy import Connection, or_, select

from accordant.backbone.lanes import LEFT
from accordant.backbone.rows import TransactionRow, event_table, transaction_table


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


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that was told about the subject of a transaction."""

    event_id: str
    data: str
    """The fact as JSON."""


def newest_said(connection: Connection, row: TransactionRow, *, event_type: str) -> Said:
    """The last word of a type about a transaction's subject since its own fact happened; empty where there is none."""
    event, own = event_table.c, event_table.alias("own").c
    began_ms = select(own.at_ms).where(own.event_id == row.event_id).scalar_subquery()
    query = (
        select(event.event_id, event.data)
        .where(event.subject == row.subject, event.type == event_type, event.tenant == row.tenant)
        .where(or_(event.published_at_ms >= row.opened_at_ms, event.at_ms >= began_ms))
        .order_by(event.sequence.desc(), event.published_at_ms.desc())
        .limit(1)
    )
    found = connection.execute(query).one_or_none()
    return Said(event_id=found.event_id, data=found.data) if found else Said(event_id="", data="")
