"""Carrying out one effect, once: what to do before it is sent, after it was sent, and when nobody knows.

A and B write their row with the next group and do not wait for it: a crash repeats the same key or the same upsert.
C and D wait until the row is durable, because after a crash it is the only sign that something may have been sent.
An ambiguous outcome is settled by class: A repeats the key while the vendor remembers it and looks up afterwards, B
repeats the write, C looks up after the index has settled, D waits for a person.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from sqlalchemy import Table

from accordant.backbone.ledger import entries
from accordant.backbone.rows import EffectRow, TransactionRow, effect_table
from accordant.canonical.operation import KEY_SPENT, Applied, Attempt, EffectClass, Operation, Receipt
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, NotCommitted, NotRead, Writer
from accordant.kernel.errors import (
    AccordantError,
    NonDeterministic,
    Rejected,
    Retryable,
    Terminal,
    Unavailable,
    Unknown,
)
from accordant.kernel.failpoints import around
from accordant.kernel.priority import Priority
from accordant.telemetry.audit import AuditEntry, record

Keeps = Callable[[Receipt], Sequence[tuple[Table, msgspec.Struct]]]


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long one drive keeps trying before the transaction waits for the vendor."""

    tries: int = 5
    first_pause_s: float = 0.05
    longest_pause_s: float = 2.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of one transaction, as the flow asks for it now."""

    transaction: TransactionRow
    name: str
    n: int
    operation: Operation
    prior: EffectRow | None
    """What the ledger knows of it from earlier drives."""
    changed_input_allowed: bool
    """The transaction was edited or re-pinned by a person since."""
    keeps: Keeps | None = None
    """Rows to commit together with the confirmation, such as the crosswalk entry."""
    seen: Callable[[EffectRow], None] = lambda _: None
    """Told of every state the effect goes through, also when carrying it out ends in an error."""


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
        self.in_flight = 0
        """Effects between their sending and their commit."""

    async def carry_out(self, step: Step) -> EffectRow:
        """Return the confirmed effect, sending it only if it has not happened.

        Raises Retryable (wait for the vendor), Terminal (refused, or in doubt for class D), NonDeterministic.
        """
        effect, ambiguous = self._begin(step)
        if effect.state == entries.CONFIRMED:
            return effect
        self.in_flight += 1
        try:
            return await self._until_known(step, effect, ambiguous=ambiguous)
        finally:
            self.in_flight -= 1

    def _begin(self, step: Step) -> tuple[EffectRow, bool]:
        """The effect to work on, and whether an earlier sending may have been applied."""
        prior, operation = step.prior, step.operation
        if prior is None:
            return entries.intend(step.transaction, step.name, operation=operation, n=step.n), False
        same = prior.input_hash == entries.input_hash(operation)
        if not same and (prior.state == entries.CONFIRMED or not step.changed_input_allowed):
            raise _payload_changed(step, prior)
        if prior.state == entries.CONFIRMED:
            return prior, False
        if prior.state in entries.MAYBE_APPLIED:
            died_while_sending = prior.state == entries.SENT
            return msgspec.structs.replace(prior, redriven=prior.redriven + died_while_sending), True
        if prior.state == entries.REJECTED and not step.changed_input_allowed:
            raise entries.refusal_of(prior)
        if prior.state == entries.REJECTED or not same:
            return self._next_version(step, prior), False
        return prior, False

    def _next_version(self, step: Step, effect: EffectRow) -> EffectRow:
        return entries.intend(
            step.transaction, step.name, operation=step.operation, n=effect.n, version=effect.version + 1
        )

    async def _until_known(self, step: Step, effect: EffectRow, *, ambiguous: bool) -> EffectRow:
        problem: AccordantError | None = entries.doubt_of(effect) if ambiguous else None
        for attempt in range(self._patience.tries):
            if attempt:
                await self._sleep(self._pause_s(attempt, problem))
            try:
                if ambiguous:
                    effect = await self._settle(step, effect, problem=problem)
                if effect.state != entries.CONFIRMED:
                    effect = await self._announce(step, effect)
                    effect = await self._send(step, effect)
                return effect
            except Unknown as unknown:
                problem, ambiguous = unknown, True
                effect = self._note(step, effect, state=entries.UNKNOWN, problem=unknown)
                if step.operation.effect_class is EffectClass.ONCE:
                    raise _in_doubt(step, unknown) from unknown
            except (NotCommitted, NotRead):
                # Our database failed, not the vendor. What was sent stays `sent`, and the next drive settles it.
                raise
            except Retryable as retryable:
                problem = retryable
                effect = self._note_not_now(step, effect, problem=retryable, ambiguous=ambiguous)
                if (retryable.retry_after_s or 0) > self._patience.longest_pause_s:
                    break
        raise _not_now(step, problem)

    async def _announce(self, step: Step, effect: EffectRow) -> EffectRow:
        """Record that it is about to be sent."""
        effect = entries.sent(effect, at_ms=self._clock.now_ms())
        step.seen(effect)
        changes = Changes()
        changes.put(effect_table, effect)
        if step.operation.effect_class in (EffectClass.LOOKUP, EffectClass.ONCE):
            self._audit(changes, step, action="effect.sent", effect=effect)
            await self._writer.commit(changes, at="effect.sent")
        else:
            self._writer.post(changes, at="effect.posted")
        return effect

    async def _send(self, step: Step, effect: EffectRow) -> EffectRow:
        priority = Priority(step.transaction.priority)
        try:
            with around("effect.send"):
                applied = await step.operation.send(Attempt(key=effect.key, number=effect.attempts, priority=priority))
        except Terminal as refusal:
            if isinstance(refusal, Rejected):
                refusal.detail |= {"system": step.operation.system, "verb": step.operation.verb, "refused": True}
            self._note(step, effect, state=entries.REJECTED, problem=refusal)
            raise
        return await self._confirm(step, effect, applied=applied)

    async def _confirm(self, step: Step, effect: EffectRow, *, applied: Applied) -> EffectRow:
        effect = entries.confirmed(effect, step.operation, applied=applied, at_ms=self._clock.now_ms())
        changes = Changes()
        changes.put(effect_table, effect)
        for table, row in step.keeps(applied.receipt) if step.keeps else ():
            changes.add(table, row)
        self._audit(changes, step, action="effect.confirmed", effect=effect)
        await self._writer.commit(changes, at="effect.confirm")
        step.seen(effect)
        return effect

    async def _settle(self, step: Step, effect: EffectRow, *, problem: AccordantError | None) -> EffectRow:
        """Find out whether an ambiguous sending was applied; the effect comes back confirmed, or ready to be sent."""
        operation = step.operation
        if operation.effect_class is EffectClass.ONCE:
            raise _in_doubt(step, problem)
        key_spent = entries.key_is_old(effect, operation, at_ms=self._clock.now_ms()) or (
            problem is not None and problem.code in KEY_SPENT
        )
        changed = effect.input_hash != entries.input_hash(operation)
        if changed and operation.effect_class is EffectClass.UPSERT and operation.look_up is None:
            return await self._commit_version(step, effect)  # writing the state anew settles it
        if not (operation.effect_class is EffectClass.LOOKUP or key_spent or changed):
            return effect
        if operation.look_up is None:
            raise _in_doubt(step, problem)
        await self._sleep(operation.settle_s)
        attempt = Attempt(key=effect.key, number=effect.attempts, priority=Priority(step.transaction.priority))
        with around("effect.look_up"):
            found = await operation.look_up(attempt)
        if found is not None:
            settled = await self._confirm(step, effect, applied=found)
            if changed:
                raise _payload_changed(step, settled)
            return settled
        if key_spent or changed:
            return await self._commit_version(step, effect)
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
        step.seen(following)
        return following

    def _note(self, step: Step, effect: EffectRow, *, state: str, problem: AccordantError) -> EffectRow:
        effect = entries.failed(effect, state, problem=problem)
        step.seen(effect)
        changes = Changes()
        changes.put(effect_table, effect)
        if state != entries.INTENDED:
            self._audit(changes, step, action=f"effect.{state}", effect=effect, problem=problem)
        self._writer.post(changes, at="effect.note")
        return effect

    def _note_not_now(self, step: Step, effect: EffectRow, *, problem: Retryable, ambiguous: bool) -> EffectRow:
        """This sending was not applied; whether an earlier one was is as open as before."""
        if effect.state != entries.SENT:
            return effect
        doubt = entries.doubt_of(effect) if ambiguous else None
        return self._note(
            step, effect, state=entries.UNKNOWN if ambiguous else entries.INTENDED, problem=doubt or problem
        )

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


def _not_now(step: Step, problem: AccordantError | None) -> Retryable:
    if isinstance(problem, Retryable):
        return problem
    return Unavailable(
        f"{step.operation.connection} gives no clear answer to {step.operation.verb}: {problem}",
        detail={"system": step.operation.system, "verb": step.operation.verb},
    )


def _payload_changed(step: Step, before: EffectRow) -> NonDeterministic:
    return NonDeterministic(
        f"effect {step.name!r} was asked for with another payload than before ({before.state})",
        hint="restore the former flow or mapping, or compensate the transaction",
        detail={"cause": f"effect {step.name!r} of {step.transaction.flow} changed its payload"},
    )


def _in_doubt(step: Step, problem: AccordantError | None) -> Terminal:
    return Terminal(
        f"{step.operation.verb} was sent to {step.operation.connection} and nobody can say whether it was applied",
        code="effect.in_doubt",
        hint=f"look in {step.operation.connection} for {step.operation.business_id}, then say what you found",
        detail={
            "system": step.operation.system,
            "verb": step.operation.verb,
            "vendor_code": problem.code if problem else "interrupted",
        },
    )
