"""What the ledger knows of the records that are read back: who wrote them last, and who may be writing them now."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, and_, func, select

from accordant.backbone.ledger.entries import MAYBE_APPLIED
from accordant.backbone.rows import EffectRow, TransactionRow, effect_table, transaction_table
from accordant.kernel.database import rows_of

_e = effect_table.c

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
    waiting = select(func.min(_e.kind)).where(_e.state == "confirmed", _e.checked == "", _e.system == system)
    while (kind := connection.execute(waiting.where(_e.kind > (kinds[-1] if kinds else ""))).scalar()) is not None:
        kinds.append(kind)
    return kinds


def batch_to_read(connection: Connection, system: str, *, kind: str, limit: int) -> Batch:
    query = (
        select(effect_table)
        .where(_e.state == "confirmed", _e.checked == "", _e.system == system, _e.kind == kind)
        .order_by(_e.confirmed_at_ms)
        .limit(limit)
    )
    effects = rows_of(connection, query, EffectRow)
    wanted = {one.transaction_id for one in effects}
    rows = select(transaction_table).where(transaction_table.c.transaction_id.in_(wanted))
    return Batch(
        effects=effects,
        latest=_latest(connection, system, kind=kind, business_ids={one.business_id for one in effects}),
        rows={one.transaction_id: one for one in rows_of(connection, rows, TransactionRow)},
    )


def _latest(connection: Connection, system: str, *, kind: str, business_ids: Iterable[str]) -> dict[Record, list[Last]]:
    """The confirmed effects that wrote each record last."""
    of_these = and_(_e.business_id.in_(business_ids), _e.kind == kind, _e.system == system, _e.state == "confirmed")
    last = (
        select(_e.tenant, _e.business_id, func.max(_e.confirmed_at_ms).label("at_ms"))
        .where(of_these)
        .group_by(_e.tenant, _e.business_id)
        .subquery()
    )
    same = and_(last.c.tenant == _e.tenant, last.c.business_id == _e.business_id, last.c.at_ms == _e.confirmed_at_ms)
    found: dict[Record, list[Last]] = {}
    columns = select(_e.tenant, _e.business_id, _e.transaction_id, _e.name, _e.version, _e.n, _e.expected)
    for effect in rows_of(connection, columns.join(last, same).where(of_these), Last):
        found.setdefault(record_of(effect), []).append(effect)
    return found


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
