"""Verification reads back, in batches and in the background, what each system really holds; only that shows green."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog
from sqlalchemy import Connection, func, select

from accordant.backbone import exceptions
from accordant.backbone.rows import (
    EffectRow,
    TransactionRow,
    effect_table,
    transaction_table,
)
from accordant.canonical.operation import Facts, ReadRef, SystemPort
from accordant.governance.policies import Policies
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.errors import AccordantError, Retryable, Terminal, Unknown
from accordant.telemetry.audit import AuditEntry, record

log = structlog.get_logger("verification")
_BATCH = 100
_PAUSE_S = 0.5
_SECOND_LOOK_MS = 2_000
_replace = msgspec.structs.replace
_e = effect_table.c


class Verifier:
    """Reads back confirmed effects and compares them with what they should have left."""

    def __init__(
        self,
        *,
        database: Database,
        writer: Writer,
        clock: Clock,
        ports: Mapping[str, SystemPort],
        policies: Callable[[], Policies],
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._ports = ports
        self._policies = policies
        self._suspects: dict[tuple[str, str, int], int] = {}
        """Effects whose record looked different once, and when: a write may be under way, so they are read again."""

    async def run(self) -> None:
        """Verify for ever, each system at its own pace: a slow one holds up no other."""
        await asyncio.gather(*(self._keep_verifying(system) for system in self._ports))

    async def _keep_verifying(self, system: str) -> None:
        """Pauses when there is nothing to verify or the system cannot be read now."""
        while True:
            try:
                worked = await self.step(system)
            except (Retryable, Unknown) as later:
                log.info("verification.postponed", error=later.code)
                worked = 0
            if not worked:
                await asyncio.sleep(_PAUSE_S)

    async def step(self, system: str) -> int:
        """Verify one batch of each kind of record of a system; returns how many effects were settled."""
        kinds = await self._database.read(lambda connection: _waiting(connection, system))
        done = 0
        for kind in kinds:
            done += await self._verify(system, kind)
        return done

    async def _verify(self, system: str, kind: str) -> int:
        effects = await self._database.read(lambda connection: _batch(connection, system, kind=kind))
        newest = await self._database.read(lambda connection: _newest(connection, effects))
        rows = await self._database.read(lambda connection: _transactions(connection, effects))
        changes = Changes()
        current = [one for one in effects if newest.get((one.business_id, one.kind)) == one.confirmed_at_ms]
        now = self._clock.now_ms()
        for one in effects:
            if one not in current:
                note = "a later effect changed the record"
                changes.put(effect_table, _replace(one, checked="superseded", checked_at_ms=now, check_note=note))
        settled = len(effects) - len(current)
        if current:
            refs = [ReadRef(kind=kind, native_id=one.native_id, business_id=one.business_id) for one in current]
            held = await self._ports[system].read_back(kind, refs)
            for one in current:
                settled += self._settle(changes, one, row=rows[one.transaction_id], held=held.get(one.native_id))
        if changes:
            await self._writer.commit(changes)
        return settled

    def _settle(self, changes: Changes, effect: EffectRow, *, row: TransactionRow, held: Facts | None) -> int:
        now = self._clock.now_ms()
        expected: Facts = msgspec.json.decode(effect.expected)
        differing = ["(absent)"] if held is None else [name for name in expected if held.get(name) != expected[name]]
        suspect = (effect.transaction_id, effect.name, effect.version)
        if differing and now - self._suspects.setdefault(suspect, now) < _SECOND_LOOK_MS:
            return 0
        self._suspects.pop(suspect, None)
        action = "effect.different" if differing else "effect.verified"
        note = "; ".join(_difference(name, expected, held=held) for name in differing)[:500]
        changes.put(
            effect_table,
            _replace(effect, checked=action.partition(".")[2], checked_at_ms=now, check_note=note),
        )
        record(
            changes,
            AuditEntry(
                at_ms=now,
                tenant=effect.tenant,
                correlation_id=row.correlation_id,
                transaction_id=effect.transaction_id,
                action=action,
                subject=effect.name,
                detail={"native_id": effect.native_id, "note": note},
            ),
        )
        if differing:
            problem = _differs(effect, note)
            found = exceptions.Found(problem=problem, step=effect.name, policies=self._policies())
            exceptions.open_item(changes, exceptions.of_transaction(row, found, clock=self._clock))
        return 1


def _difference(name: str, expected: Facts, *, held: Facts | None) -> str:
    if held is None:
        return "the system does not hold the record"
    return f"{name}: should be {expected[name]!r}, is {held.get(name)!r}"


def _differs(effect: EffectRow, note: str) -> AccordantError:
    return Terminal(
        f"{effect.connection} confirmed {effect.verb} of {effect.business_id}, but holds something else: {note}",
        code="readback.different",
        hint=f"look at {effect.native_id} in {effect.connection}; somebody may have changed it past the platform",
        detail={"system": effect.system, "verb": effect.verb, "vendor_code": "readback"},
    )


def _waiting(connection: Connection, system: str) -> list[str]:
    query = select(_e.kind).where(_e.state == "confirmed", _e.checked == "", _e.system == system).distinct()
    return list(connection.execute(query).scalars())


def _batch(connection: Connection, system: str, *, kind: str) -> list[EffectRow]:
    query = (
        select(effect_table)
        .where(_e.state == "confirmed", _e.checked == "", _e.system == system, _e.kind == kind)
        .order_by(_e.confirmed_at_ms)
        .limit(_BATCH)
    )
    return [EffectRow(**row) for row in connection.execute(query).mappings()]


def _newest(connection: Connection, effects: Sequence[EffectRow]) -> dict[tuple[str, str], int]:
    """When each record was last written by a confirmed effect."""
    query = (
        select(_e.business_id, _e.kind, func.max(_e.confirmed_at_ms))
        .where(_e.business_id.in_({one.business_id for one in effects}), _e.state == "confirmed")
        .where(_e.system == effects[0].system)
        .group_by(_e.business_id, _e.kind)
    )
    return {(business_id, kind): at_ms for business_id, kind, at_ms in connection.execute(query).tuples()}


def _transactions(connection: Connection, effects: Sequence[EffectRow]) -> dict[str, TransactionRow]:
    wanted = {one.transaction_id for one in effects}
    query = select(transaction_table).where(transaction_table.c.transaction_id.in_(wanted))
    return {row["transaction_id"]: TransactionRow(**row) for row in connection.execute(query).mappings()}


def unverified(connection: Connection) -> int:
    """How many confirmed effects have not been read back yet."""
    return connection.execute(
        select(func.count()).select_from(effect_table).where(_e.state == "confirmed", _e.checked == "")
    ).scalar_one()
