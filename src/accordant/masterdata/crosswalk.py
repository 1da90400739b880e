"""Which record of which system is which customer, subscription or order of ours; each pair exists once."""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Table, Text, UniqueConstraint, and_, select

from accordant.kernel.database import Lookup, Query, given, metadata, one_of


class CrosswalkRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of ours in one system."""

    tenant: str
    noun: str
    canonical_id: str
    system: str
    """Role of the system: crm, billing, erp, support."""
    native_id: str
    connection: str
    since_ms: int
    transaction_id: str


crosswalk_table = Table(
    "crosswalk",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("noun", Text, primary_key=True),
    Column("canonical_id", Text, primary_key=True),
    Column("system", Text, primary_key=True),
    Column("native_id", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("transaction_id", Text, nullable=False),
    UniqueConstraint("tenant", "noun", "system", "native_id", name="crosswalk_native"),
)
_c = crosswalk_table.c
_NOUN = and_(_c.tenant == given("tenant"), _c.noun == given("noun"))
_HOLDERS: Query[tuple[str, str, str]] = Query(
    select(_c.canonical_id, _c.system, _c.native_id).where(_NOUN, one_of(_c.canonical_id, "ids")), tuple
)
_CANONICALS: Query[tuple[str, str]] = Query(
    select(_c.native_id, _c.canonical_id).where(_NOUN, _c.system == given("system"), one_of(_c.native_id, "ids")),
    tuple,
)


def natives(tenant: str, noun: str, *, canonical_id: str) -> Lookup[dict[str, str]]:
    """System → native id of one thing; a system that does not hold it is absent."""
    return Lookup(_Holders(tenant, noun), canonical_id, {})


def ours(tenant: str, noun: str, *, system: str, native_id: str) -> Lookup[str]:
    """Our id of a system's record; empty where it is not ours."""
    return Lookup(_Canonicals(tenant, noun, system), native_id, "")


def canonical_of(connection: Connection, tenant: str, *, noun: str, system: str, native_id: str) -> str | None:
    """Our id of a system's record, or None where it is not ours."""
    found = canonicals_of(connection, tenant, noun=noun, system=system, native_ids=[native_id])
    return found.get(native_id)


def holders(
    connection: Connection, tenant: str, *, noun: str, canonical_ids: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Canonical id → system → native id, for many things at once; a thing no system holds is absent."""
    found: dict[str, dict[str, str]] = {}
    for canonical_id, system, native_id in _HOLDERS.all(connection, tenant=tenant, noun=noun, ids=set(canonical_ids)):
        found.setdefault(canonical_id, {})[system] = native_id
    return found


def canonicals_of(
    connection: Connection, tenant: str, *, noun: str, system: str, native_ids: Iterable[str]
) -> dict[str, str]:
    """Native id → our id, for many records of one system at once; records that are not ours are absent."""
    return dict(_CANONICALS.all(connection, tenant=tenant, noun=noun, system=system, ids=set(native_ids)))


class _Holders(msgspec.Struct, frozen=True):
    tenant: str
    noun: str

    def __call__(self, connection: Connection, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        return holders(connection, self.tenant, noun=self.noun, canonical_ids=keys)


class _Canonicals(msgspec.Struct, frozen=True):
    tenant: str
    noun: str
    system: str

    def __call__(self, connection: Connection, keys: Sequence[str]) -> dict[str, str]:
        return canonicals_of(connection, self.tenant, noun=self.noun, system=self.system, native_ids=keys)
