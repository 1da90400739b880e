"""Which record of which system is which customer, subscription or order of ours; each pair exists once."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Table, Text, UniqueConstraint, select

from accordant.kernel.database import Lookup, metadata

_CHUNK = 500


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
    for chunk in _chunks(canonical_ids):
        query = select(_c.canonical_id, _c.system, _c.native_id).where(
            _c.tenant == tenant, _c.noun == noun, _c.canonical_id.in_(chunk)
        )
        for canonical_id, system, native_id in connection.execute(query):
            found.setdefault(canonical_id, {})[system] = native_id
    return found


def canonicals_of(
    connection: Connection, tenant: str, *, noun: str, system: str, native_ids: Iterable[str]
) -> dict[str, str]:
    """Native id → our id, for many records of one system at once; records that are not ours are absent."""
    found: dict[str, str] = {}
    for chunk in _chunks(native_ids):
        query = select(_c.native_id, _c.canonical_id).where(
            _c.tenant == tenant, _c.noun == noun, _c.system == system, _c.native_id.in_(chunk)
        )
        found.update(connection.execute(query).all())
    return found


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


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    every = list(dict.fromkeys(ids))
    for start in range(0, len(every), _CHUNK):
        yield every[start : start + _CHUNK]
