"""What shipped flows do not do, on a platform of a few parts: waits, keys that went bad, lookups, and a single try."""

import asyncio
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.rows import event_table
from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation
from accordant.kernel.clock import SystemClock
from accordant.kernel.database import Database
from accordant.kernel.errors import Unknown
from accordant.kernel.ids import effect_key
from tests import databases
from tests.backbone.conformance.remote import LedgerServer, RemoteVendor
from tests.backbone.conformance.rig import Rig, Steps
from tests.backbone.shop import Ordered, Paid
from tests.kills import records
from tests.kills.scene import Ending, Seat

TYPES = {"ordered": Ordered.type, "paid": Paid.type}
A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE


class SmallWorld:
    """A vendor behind a socket, which now and then loses an answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: LedgerServer | None = None

    def move(self, folder: Path) -> None:
        self._folder = folder

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[None]:
        self._server = LedgerServer(self._folder / "vendor.sock", rng=random.Random(3), lost_answers=0.15)
        await self._server.start()
        yield
        await self._server.stop()

    def held(self) -> Mapping[str, Any]:
        assert self._server is not None
        return {"ledger": sorted(business_id for _, business_id in self._server.ledger)}


async def winding(tx: Any, event: Any, *, vendor: RemoteVendor) -> None:
    """Waits for an instant, sends under a key that goes bad, looks up, and waits for another event."""
    await tx.until("a moment later", tx.row.opened_at_ms + 500)
    await tx.effect("goes bad", _gone_bad(tx, vendor.operation(event.order, "bad", A)))
    await tx.effect("looked up", vendor.operation(event.order, "looked", C))
    await tx.expect("payment", Paid, match=event.order, within_s=600)
    await tx.effect("looked up again", vendor.operation(event.order, "looked again", C))
    await tx.effect("upserted", vendor.operation(event.order, "upserted", B))


async def single_try(tx: Any, event: Any, *, vendor: RemoteVendor) -> None:
    """Before and after the one write that is tried once only."""
    await tx.effect("before", vendor.operation(event.order, "before", A))
    await tx.effect("once", msgspec.structs.replace(vendor.operation(event.order, "once", D), look_up=None))
    await tx.effect("after", vendor.operation(event.order, "after", A))


def _gone_bad(tx: Any, operation: Operation) -> Operation:
    """Under its first key the vendor only repeats a failure; nothing was applied."""
    scope = f"{operation.connection}/{tx.row.transaction_id}"
    bad = effect_key(tenant=tx.row.tenant, scope=scope, name="goes bad", version=1)

    async def send(attempt: Attempt) -> Applied:
        if attempt.key == bad:
            raise Unknown("500, for ever", code="vendor.replayed_failure")
        return await operation.send(attempt)

    return msgspec.structs.replace(operation, send=send)


class Small(msgspec.Struct, frozen=True, kw_only=True):
    """One flow on the rig."""

    name: str
    steps: Steps
    only: tuple[str, ...] = ()
    tells: tuple[str, ...] = ("ordered",)
    tried_once: bool = False

    def engines_on(self, database: str) -> tuple[str, ...]:
        return ("journal",)

    def build(self, seat: Seat, engine: str) -> SmallWorld:
        seat.folder.mkdir(parents=True, exist_ok=True)
        databases.prepared(seat.url)
        return SmallWorld(seat.folder)

    def live(self, seat: Seat, engine: str) -> None:
        asyncio.run(self._life(seat, engine))

    async def _life(self, seat: Seat, engine: str) -> None:
        rig = Rig(engine, seat.url, steps=self.steps)
        rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
        rig.vendor = RemoteVendor(str(seat.folder / "vendor.sock"))  # pyright: ignore[reportAttributeAccessIssue]
        rig.sleep, rig.ticking = asyncio.sleep, False
        await rig.start()
        told = {kind for (kind,) in rig.database.read_now(lambda c: list(c.execute(select(event_table.c.type))))}
        for kind in self.tells:
            if TYPES[kind] not in told:
                await rig.tell("o", kind=kind, at_ms=1)
        await rig.until(lambda: any(one.state in {"completed", "exception"} for one in rig.transactions()))
        await rig.settled()
        await rig.stop()

    def ending(self, seat: Seat, held: Mapping[str, Any]) -> Ending:
        database = Database(seat.url)
        try:
            ending = Ending(
                applied=held["ledger"],
                held={},
                transactions=records.transactions(database),
                effects=records.effects(database),
                open_items=records.open_items(database),
                problems=records.problems(database),
            )
        finally:
            database.close()
        return _in_doubt(ending) if self.tried_once else ending


def _in_doubt(ending: Ending) -> Ending:
    """Either all is done, or it was tried once, and exactly one item asks a person; both are a good end."""
    doubts = [item for item in ending.open_items if item.startswith("effect.in_doubt")]
    done = any(one.endswith("completed") for one in ending.transactions)
    problems = list(ending.problems)
    if ending.applied.count("o/once") > 1:
        problems.append("duplicate: what may be tried once only was applied twice")
    if done and (doubts or ending.applied != ["o/after", "o/before", "o/once"]):
        problems.append(f"lost: completed with {ending.applied} and {doubts}")
    if not done and (len(doubts) != 1 or "o/after" in ending.applied):
        problems.append(f"in_doubt: {len(doubts)} items for one doubt; {ending}")
    return Ending(applied=[], held={}, transactions=[], effects=[], open_items=[], problems=problems)


SMALL = (
    Small(name="winding", steps=winding, tells=("ordered", "paid")),
    Small(name="once", steps=single_try, tried_once=True, only=("effect.", "drive.end", "database.commit")),
)
