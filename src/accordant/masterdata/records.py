"""The canonical records the platform agreed on, version by version: customers, contracts, subscriptions, orders."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, Table, Text, and_, func, select

from accordant.kernel.database import Database, Lookup, Query, as_struct, given, metadata, one_of, rows_of


class RecordRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one record. `body` is the canonical struct as JSON."""

    tenant: str
    noun: str
    canonical_id: str
    version: int
    """Rises with every change; a subscription takes the number of the contract version that changed it."""
    body: str
    at_ms: int
    transaction_id: str


record_table = Table(
    "record",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("noun", Text, primary_key=True),
    Column("canonical_id", Text, primary_key=True),
    # Last in the key, so that the key's own index, read backwards, answers `latest` with one row.
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("transaction_id", Text, nullable=False),
)
_c = record_table.c
_NOUN = and_(_c.tenant == given("tenant"), _c.noun == given("noun"))
_newest = (
    select(_c.canonical_id, func.max(_c.version).label("version"))
    .where(_NOUN, one_of(_c.canonical_id, "ids"))
    .group_by(_c.canonical_id)
    .subquery()
)
_LATEST = Query(
    select(record_table).join(
        _newest, and_(_NOUN, _c.canonical_id == _newest.c.canonical_id, _c.version == _newest.c.version)
    ),
    as_struct(RecordRow),
)


def latest_body(tenant: str, noun: str, *, canonical_id: str) -> Lookup[str]:
    """The newest version as JSON; empty where the record was never written."""
    return Lookup(_Bodies(tenant, noun), canonical_id, "")


class _Bodies(msgspec.Struct, frozen=True):
    tenant: str
    noun: str

    def __call__(self, connection: Connection, keys: Sequence[str]) -> dict[str, str]:
        found = latest_of(connection, self.tenant, noun=self.noun, canonical_ids=keys)
        return {key: row.body for key, row in found.items()}


class _Rows(msgspec.Struct, frozen=True):
    tenant: str
    noun: str

    def __call__(self, connection: Connection, keys: Sequence[str]) -> dict[str, RecordRow | None]:
        return dict(latest_of(connection, self.tenant, noun=self.noun, canonical_ids=keys))


async def left_by_others(ours: Database, tenant: str, *, noun: str, canonical_id: str, transaction_id: str) -> str:
    """The newest version that another transaction wrote, as JSON; empty where there is none.

    A retry begins with what its transaction began with, whatever that kept meanwhile.
    """
    wanted: Lookup[RecordRow | None] = Lookup(_Rows(tenant, noun), canonical_id, None)
    newest = await ours.find(wanted)
    if newest is None or newest.transaction_id != transaction_id:
        return newest.body if newest else ""
    versions = await ours.read(lambda connection: history(connection, tenant, noun=noun, canonical_id=canonical_id))
    return next((row.body for row in reversed(versions) if row.transaction_id != transaction_id), "")


def latest_of(connection: Connection, tenant: str, *, noun: str, canonical_ids: Iterable[str]) -> dict[str, RecordRow]:
    """The newest version of many records at once, by canonical id; records never written are absent."""
    found = _LATEST.all(connection, tenant=tenant, noun=noun, ids=set(canonical_ids))
    return {row.canonical_id: row for row in found}


def history(connection: Connection, tenant: str, *, noun: str, canonical_id: str) -> list[RecordRow]:
    """Every version, oldest first."""
    query = (
        select(record_table)
        .where(_c.tenant == tenant, _c.noun == noun, _c.canonical_id == canonical_id)
        .order_by(_c.version)
    )
    return rows_of(connection, query, RecordRow)
