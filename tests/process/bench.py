"""The shipped flows on the real engine, before the four sandboxes over HTTP, one of which says no at a chosen write."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.message import Told
from accordant.backbone.rows import EffectRow, ExceptionRow, TransactionRow, effect_table
from accordant.canonical.envelope import Fact
from accordant.canonical.operation import Applied, Attempt, Operation
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.governance.policies import FlowPolicy
from accordant.kernel.database import rows_of
from accordant.kernel.errors import Rejected
from accordant.launch import state as states
from accordant.operations.approvals import Verdict, waiting
from accordant.wiring import FLOWS
from tests import databases
from tests.ambiguity.world import World, opened
from tests.backbone.conformance.rig import Rig

AGREED = Verdict(approve=True, actor="director@finance")
DRAFTS = ("billing", "invoice")
"""What a subscription will be billed by; while it is a draft, ending the subscription ends it with it."""
OVER = frozenset({"canceled", "cancelled", "closed", "void", "voided"})


class Mood:
    """Says no to one write, the n-th that is sent for the first time; counts them."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.refuse_at: int | None = None

    def begin(self, *, refuse_at: int | None) -> None:
        self.keys, self.refuse_at = [], refuse_at

    async def send(self, operation: Operation, attempt: Attempt) -> Applied:
        if attempt.key not in self.keys:
            self.keys.append(attempt.key)
        if self.keys.index(attempt.key) == self.refuse_at:
            detail = {"system": operation.system, "verb": operation.verb, "vendor_code": "no"}
            raise Rejected(f"{operation.system} says no to {operation.verb}", detail=detail)
        return await operation.send(attempt)


class Moody:
    """A client whose operations are sent as the mood allows."""

    def __init__(self, client: Any, mood: Mood) -> None:
        self._client = client
        self._mood = mood

    def __getattr__(self, verb: str) -> Any:
        found = getattr(self._client, verb)

        def asked(*given: Any, **named: Any) -> Any:
            operation = found(*given, **named)
            if not isinstance(operation, Operation):
                return operation
            return msgspec.structs.replace(operation, send=lambda attempt: self._mood.send(operation, attempt))

        return asked if callable(found) else found


class Bench:
    """Facts are told to it one after the other; each plays its flow to the end."""

    def __init__(self, rig: Rig, world: World, mood: Mood) -> None:
        self.rig = rig
        self.world = world
        self.mood = mood

    def holds(self, role: str, records: Mapping[str, Any]) -> None:
        """What people have entered in a system."""
        self.world.vendor_of(role).load(records)

    async def play(self, fact: Fact, subject: str, *, flow: str = "") -> TransactionRow:
        """A fact arrives, and nothing else does until its transaction has come to its end; whoever is asked agrees.

        It gives the transaction of the flow that is named, where the fact begins several.
        """
        told = Told(
            fact=fact,
            source_record=f"{fact.producer}/{fact.type}/{subject}",
            subject=subject,
            orderingkey=f"{fact.type}/{subject}",
            happened_at_ms=self.rig.clock.now_ms(),
            sequence="1",
            content=subject,
        )
        transaction_id = await self.rig.told(told)
        while True:
            await self.rig.settled()
            row = self._row(transaction_id, flow)
            asked = self.rig.database.read_now(lambda connection: waiting(connection, tenant="t"))
            if asked:
                await self.rig.approvals.decide(asked[0].approval_id, AGREED)
            elif row.waiting_for == "timer" and row.wake_at_ms:
                self.rig.clock.advance((row.wake_at_ms - self.rig.clock.now_ms()) / 1000 + 1)
                self.rig.engine.nudge()
                await self.rig.until(
                    lambda: self.rig.engine.driving or self._row(transaction_id, flow).waiting_for != "timer"
                )
            else:
                return row

    def _row(self, transaction_id: str, flow: str) -> TransactionRow:
        rows = self.rig.transactions()
        first = next(one for one in rows if one.transaction_id == transaction_id)
        if not flow or first.flow == flow:
            return first
        return next(one for one in rows if one.event_id == first.event_id and one.flow == flow)

    def effects_of(self, row: TransactionRow) -> list[EffectRow]:
        c = effect_table.c
        query = select(effect_table).where(c.transaction_id == row.transaction_id).order_by(c.n)
        return self.rig.database.read_now(lambda connection: rows_of(connection, query, EffectRow))

    def open_item(self, row: TransactionRow) -> ExceptionRow | None:
        return next((one for one in self.rig.open_items() if one.transaction_id == row.transaction_id), None)

    def worth(self) -> dict[str, int]:
        """What still counts in each system, in minor units: what is billed, ordered and credited."""
        return {system: _worth(system, kinds) for system, kinds in self.world.company.held().items()}


def _worth(system: str, kinds: Mapping[str, list[dict[str, Any]]]) -> int:
    counted = [one for kind, records in kinds.items() if (system, kind) != DRAFTS for one in records]
    amounts = [one.get("amount_minor") or 0 for one in counted if str(one.get("status", "")).lower() not in OVER]
    return sum(amounts)


def compensating(folder: Path) -> Estate:
    """The demo estate, where every flow takes back what it did."""
    known = load_estate(folder / "estate", version=1)
    flows = {name: FlowPolicy(on_failure="compensate") for name in FLOWS.all()}
    return msgspec.structs.replace(known, policies=msgspec.structs.replace(known.policies, flows=flows))


@asynccontextmanager
async def benched(folder: Path, template: Path, *, without: frozenset[str] = frozenset()) -> AsyncIterator[Bench]:
    """A company with nothing in it, and a platform that works for it, without the flows of these names."""
    states.prepare(folder)
    states.command_token(folder)
    mood = Mood()
    async with opened(folder) as world:
        rig = Rig("journal", databases.fresh_sqlite(template, folder), steps=_no_order)
        rig.more_flows = tuple(one for name, one in FLOWS.all().items() if name not in without)
        rig.ports = {role: Moody(client, mood) for role, client in world.clients.items()}
        rig.estates = {1: compensating(folder)}
        await rig.start()
        try:
            yield Bench(rig, world, mood)
        finally:
            await rig.stop()
            shutil.rmtree(folder / "ledger", ignore_errors=True)


async def _no_order(*_: Any, **__: Any) -> None: ...
