"""Carrying out one effect, once: `decisions` says what to do next, the ledger does it and remembers what came of it.

A and B write their row with the next group and do not wait for it: a crash repeats the same key or the same upsert.
C and D wait until the row is durable, because after a crash it is the only sign that something may have been sent.
An ambiguous outcome is settled by class: A repeats the key while the vendor remembers it and looks up afterwards, B
repeats the write, C looks up after the index has settled, D waits for a person.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec

from accordant.backbone.ledger import decisions, entries, stops
from accordant.backbone.ledger.decisions import Do
from accordant.backbone.ledger.step import Step, asked_of, attempt_of, known_of
from accordant.backbone.ledger.unwritten import Unwritten
from accordant.backbone.rows import EffectRow, effect_table
from accordant.canonical.operation import Applied, EffectClass
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, NotCommitted, NotRead, Writer
from accordant.kernel.errors import (
    AccordantError,
    Rejected,
    Retryable,
    Terminal,
    Unavailable,
    Unknown,
)
from accordant.kernel.failpoints import around
from accordant.telemetry.audit import AuditEntry, record


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long one drive keeps trying before the transaction waits for the vendor."""

    tries: int = 5
    first_pause_s: float = 0.05
    longest_pause_s: float = 2.0


class Ledger:
    """Sends operations and remembers everything about it."""

    def __init__(
        self,
        *,
        writer: Writer,
        clock: Clock,
        rng: random.Random,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._rng = rng
        self._patience = patience or Patience()
        self._sleep = sleep
        self._began_ms = clock.now_ms()
        self._unwritten = Unwritten()
        self.in_flight = 0
        """Effects between their sending and their commit."""

    async def carry_out(self, step: Step) -> EffectRow:
        """Return the confirmed effect, sending it only if it has not happened.

        Raises Retryable (wait for the vendor), Terminal (refused, or in doubt for class D), NonDeterministic.
        """
        prior = self._unwritten.or_prior(step.prior, row=step.transaction, name=step.name)
        effect, ambiguous = self._begin(msgspec.structs.replace(step, prior=prior))
        if effect.state == entries.CONFIRMED:
            return effect
        self.in_flight += 1
        try:
            return await self._until_known(step, effect, ambiguous=ambiguous)
        finally:
            self.in_flight -= 1

    def _begin(self, step: Step) -> tuple[EffectRow, bool]:
        """The effect to work on, and whether an earlier sending may have been applied."""
        prior = step.prior
        if prior is None:
            return self._intend(step, n=step.n, version=1), False
        match decisions.begin(known_of(prior), asked_of(step, prior)):
            case Do.REFUSE_PAYLOAD:
                raise stops.payload_changed(step, prior)
            case Do.REFUSE_AGAIN:
                raise entries.refusal_of(prior)
            case Do.NEXT_VERSION:
                return self._next_version(step, prior), False
            case Do.SETTLE:
                died_while_sending = prior.state == entries.SENT
                return msgspec.structs.replace(prior, redriven=prior.redriven + died_while_sending), True
            case _:
                return prior, False

    def _next_version(self, step: Step, effect: EffectRow) -> EffectRow:
        return self._intend(step, n=effect.n, version=effect.version + 1)

    def _intend(self, step: Step, *, n: int, version: int) -> EffectRow:
        """Nothing is written down of it. What this process did not begin, one that died may have sent all the same.

        It can have done so from the transaction's last commit on; that instant stays with the effect, whatever this
        process writes down of its own tries.
        """
        effect = entries.intend(step.transaction, step.name, operation=step.operation, n=n, version=version)
        last_ms = step.transaction.changed_at_ms
        return msgspec.structs.replace(effect, first_sent_at_ms=last_ms) if last_ms <= self._began_ms else effect

    async def _until_known(self, step: Step, effect: EffectRow, *, ambiguous: bool) -> EffectRow:
        problem: AccordantError | None = entries.doubt_of(effect) if ambiguous else None
        forgotten = self._may_be_forgotten(step, effect)
        for attempt in range(self._patience.tries):
            tries_left = self._patience.tries - 1 - attempt
            if attempt:
                await self._sleep(self._pause_s(attempt, problem))
            try:
                if ambiguous or forgotten:
                    settle = self._settle if ambiguous else self._remember
                    effect, forgotten = await settle(step, effect, problem=problem), False
                if effect.state != entries.CONFIRMED:
                    effect = await self._announce(step, effect)
                    effect = await self._send(step, effect, ambiguous=ambiguous)
                return effect
            except Unknown as unknown:
                problem, ambiguous = unknown, True
                verdict = decisions.unknown(asked_of(step, effect), tries_left=tries_left)
                effect = self._note(step, effect, state=verdict.note, problem=unknown)
                if verdict.do is Do.IN_DOUBT:
                    raise stops.in_doubt(step, unknown) from unknown
            except (NotCommitted, NotRead):
                # Our database failed, not the vendor. What was sent stays `sent`, and the next drive settles it.
                raise
            except Retryable as retryable:
                problem = retryable
                too_long = (retryable.retry_after_s or 0) > self._patience.longest_pause_s
                verdict = decisions.not_now(effect.state, ambiguous=ambiguous, tries_left=tries_left, too_long=too_long)
                doubt = entries.doubt_of(effect) if ambiguous else None
                effect = self._note(step, effect, state=verdict.note, problem=doubt or retryable)
            if verdict.do is Do.WAIT:
                break
        raise stops.not_now(step, problem)

    async def _announce(self, step: Step, effect: EffectRow) -> EffectRow:
        """Record that it is about to be sent."""
        effect = entries.sent(effect, at_ms=self._clock.now_ms())
        step.seen(effect)
        changes = Changes()
        changes.put(effect_table, effect)
        effect_class = step.operation.effect_class
        if only_sign := effect_class in (EffectClass.LOOKUP, EffectClass.ONCE):
            self._audit(changes, step, action="effect.sent", effect=effect)
        # A database that takes nothing now would not remember when a key was first used, hour after hour.
        # And an upsert that finds its record there is ours only if it is known that we may have sent it before.
        if only_sign or (step.taken_back and effect_class is EffectClass.UPSERT) or not self._writer.is_taking:
            await self._writer.commit(changes, at="effect.sent")
        else:
            self._writer.post(changes, at="effect.posted")
        self._unwritten.see(effect)
        return effect

    async def _send(self, step: Step, effect: EffectRow, *, ambiguous: bool) -> EffectRow:
        try:
            with around("effect.send"):
                applied = await step.operation.send(attempt_of(step, effect))
        except Terminal as refusal:
            if isinstance(refusal, Rejected):
                refusal.detail |= {"system": step.operation.system, "verb": step.operation.verb, "refused": True}
            inherited = effect.first_sent_at_ms is not None and effect.first_sent_at_ms <= self._began_ms
            verdict = decisions.refused(asked_of(step, effect), ambiguous=ambiguous or inherited)
            effect = self._note(step, effect, state=verdict.note, problem=refusal)
            if verdict.do is not Do.LOOK_UP:
                raise
            found = await self._find(step, effect)
            if found is None:
                self._note(step, effect, state=entries.REJECTED, problem=refusal)
                raise
            applied = found
        return await self._confirm(step, effect, applied=applied)

    async def _find(self, step: Step, effect: EffectRow) -> Applied | None:
        """What the system shows of it once its index has settled."""
        operation = step.operation
        if operation.look_up is None:
            return None
        await self._sleep(operation.settle_s)
        with around("effect.look_up"):
            found = await operation.look_up(attempt_of(step, effect))
        # It is looked for after a sending of ours: unless others share the record, what is there is ours.
        return msgspec.structs.replace(found, already=found.already and operation.master_data) if found else None

    async def _remember(self, step: Step, effect: EffectRow, *, problem: AccordantError | None) -> EffectRow:
        """Confirmed, where the system holds what we have no record of having sent."""
        found = await self._find(step, effect)
        return effect if found is None else await self._confirm(step, effect, applied=found)

    def _may_be_forgotten(self, step: Step, effect: EffectRow) -> bool:
        """An unwritten sending is as old as the drive it may belong to, or as the doubt kept with the effect."""
        first_ms, driven_ms = effect.first_sent_at_ms, step.transaction.changed_at_ms
        since_ms = driven_ms if first_ms is None else min(first_ms, driven_ms)
        return decisions.may_be_forgotten(asked_of(step, effect), since_ms=since_ms, now_ms=self._clock.now_ms())

    async def _confirm(self, step: Step, effect: EffectRow, *, applied: Applied) -> EffectRow:
        effect = entries.confirmed(effect, step.operation, applied=applied, at_ms=self._clock.now_ms())
        changes = Changes()
        changes.put(effect_table, effect)
        for table, row in step.keeps(applied.receipt) if step.keeps else ():
            changes.add(table, row)
        self._audit(changes, step, action="effect.confirmed", effect=effect)
        await self._writer.commit(changes, at="effect.confirm")
        self._see(step, effect)
        return effect

    async def _settle(self, step: Step, effect: EffectRow, *, problem: AccordantError | None) -> EffectRow:
        """Find out whether an ambiguous sending was applied; the effect comes back confirmed, or ready to be sent."""
        asked = asked_of(step, effect)
        code, now = problem.code if problem else "", self._clock.now_ms()
        match decisions.settle(known_of(effect), asked, problem_code=code, now_ms=now):
            case Do.NEXT_VERSION:
                return await self._commit_version(step, effect)
            case Do.LOOK_UP:
                found = await self._find(step, effect)
            case Do.SEND:
                return effect
            case _:
                raise stops.in_doubt(step, problem)
        if found is not None:
            effect = await self._confirm(step, effect, applied=found)
        spent = decisions.key_is_spent(known_of(effect), asked, problem_code=code, now_ms=now)
        match decisions.looked_up(asked, found=found is not None, key_spent=spent):
            case Do.CONFIRM_AND_STOP:
                raise stops.payload_changed(step, effect)
            case Do.NEXT_VERSION:
                return await self._commit_version(step, effect)
            case _:
                return effect

    async def _commit_version(self, step: Step, effect: EffectRow) -> EffectRow:
        """Proved absent: go on under a new key, which must be durable before it is used."""
        absent = Unavailable("looked up after the settle time and not found", detail={"looked_up": True})
        following = self._next_version(step, effect)
        changes = Changes()
        changes.put(effect_table, entries.failed(effect, entries.REJECTED, problem=absent))
        changes.put(effect_table, following)
        self._audit(changes, step, action="effect.absent", effect=effect)
        await self._writer.commit(changes, at="effect.absent")
        self._see(step, following)
        return following

    def _note(self, step: Step, effect: EffectRow, *, state: str | None, problem: AccordantError) -> EffectRow:
        if state is None:
            return effect
        effect = entries.failed(effect, state, problem=problem)
        self._see(step, effect)
        changes = Changes()
        changes.put(effect_table, effect)
        if state != entries.INTENDED:
            self._audit(changes, step, action=f"effect.{state}", effect=effect, problem=problem)
        self._writer.post(changes, at="effect.note")
        return effect

    def _see(self, step: Step, effect: EffectRow) -> None:
        self._unwritten.see(effect)
        step.seen(effect)

    def _audit(
        self, changes: Changes, step: Step, *, action: str, effect: EffectRow, problem: AccordantError | None = None
    ) -> None:
        detail = entries.audit_detail(effect)
        if problem is not None:
            detail["error"] = problem.code
        record(
            changes,
            AuditEntry(
                at_ms=self._clock.now_ms(),
                tenant=effect.tenant,
                correlation_id=step.transaction.correlation_id,
                transaction_id=effect.transaction_id,
                action=action,
                subject=effect.name,
                detail=detail,
            ),
        )

    def _pause_s(self, attempt: int, problem: AccordantError | None) -> float:
        asked = getattr(problem, "retry_after_s", None)
        longest = min(self._patience.longest_pause_s, self._patience.first_pause_s * 2**attempt)
        return max(asked or 0.0, self._rng.uniform(0, longest))
