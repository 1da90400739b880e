"""One life of the platform: the real inbox, poller, pump, router, lanes, driver, journal, ledger, verifier and desk."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.engine.driver import Driver
from accordant.backbone.engine.journal import Journal
from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.inbox import Arrival, Inbox
from accordant.backbone.ledger import Ledger, Patience
from accordant.backbone.locks import LocalLocks
from accordant.backbone.pump import Pump, PumpParts
from accordant.backbone.pump import Source as Understood
from accordant.backbone.router import Router
from accordant.backbone.rows import CursorRow, cursor_table
from accordant.backbone.tools import Tools
from accordant.connector.capabilities import Row, Stream
from accordant.connector.polling import Poller, PollPorts
from accordant.kernel.clock import utc_text
from accordant.kernel.database import Changes, Writer
from accordant.kernel.errors import Refused
from accordant.operations.approvals import ApprovalDesk
from accordant.operations.exceptions import Desk, DeskParts
from accordant.operations.verification import Verifier
from accordant.telemetry.audit import continue_chain
from tests.simulation.flows import FLOWS, Record, estate, translate
from tests.simulation.loop import SimulatedLoop
from tests.simulation.source import Source
from tests.simulation.storage import SimulatedDatabase
from tests.simulation.vendors import Port, Vendors

SYSTEMS = ("billing", "erp", "support", "crm")
TENANT = "t"


class OwnerLock:
    """What the operating system gives to one process at a time, and takes back when it dies."""

    def __init__(self) -> None:
        self.holder: object | None = None

    def for_one(self) -> "Owner":
        return Owner(self)


class Owner:
    """One process's claim."""

    def __init__(self, lock: OwnerLock) -> None:
        self._lock = lock

    async def take(self) -> None:
        if self._lock.holder not in (None, self):
            raise Refused("another process already drives this database", code="engine.owned")
        self._lock.holder = self

    async def release(self) -> None:
        if self._lock.holder is self:
            self._lock.holder = None


class Surroundings(msgspec.Struct, kw_only=True):
    """What a life finds when it begins."""

    loop: SimulatedLoop
    vendors: Vendors
    source: Source
    lock: OwnerLock
    verifies: bool
    """Whether what was confirmed is read back."""
    estate_version: int = 1
    on_lost: Callable[[BaseException], None] = lambda _: None


class Platform:
    """Built and started the way the wiring does it."""

    def __init__(self, around: Surroundings, *, seed: str) -> None:
        self._around = around
        loop = around.loop
        self.database = SimulatedDatabase()
        chain = self.database.read_now(lambda connection: continue_chain(connection, "main"))
        self.writer = Writer(self.database, chain=chain, follow_ups=FOLLOW_UPS)
        self.writer.on_lost = around.on_lost
        rng = random.Random(f"{seed}/platform")
        ledger = Ledger(writer=self.writer, clock=loop, rng=rng, patience=Patience(tries=3))
        tools = Tools(
            database=self.database,
            writer=self.writer,
            ledger=ledger,
            clock=loop,
            locks=LocalLocks(),
            estate_now=lambda: estate(2),
        )
        ports = {system: Port(around.vendors, system) for system in SYSTEMS}
        driver = Driver(tools=tools, flows=FLOWS, ports=ports, estate_at=estate, rng=rng)
        self.engine = Journal(
            database=self.database,
            writer=self.writer,
            clock=loop,
            drive=driver.drive,
            ownership=around.lock.for_one(),
        )
        self.engine.in_flight_max, self.engine.window = 8, 16
        self.inbox = Inbox(tenant=TENANT, database=self.database, writer=self.writer, clock=loop)
        self.pump = self._pump()
        self.inbox.on_new = self.pump.nudge
        self.verifier = Verifier(
            database=self.database,
            writer=self.writer,
            clock=loop,
            ports={system: ports[system] for system in ("erp", "support")},
            policies=lambda: estate(2).policies,
        )
        parts = self._parts()
        self.desk = Desk(parts, estate=lambda: estate(self._around.estate_version), reread=self.pump.nudge)
        self.approvals = ApprovalDesk(parts, estate=lambda: estate(2), wake=self.engine.nudge)
        self.poller = self._poller(rng)

    def _pump(self) -> Pump:
        parts = PumpParts(
            database=self.database,
            writer=self.writer,
            clock=self._around.loop,
            router=Router(FLOWS, clock=self._around.loop),
            sources={role: Understood(role=role, translate=translate) for role in ("crm", "billing")},
            estate=lambda: estate(self._around.estate_version),
        )
        return Pump(parts, on_published=self.engine.nudge)

    def _parts(self) -> DeskParts:
        return DeskParts(
            tenant=TENANT,
            database=self.database,
            writer=self.writer,
            clock=self._around.loop,
            engine=self.engine,
            flows=FLOWS,
        )

    def _poller(self, rng: random.Random) -> Poller:
        async def poll(_: Any, since: str) -> AsyncIterator[list[Row]]:
            found = [row for row in map(_row, self._around.source.rows()) if row.sequence >= since]
            for start in range(0, len(found), 5):
                await asyncio.sleep(0.05)
                yield found[start : start + 5]
            self._around.source.polled_s = self._around.loop.time()

        ports = PollPorts(
            keep=self._keep_rows, load_cursor=self._load_cursor, save_cursor=self._save_cursor, failed=lambda *_: None
        )
        return Poller(Stream(name="records", poll=poll, look_back_s=10, every_s=3), None, ports=ports, rng=rng)

    async def _keep_rows(self, rows: Sequence[Row]) -> None:
        await self.inbox.keep(
            [
                Arrival(
                    connection="billing" if row.delivery_id.startswith("payment") else "crm",
                    stream="records",
                    delivery_id=row.delivery_id,
                    body=row.body,
                )
                for row in rows
            ]
        )

    async def _load_cursor(self) -> str:
        query = select(cursor_table.c.cursor).where(cursor_table.c.connection == "all")
        return await self.database.read(lambda connection: connection.execute(query).scalar_one_or_none()) or ""

    async def _save_cursor(self, cursor: str) -> None:
        changes = Changes()
        changes.put(
            cursor_table, CursorRow(connection="all", stream="records", cursor=cursor, at_ms=self._around.loop.now_ms())
        )
        await self.writer.commit(changes, at="simulation.cursor")

    async def run(self) -> None:
        """Start, and go on until killed."""
        self.writer.start()
        await self.engine.start()
        tasks = [self.pump.run(), self.poller.run(asyncio.Event())]
        await asyncio.gather(*tasks, *([self.verifier.run()] if self._around.verifies else []))


def _row(arrival: Arrival) -> Row:
    record = msgspec.json.decode(arrival.body, type=Record)
    return Row(delivery_id=arrival.delivery_id, sequence=utc_text(record.at_ms), body=arrival.body)
