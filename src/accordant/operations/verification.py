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
)
from accordant.canonical.operation import Facts, ReadRef, SystemPort
from accordant.governance.policies import Policies
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.errors import AccordantError, Retryable, Terminal, Unavailable, Unknown
from accordant.kernel.failpoints import around
from accordant.kernel.ids import digest
from accordant.operations.written import (
    Batch,
    Last,
    Suspect,
    batch_to_read,
    kinds_to_read,
    may_be_moving,
    record_of,
    suspect_of,
)
from accordant.telemetry.audit import AuditEntry, record

log = structlog.get_logger("verification")
DIFFERENT = "readback.different"
"""Code of the open item about an effect whose record is not as it was confirmed."""
_BATCH = 100
_PAUSE_S = 0.5
_UNREADABLE_PAUSE_S = 30.0
_SECOND_LOOK_S = 2.0
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
        self._suspects: dict[tuple[str, str], dict[Suspect, float]] = {}
        """Effects whose record looked different, and when it was last seen: a write may be under way, so that they are
        read again."""

    async def run(self) -> None:
        """Verify for ever, each system at its own pace: a slow one holds up no other."""
        await asyncio.gather(*(self._keep_verifying(system) for system in self._ports))

    async def _keep_verifying(self, system: str) -> None:
        """Pauses unless a whole batch waits: many records cost the system, and us, hardly more than one."""
        while True:
            worked, pause_s = 0, _PAUSE_S
            try:
                worked = await self.step(system)
            except (Retryable, Unknown) as later:
                log.info("verification.postponed", system=system, error=later.code)
                pause_s = max(pause_s, getattr(later, "retry_after_s", None) or 0.0)
            if worked < _BATCH:
                await asyncio.sleep(pause_s)

    async def step(self, system: str) -> int:
        """Verify one batch of each kind of record of a system; returns how many effects were settled.

        Raises Retryable or Unknown when a kind cannot be read now, after the others had their turn.
        """
        kinds = await self._database.read(lambda connection: kinds_to_read(connection, system))
        done, postponed = 0, None
        for kind in kinds:
            try:
                done += await self._verify(system, kind)
            except (Retryable, Unknown) as later:
                postponed = later
        if postponed is not None:
            raise postponed
        return done

    async def _verify(self, system: str, kind: str) -> int:
        suspects = self._suspects.setdefault((system, kind), {})
        began_s = self._clock.monotonic_s()
        young = {one for one, seen_s in suspects.items() if began_s - seen_s < _SECOND_LOOK_S}
        limit = _BATCH + len(young)
        batch = await self._database.read(lambda connection: batch_to_read(connection, system, kind=kind, limit=limit))
        overtaken = [one for one in batch.effects if _overtaken(one, batch.latest[record_of(one)])]
        await self._supersede(overtaken, suspects)
        names = {suspect_of(one) for one in overtaken} | young
        current = [one for one in batch.effects if suspect_of(one) not in names][:_BATCH]
        if not current:
            return len(overtaken)
        refs = {
            one.native_id: ReadRef(kind=kind, native_id=one.native_id, business_id=one.business_id) for one in current
        }
        held = await self._read_back(system, kind, refs=list(refs.values()))
        return len(overtaken) + await self._compare(current, batch, held=held, suspects=suspects)

    async def _read_back(self, system: str, kind: str, *, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        try:
            with around("readback.read"):
                return await self._ports[system].read_back(kind, refs)
        except (Retryable, Unknown):
            raise
        except Exception as failed:  # a refusal, or a bug of the mapping: it must not end the platform
            log.exception("verification.failed", system=system, kind=kind, records=len(refs))
            raise Unavailable(f"{system} cannot be read back: {failed}", retry_after_s=_UNREADABLE_PAUSE_S) from failed

    async def _compare(
        self, current: Sequence[EffectRow], batch: Batch, *, held: dict[str, Facts], suspects: dict[Suspect, float]
    ) -> int:
        """Settle what is as it should be, and what is not at the second look; returns how many were settled."""
        fits: list[EffectRow] = []
        differ: list[EffectRow] = []
        for one in current:
            (differ if _differing(one, held.get(one.native_id)) else fits).append(one)
        overtaken = [one for one in differ if _written_together(one, batch.latest[record_of(one)], held=held)]
        seen_s = self._clock.monotonic_s()
        second_look = [one for one in differ if one not in overtaken and suspect_of(one) in suspects]
        moving = await self._database.read(lambda connection: may_be_moving(connection, second_look, rows=batch.rows))
        proved = [one for one in second_look if suspect_of(one) not in moving]
        suspects.update({suspect_of(one): seen_s for one in differ})
        changes = Changes()
        for one in (*fits, *proved):
            self._settle(changes, one, row=batch.rows[one.transaction_id], held=held.get(one.native_id))
        if changes:
            await self._writer.commit(changes, at="readback.settle")
        for one in (*fits, *proved):
            suspects.pop(suspect_of(one), None)
        await self._supersede(overtaken, suspects)
        return len(fits) + len(proved) + len(overtaken)

    async def _supersede(self, effects: Sequence[EffectRow], suspects: dict[Suspect, float]) -> None:
        changes, now = Changes(), self._clock.now_ms()
        for one in effects:
            note = "a later effect changed the record"
            changes.put(effect_table, _replace(one, checked="superseded", checked_at_ms=now, check_note=note))
        if changes:
            await self._writer.commit(changes, at="readback.supersede")
        for one in effects:
            suspects.pop(suspect_of(one), None)

    def _settle(self, changes: Changes, effect: EffectRow, *, row: TransactionRow, held: Facts | None) -> None:
        now = self._clock.now_ms()
        differing = _differing(effect, held)
        checked = "different" if differing else "verified"
        note = "; ".join(differing)[:500]
        changes.put(effect_table, _replace(effect, checked=checked, checked_at_ms=now, check_note=note))
        record(
            changes,
            AuditEntry(
                at_ms=now,
                tenant=effect.tenant,
                correlation_id=row.correlation_id,
                transaction_id=effect.transaction_id,
                action=f"effect.{checked}",
                subject=effect.name,
                detail={"native_id": effect.native_id, "note": note},
            ),
        )
        if differing:
            problem = _differs(effect, note, absent=held is None)
            found = exceptions.Found(problem=problem, step=effect.name, policies=self._policies())
            item = exceptions.of_transaction(row, found, clock=self._clock)
            # One item for each effect and each time that it is found different, not one for each transaction.
            name = digest("read back", *map(str, suspect_of(effect)), str(now))[:20]
            exceptions.open_item(changes, _replace(item, exception_id=f"exc-{name}"))


def _overtaken(effect: EffectRow | Last, latest: Sequence[Last]) -> bool:
    """Whether the record was written again after this effect; instants may tie, steps of one transaction do not."""
    if all(suspect_of(one) != suspect_of(effect) for one in latest):
        return True
    mine = [one for one in latest if one.transaction_id == effect.transaction_id]
    return any((one.n, one.version) > (effect.n, effect.version) for one in mine)


def _written_together(effect: EffectRow, latest: Sequence[Last], *, held: dict[str, Facts]) -> bool:
    """Whether the record is as another effect of the same instant left it, or that one speaks for both."""
    others = [one for one in latest if suspect_of(one) != suspect_of(effect) and not _overtaken(one, latest)]
    explained = any(not one.expected or not _differing(one, held.get(effect.native_id)) for one in others)
    return explained or any(suspect_of(one) > suspect_of(effect) for one in others)


def _differing(effect: EffectRow | Last, held: Facts | None) -> list[str]:
    """What is not as the effect should have left it, in words."""
    expected: Facts = msgspec.json.decode(effect.expected)
    if held is None:
        return ["the system does not hold the record"]
    return [
        f"{name}: should be {value!r}, is {held.get(name)!r}"
        for name, value in expected.items()
        if held.get(name) != value
    ]


def _differs(effect: EffectRow, note: str, *, absent: bool) -> AccordantError:
    verb = effect.verb.replace("_", " ")
    holds = "does not hold it" if absent else f"holds something else: {note}"
    cause = f"{effect.system} confirmed to {verb} and {'does not hold it' if absent else 'holds something else'}"
    hint = "it may never have been applied" if absent else "somebody may have changed it past the platform"
    return Terminal(
        f"{effect.connection} confirmed to {verb} for {effect.business_id}, but {holds}",
        code=DIFFERENT,
        hint=f"look at {effect.native_id} in {effect.connection}: {hint}; mend it there, then retry to read it again",
        detail={"system": effect.system, "verb": effect.verb, "native_id": effect.native_id, "cause": cause},
    )


def unverified(connection: Connection) -> int:
    """How many confirmed effects have not been read back yet."""
    return connection.execute(
        select(func.count()).select_from(effect_table).where(_e.state == "confirmed", _e.checked == "")
    ).scalar_one()
