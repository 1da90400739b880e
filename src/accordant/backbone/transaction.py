"""What a flow holds in its hand: checks, effects and waits, each remembered under its name.

A flow is run from the top again after a crash or a wait. Whatever it did under a name is not done again: the answer
comes from the memo. Names, not positions, so that inserting a step does not break transactions in flight.
"""

import typing
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Table

from accordant.backbone.approvals import Asked, Decision, agreed, payload_hash
from accordant.backbone.ledger import Step, entries
from accordant.backbone.ledger.step import Keeps
from accordant.backbone.locks import fenced
from accordant.backbone.rows import EffectRow, MemoRow, TransactionRow, memo_table
from accordant.backbone.tools import History, Tools, Undo, Undoable, WalkedThrough, returned_by
from accordant.backbone.waits import Pause, came_since, never_came
from accordant.canonical.envelope import Fact
from accordant.canonical.operation import Operation, Receipt
from accordant.governance.estate import Estate
from accordant.kernel.database import Changes, Database
from accordant.kernel.errors import NonDeterministic
from accordant.kernel.ids import canonical_json, digest
from accordant.telemetry.audit import AuditEntry, record

P = ParamSpec("P")
T = TypeVar("T")
DISCARDED = "discarded"
REPINNED = "(re-pinned)"
"""Memo left by a person's retry, edit or release: decisions are taken again, confirmed effects stay."""
COMPENSATING = "(compensating)"
"""Memo that the transaction is being taken back; from here on nothing new is sent."""


class Transaction:
    """One drive of one business transaction."""

    def __init__(self, row: TransactionRow, *, estate: Estate, tools: Tools, history: History) -> None:
        self.row = row
        self.estate = estate
        self.step = ""
        """Name of the step being taken; where a problem was found."""
        self.done: list[Undoable] = []
        self._tools = tools
        self._memos = dict(history.memos)
        self._effects = dict(history.effects)
        self._seen: set[str] = set()
        self._n = 0
        self.replaying = COMPENSATING in self._memos
        """Only what is confirmed is walked through again; the first step that is not ends the walk."""

    @property
    def is_compensating(self) -> bool:
        """Whether it was decided, in this drive or an earlier one, to take the transaction back."""
        return COMPENSATING in self._memos

    @property
    def touched(self) -> bool:
        """Whether any effect, notices apart, was or may have been applied."""
        return self._any_in({*entries.MAYBE_APPLIED, entries.CONFIRMED})

    @property
    def in_the_open(self) -> bool:
        """Whether nobody can say of some effect, notices apart, whether it was applied."""
        return self._any_in(entries.MAYBE_APPLIED)

    def _any_in(self, states: "typing.Collection[str]") -> bool:
        return any(one.state in states for one in self._effects.values() if not one.name.startswith("tell "))

    def is_confirmed(self, name: str) -> bool:
        """Whether this effect was confirmed by an earlier drive; what only prepares it need not be asked again."""
        return name in self._effects and self._effects[name].state == entries.CONFIRMED

    def now_ms(self) -> int:
        """This instant; what is decided by it is remembered under a name."""
        return self._tools.clock.now_ms()

    @property
    def effects_confirmed(self) -> int:
        """How many effects are confirmed."""
        return sum(effect.state == entries.CONFIRMED for effect in self._effects.values())

    async def check(self, name: str, rule: Callable[..., T], *inputs: Any) -> T:
        """Apply a rule to its inputs and the estate, once; `rule(*inputs, estate)` is pure and raises what it finds.

        Raises whatever the rule raises; the transaction then stops with an exception whose owner the policy names.
        """
        hashed = digest("inputs", *(canonical_json(one).decode() for one in inputs))
        memo = self._recall(name, hashed)
        if memo is not None:
            return msgspec.json.decode(memo.result.encode(), type=returned_by(rule))
        result = rule(*inputs, self.estate)
        memo = self._memo(name, "check", result=result, hashed=hashed)
        self._remember(memo, detail={"rule": rule.__name__, "input": hashed})
        return result

    async def recall(self, name: str, ask: Callable[[Database], Awaitable[T]], *, result_type: type[T]) -> T:
        """Read something, once: later drives see what the first one saw. `ask` calls `find` (in groups) or `read`."""
        memo = self._recall(name, "")
        if memo is not None:
            return msgspec.json.decode(memo.result.encode(), type=result_type)
        result = await ask(self._tools.database)
        self._remember(self._memo(name, "recall", result=result))
        return result

    async def keep(self, name: str, table: Table, *, row: msgspec.Struct, replaces: bool = False) -> None:
        """Write a row of ours, once, with the next group; it `replaces` what its key holds, or is kept beside it."""
        if self._recall(name, "") is None:
            changes = Changes()
            (changes.put if replaces else changes.add)(table, row)
            self._remember(self._memo(name, "keep"), changes=changes)

    async def effect(
        self, name: str, operation: Operation, *, undo: Undo | None = None, keeps: Keeps | None = None
    ) -> Receipt:
        """Have the operation applied once and return its receipt, now or from memory.

        `undo(receipt)` gives the operation that takes it back, for flows whose policy is to compensate.
        """
        prior = self._effects.get(name)
        self._begin_step(name)
        if self.replaying and (prior is None or prior.state != entries.CONFIRMED):
            raise WalkedThrough
        effect = await self._tools.ledger.carry_out(
            Step(
                transaction=self.row,
                name=name,
                n=self._n,
                operation=fenced(operation, self._tools.locks),
                prior=prior,
                changed_input_allowed=prior is not None and REPINNED in self._memos,
                keeps=keeps,
                taken_back=undo is not None and self.estate.policies.for_flow(self.row.flow).on_failure == "compensate",
                seen=self._see,
            )
        )
        receipt = entries.receipt_of(effect)
        if not operation.notice:
            self.done.append(Undoable(name=name, receipt=receipt, undo=undo, own=bool(effect.own)))
        return receipt

    async def send_notice(self, name: str, operation: Operation) -> None:
        """Tell a system where the transaction stands, also while it is being taken back."""
        self.replaying = False
        await self.effect(name, operation)

    async def approval(self, name: str, asked: Asked, *, tell: Operation | None = None) -> Decision:
        """Go on once somebody with the right to it has decided, or at once where the estate needs nobody's word.

        `tell` is sent where somebody is asked. Raises Terminal `approval.nobody_may` or `approval.expired`; a rejection
        is a decision like the other.
        """
        hashed = payload_hash(asked)
        memo = self._recall(name, hashed)
        if memo is not None:
            return msgspec.json.decode(memo.result.encode(), type=Decision)
        try:
            decision = self._decided_before(name, hashed) or await agreed(
                self.row, name, asked=asked, estate=self.estate, tools=self._tools
            )
        except Pause:
            if tell is not None:
                await self.effect(f"tell of {name}", msgspec.structs.replace(tell, notice=True))
            raise
        memo = self._memo(name, "approval", result=decision, hashed=hashed)
        told = {"rule": decision.rule, "input": hashed, "by": decision.actor, "approval": decision.approval_id}
        self._remember(memo, detail=told)
        return decision

    def _decided_before(self, name: str, hashed: str) -> Decision | None:
        """What was decided before a retry, where something was written since: that cannot be asked again."""
        prior = self._memos.get(name)
        is_same = prior is not None and prior.input_hash == hashed and self.touched
        return msgspec.json.decode(prior.result.encode(), type=Decision) if prior and is_same else None

    async def until(self, name: str, instant_ms: int, *, unless: type[Fact] | None = None, about: str = "") -> bool:
        """Go on at an instant, fixed the first time it is asked for; False where `unless` came before it (as `expect`).

        Asked again after the instant it is True, whatever came.
        """
        memo = self._recall(name, "")
        at_ms: int = msgspec.json.decode(memo.result) if memo else instant_ms
        if memo is None:
            self._remember(self._memo(name, "until", result=at_ms))
        if self.now_ms() >= at_ms:
            return True
        if unless is None:
            raise Pause("timer", wake_at_ms=at_ms)
        if await self._came(unless, about) is None:
            raise Pause("event", wake_at_ms=at_ms, expects=(unless.type, about))
        return False

    async def expect(self, name: str, kind: type[Fact], *, match: str, within_s: float) -> str:
        """Wait for an event of a kind about `match` (its subject) that came since the transaction began.

        Returns the event's data. Its deadline is fixed the first time; after it, the transaction stops with
        `promise.broken`.
        """
        found_name, memo = f"{name}: came", self._recall(name, "")
        deadline_ms: int = msgspec.json.decode(memo.result) if memo else self.now_ms() + round(within_s * 1000)
        if memo is None:
            self._remember(self._memo(name, "expect", result=deadline_ms))
        came = self._recall(found_name, "")
        if came is not None:
            return msgspec.json.decode(came.result, type=str)
        data = await self._came(kind, match)
        if data is not None:
            self._remember(self._memo(found_name, "recall", result=data))
            return data
        if self.now_ms() >= deadline_ms:
            raise never_came(kind.type, within_s)
        raise Pause("event", wake_at_ms=deadline_ms, expects=(kind.type, match))

    async def _came(self, kind: type[Fact], about: str) -> str | None:
        return await self._tools.database.read(
            lambda connection: came_since(connection, self.row, event_type=kind.type, subject=about)
        )

    def holding(self, *canonical_ids: str) -> "typing.AsyncContextManager[None]":
        """Hold the locks of these records, taken in sorted order, while the block runs."""
        return self._tools.locks.hold(self.row.tenant, canonical_ids)

    async def start_compensating(self, reason: str) -> None:
        """Commit that from here on the transaction is only taken back."""
        if not self.replaying:
            self._n += 1
            changes = Changes()
            memo = self._memo(COMPENSATING, "compensating", result=reason)
            self._remember(memo, changes=changes, post=False)
            await self._tools.writer.commit(changes, at="flow.compensate")
            self.replaying = True

    async def undo(self, one: Undoable) -> None:
        """Take back one confirmed effect."""
        if one.undo is None:
            return
        self.replaying = False
        await self.effect(f"undo {one.name}", one.undo(one.receipt))

    def _see(self, effect: EffectRow) -> None:
        self._effects[effect.name] = effect

    def _begin_step(self, name: str) -> None:
        if name in self._seen:
            raise NonDeterministic(
                f"two steps are called {name!r}; a step in a loop carries a natural key in its name",
                detail={"cause": f"flow {self.row.flow} uses the name {name!r} twice"},
            )
        self._seen.add(name)
        self._n += 1
        self.step = name

    def _recall(self, name: str, hashed: str) -> MemoRow | None:
        self._begin_step(name)
        memo = self._memos.get(name)
        if memo is None or memo.kind == DISCARDED:
            return None
        if memo.input_hash != hashed:
            raise NonDeterministic(
                f"{name!r} was asked with other inputs than before",
                hint="retrying re-pins the transaction and asks again",
                detail={"cause": f"step {name!r} of flow {self.row.flow} changed its inputs"},
            )
        return memo

    def _memo(self, name: str, kind: str, *, result: Any = None, hashed: str = "") -> MemoRow:
        return MemoRow(
            transaction_id=self.row.transaction_id,
            name=name,
            n=self._n,
            kind=kind,
            input_hash=hashed,
            result=canonical_json(result).decode(),
            at_ms=self.now_ms(),
        )

    def _remember(
        self, memo: MemoRow, *, detail: dict[str, Any] | None = None, changes: Changes | None = None, post: bool = True
    ) -> None:
        changes = Changes() if changes is None else changes
        changes.put(memo_table, memo)
        if detail is not None:
            record(
                changes,
                AuditEntry(
                    at_ms=memo.at_ms,
                    tenant=self.row.tenant,
                    correlation_id=self.row.correlation_id,
                    transaction_id=self.row.transaction_id,
                    action="decision.made",
                    subject=memo.name,
                    detail={**detail, "estate": self.estate.version, "result": digest("result", memo.result)},
                ),
            )
        self._memos[memo.name] = memo
        if post:
            self._tools.writer.post(changes, at="flow.remember")
