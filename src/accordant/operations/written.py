"""What the ledger knows of the records that are read back: who wrote them last, and who may be writing them now."""

import math
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Integer, and_, func, select

from accordant.backbone.ledger.entries import MAYBE_APPLIED
from accordant.backbone.rows import EffectRow, TransactionRow, effect_table, transaction_table
from accordant.kernel.database import Query, as_struct, first_column, given, one_of

_e = effect_table.c

_THESE = and_(
    one_of(_e.business_id, "business_ids"),
    _e.kind == given("kind"),
    _e.system == given("system"),
    _e.state == "confirmed",
)
_UNREAD = and_(_e.state == "confirmed", _e.checked == "", _e.system == given("system"))
_NEXT_KIND = Query(select(func.min(_e.kind)).where(_UNREAD, _e.kind > given("after")), first_column)
_UNVERIFIED = Query(
    select(effect_table)
    .where(_UNREAD, _e.kind == given("kind"))
    .order_by(_e.confirmed_at_ms)
    .limit(given("limit", type_=Integer)),
    as_struct(EffectRow),
)
_TRANSACTIONS = Query(
    select(transaction_table).where(one_of(transaction_table.c.transaction_id, "ids")), as_struct(TransactionRow)
)

Record = tuple[str, str]
"""Tenant and business id; system and kind are those of the batch."""
Suspect = tuple[str, str, int]


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """A confirmed effect that was the last to write its record, with what tells it from another one."""

    tenant: str
    business_id: str
    transaction_id: str
    name: str
    version: int
    n: int
    expected: str


def _latest() -> Query[Last]:
    """The confirmed effects that wrote each of these records last."""
    last = (
        select(_e.tenant, _e.business_id, func.max(_e.confirmed_at_ms).label("at_ms"))
        .where(_THESE)
        .group_by(_e.tenant, _e.business_id)
        .subquery()
    )
    same = and_(last.c.tenant == _e.tenant, last.c.business_id == _e.business_id, last.c.at_ms == _e.confirmed_at_ms)
    columns = select(_e.tenant, _e.business_id, _e.transaction_id, _e.name, _e.version, _e.n, _e.expected)
    return Query(columns.join(last, same).where(_THESE), as_struct(Last))


_LATEST = _latest()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Effects to verify, of one kind of record in one system."""

    effects: list[EffectRow]
    latest: dict[Record, list[Last]]
    """The last confirmed effect of each record; several, where their instants are the same."""
    rows: dict[str, TransactionRow]


def suspect_of(effect: EffectRow | Last) -> Suspect:
    return effect.transaction_id, effect.name, effect.version


def record_of(effect: EffectRow | Last) -> Record:
    return effect.tenant, effect.business_id


def kinds_to_read(connection: Connection, system: str) -> list[str]:
    """One step in the index for each kind, however many effects wait."""
    kinds: list[str] = []
    while (kind := _NEXT_KIND.first(connection, system=system, after=kinds[-1] if kinds else "")) is not None:
        kinds.append(kind)
    return kinds


def batch_to_read(connection: Connection, system: str, *, kind: str, limit: int) -> Batch:
    effects = _UNVERIFIED.all(connection, system=system, kind=kind, limit=limit)
    wanted, records = {one.transaction_id for one in effects}, {one.business_id for one in effects}
    latest: dict[Record, list[Last]] = {}
    for one in _LATEST.all(connection, system=system, kind=kind, business_ids=records):
        latest.setdefault(record_of(one), []).append(one)
    rows = {one.transaction_id: one for one in _TRANSACTIONS.all(connection, ids=wanted)}
    return Batch(effects=effects, latest=latest, rows=rows)


def may_be_moving(
    connection: Connection, effects: Sequence[EffectRow], *, rows: Mapping[str, TransactionRow]
) -> set[Suspect]:
    """Those whose record may be being written, or was written since: nothing can be said about them yet.

    What is sent is written down with the next group, so that a transaction that is due may have sent more than the
    ledger tells.
    """
    if not effects:
        return set()
    tx, lanes = transaction_table.c, {rows[one.transaction_id].lane for one in effects}
    due = set(connection.execute(select(tx.lane).where(tx.lane.in_(lanes), tx.due_rank.is_not(None))).scalars())
    query = select(_e.tenant, _e.business_id, _e.confirmed_at_ms, _e.state).where(
        _e.business_id.in_({one.business_id for one in effects}),
        _e.kind == effects[0].kind,
        _e.system == effects[0].system,
        _e.state.in_(MAYBE_APPLIED) | (_e.confirmed_at_ms > min(one.confirmed_at_ms or 0 for one in effects)),
    )
    written: dict[Record, float] = {}
    for tenant, business_id, at_ms, state in connection.execute(query):
        at = math.inf if state in MAYBE_APPLIED else at_ms
        written[tenant, business_id] = max(at, written.get((tenant, business_id), 0))
    return {
        suspect_of(one)
        for one in effects
        if rows[one.transaction_id].lane in due or written.get(record_of(one), 0) > (one.confirmed_at_ms or 0)
    }
