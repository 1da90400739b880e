"""A platform small enough to be killed and started again within a test: database, writer, driver, engine, vendor."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from sqlalchemy import func, select

from accordant.backbone.engine.driver import Driver
from accordant.backbone.engine.due import stranded
from accordant.backbone.engine.journal import Journal
from accordant.backbone.engine.ownership import ownership_of
from accordant.backbone.engine.place import Place, place_of
from accordant.backbone.flow import Flow, Flows, flow
from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.ledger import Ledger, Patience
from accordant.backbone.locks import LocalLocks
from accordant.backbone.message import Told
from accordant.backbone.outbox import event_of
from accordant.backbone.router import Router
from accordant.backbone.rows import (
    EffectRow,
    ExceptionRow,
    MessageRow,
    TransactionRow,
    effect_table,
    exception_table,
    transaction_table,
)
from accordant.backbone.tools import Tools
from accordant.governance.estate import Estate
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Changes, Database, Writer
from accordant.operations.approvals import ApprovalDesk
from accordant.operations.exceptions import Desk, DeskParts
from accordant.telemetry.audit import continue_chain, verify_chain
from tests.backbone.conformance.vendor import Vendor
from tests.backbone.shop import DESCRIBE, Ordered, Paid, estate

Steps = Callable[..., Awaitable[None]]
TRIES = 3
"""Sendings of one drive before the transaction waits."""


class Rig:
    """One process-like platform; `crash` leaves it as kill -9 would, `start` begins the next one."""

    def __init__(self, engine: str, url: str, *, steps: Steps, **flow_options: Any) -> None:
        self.kind = engine
        self.url = url
        self.vendor = Vendor()
        self.clock = ManualClock()
        self.estates: dict[int, Estate] = {1: estate()}
        self.in_flight_max = 16
        self.window = 64
        self.lives = 0
        self.ticking = True
        """Whether waiting for something lets time pass."""
        self.segment = ""
        """Name of the process and of its audit segment, where the test gives one."""
        self.sleep: Callable[[float], Awaitable[None]] = _no_time
        self.more_flows: tuple[Flow, ...] = ()
        self.ports: dict[str, Any] = {}
        """What flows are given; the vendor, where nothing is named."""
        self._told = 0
        options: dict[str, Any] = {"on": Ordered, "owner": "sales", "describe": DESCRIBE, **flow_options}
        steps.__name__ = "order"
        self.flow: Flow = flow(**options)(steps)
        self._foreign: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self._foreign = asyncio.all_tasks()
        self.lives += 1
        self.database = Database(self.url)
        segment = self.segment or ("main" if self.kind == "journal" else f"worker-{self.lives}")
        chain = self.database.read_now(lambda c: continue_chain(c, segment))
        self.writer = Writer(self.database, chain=chain, follow_ups=FOLLOW_UPS, shared=self.kind == "dbos")
        self.writer.start()
        ledger = Ledger(
            writer=self.writer,
            clock=self.clock,
            rng=random.Random(self.lives),
            patience=Patience(tries=TRIES),
            sleep=self.sleep,
        )
        self.locks = self._place(segment).locks if self.kind == "dbos" else LocalLocks()
        tools = Tools(
            database=self.database,
            writer=self.writer,
            ledger=ledger,
            clock=self.clock,
            locks=self.locks,
            estate_now=self._estate_now,
        )
        self.flows = Flows(self.flow, *self.more_flows)
        self.driver = Driver(
            tools=tools,
            flows=self.flows,
            ports=self.ports or {"vendor": self.vendor},
            estate_at=lambda n: self.estates[n],
            rng=random.Random(self.lives),
        )
        self.engine: Any = self._journal() if self.kind == "journal" else self._dbos(segment)
        self.engine.in_flight_max, self.engine.window = self.in_flight_max, self.window
        await self.engine.start()
        parts = DeskParts(
            tenant="t",
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            engine=self.engine,
            flows=self.flows,
        )
        self.desk = Desk(parts, estate=self._estate_now, reread=lambda: None)
        self.approvals = ApprovalDesk(parts, estate=self._estate_now, wake=self.engine.nudge)

    def _estate_now(self) -> Estate:
        return self.estates[max(self.estates)]

    def _journal(self) -> Any:
        self.ownership = ownership_of(self.database, on_lost=lambda: None)
        return Journal(
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            drive=self.driver.drive,
            ownership=self.ownership,
        )

    def _dbos(self, worker: str) -> Any:
        from accordant.backbone.engine.dbos import DbosEngine

        return DbosEngine(
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            drive=self.driver.drive,
            place=msgspec.structs.replace(self._place(worker), locks=self.locks),
        )

    def _place(self, worker: str) -> Place:
        place = place_of(self.database, engine="dbos", worker=worker, on_lost=lambda: None)
        return msgspec.structs.replace(place, segment=worker)

    async def stop(self) -> None:
        await self.engine.stop()
        await self.writer.stop()
        self.database.close()

    async def crash(self) -> None:
        """Everything of this life ends where it stands; what the database holds is all that is left."""
        mine = asyncio.all_tasks() - self._foreign - {asyncio.current_task()}
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        await asyncio.to_thread(self.writer._thread.shutdown)
        self.writer._session.close()
        if self.kind == "journal":
            await self.ownership.release()
        else:
            from dbos import DBOS

            await asyncio.to_thread(DBOS.destroy)
            await self.locks.close()
        self.database.close()
        self.vendor.crashed.clear()

    async def crash_and_start(self) -> None:
        await asyncio.wait_for(self.vendor.crashed.wait(), 20)
        await self.crash()
        await self.start()

    async def tell(self, order: str, *, customer: str = "", at_ms: int = 0, kind: str = "ordered") -> str:
        """A fact arrives; gives the id of its transaction."""
        self._told += 1
        fact = Paid(order=order) if kind == "paid" else Ordered(order=order)
        told = Told(
            fact=fact,
            source_record=f"crm/{kind}/{order}",
            subject=order,
            orderingkey=customer or order,
            happened_at_ms=at_ms or self._told,
            sequence="1",
            content=order,
        )
        return await self.told(told)

    async def told(self, told: Told) -> str:
        """A fact arrives as its message tells it; gives the id of its transaction."""
        message = msgspec.convert(
            {**dict.fromkeys(MessageRow.__struct_fields__, ""), "tenant": "t", "received_at_ms": 1}, MessageRow
        )
        event = event_of(message, told, fact=told.fact, occurrence="1", at_ms=self.clock.now_ms())
        changes = Changes()
        opened = Router(self.flows, clock=self.clock).route(
            changes, event, fact=told.fact, estate_version=max(self.estates)
        )
        await self.writer.commit(changes, at="test")
        self.engine.nudge()
        return opened[0].transaction_id if opened else ""

    async def until(self, holds: Callable[[], bool], *, within_s: float = 30) -> None:
        give_up_at = asyncio.get_running_loop().time() + within_s
        while not holds():
            if asyncio.get_running_loop().time() > give_up_at:
                raise TimeoutError(
                    f"still not so: {[(r.subject, r.state, r.waiting_for) for r in self.transactions()]}"
                )
            await asyncio.sleep(0.02)
            if self.ticking:
                self.clock.advance(0.2)

    async def settled(self, *, within_s: float = 30) -> None:
        """Nothing is due, nothing is being driven, and no vendor is being waited for."""
        await self.until(lambda: self._idle() and self._idle(), within_s=within_s)

    async def settled_but_vendor(self) -> None:
        """Nothing is due and nothing is being driven."""
        due = select(func.count()).where(transaction_table.c.due_rank.is_not(None))
        await self.until(
            lambda: not self.engine.driving and not self.database.read_now(lambda c: c.execute(due).scalar())
        )

    def _idle(self) -> bool:
        c = transaction_table.c
        busy = select(func.count()).where((c.due_rank.is_not(None)) | (c.waiting_for.in_(("vendor", "telling"))))
        return not self.engine.driving and not self.database.read_now(lambda x: x.execute(busy).scalar_one())

    def transactions(self) -> list[TransactionRow]:
        query = select(transaction_table).order_by(transaction_table.c.opened_at_ms, transaction_table.c.lane_seq)
        return self.database.read_now(lambda c: [TransactionRow(**row) for row in c.execute(query).mappings()])

    def one(self, order: str) -> TransactionRow:
        return next(row for row in self.transactions() if row.subject == order)

    def state(self, order: str) -> str:
        return self.one(order).state

    def effects(self) -> list[EffectRow]:
        query = select(effect_table).order_by(effect_table.c.n, effect_table.c.version)
        return self.database.read_now(lambda c: [EffectRow(**row) for row in c.execute(query).mappings()])

    def open_items(self) -> list[ExceptionRow]:
        query = select(exception_table).where(exception_table.c.state == "open")
        return self.database.read_now(lambda c: [ExceptionRow(**row) for row in c.execute(query).mappings()])

    def check(self) -> None:
        """What must be true whenever nothing is going on."""
        assert self.database.read_now(stranded) == 0
        assert self.database.read_now(verify_chain).valid


async def _no_time(_: float) -> None:
    await asyncio.sleep(0)
