"""Puts the platform together: the one place that names vendors and picks the engine."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import structlog
from sqlalchemy import Connection, select

from accordant.backbone import rows
from accordant.backbone.engine.driver import Driver
from accordant.backbone.engine.journal import Journal
from accordant.backbone.engine.place import place_of, until_leading
from accordant.backbone.engine.port import Engine
from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.inbox import Arrival, Inbox
from accordant.backbone.ledger import Ledger
from accordant.backbone.pump import Pump, PumpParts, Source
from accordant.backbone.router import Router
from accordant.backbone.rows import CursorRow, cursor_table
from accordant.backbone.tools import Tools
from accordant.canonical.operation import SystemPort
from accordant.connector.capabilities import ConnectionSettings, Connector, Row, Stream
from accordant.connector.http import VendorHttp, open_session
from accordant.connector.polling import Poller, PollPorts
from accordant.connector.settings import settings_of as connection_settings
from accordant.connector.wire import HttpDeps
from accordant.governance import versions
from accordant.governance.connections import ConnectionEntry, load_connections
from accordant.governance.versions import EstateStore
from accordant.kernel.chance import system_random
from accordant.kernel.clock import Clock, SteadyClock, SystemClock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.database.schema import prepare_schema
from accordant.kernel.errors import Misconfigured
from accordant.kernel.failpoints import around
from accordant.kernel.settings import Settings
from accordant.masterdata import crosswalk, identity, records, standing
from accordant.operations.approvals import ApprovalDesk
from accordant.operations.entitlements import Entitlements, finder
from accordant.operations.exceptions import Desk, DeskParts
from accordant.operations.lateness import Lateness
from accordant.operations.telling import FileChannel, Teller
from accordant.operations.verification import Verifier
from accordant.process.shipped import FLOWS
from accordant.systems import netsuite, salesforce, stripe, zendesk
from accordant.telemetry import audit
from accordant.telemetry.audit import continue_chain

__all__ = ["DOCUMENTED_LIMITS", "FLOWS", "VENDORS", "Connected", "Platform", "settings_of"]

log = structlog.get_logger("platform")

VENDORS: Mapping[str, Connector] = {
    one.vendor: one for one in (salesforce.connector, stripe.connector, netsuite.connector, zendesk.connector)
}
ROOMS_WITH_TABLES = (audit, versions, crosswalk, identity, records, standing, rows)

DOCUMENTED_LIMITS: Mapping[str, Mapping[str, float]] = {
    "stripe": {"rate_per_s": 24.5},
    "netsuite": {"concurrency": 5},
    "zendesk": {"rate_per_s": 11.6},
    "salesforce": {"daily_quota": 100_000},
}
"""Budgets that keep just inside the vendors' documented limits; the sources stand in the vendors' READMEs."""


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """One connection, alive."""

    settings: ConnectionSettings
    connector: Connector
    port: SystemPort
    http: VendorHttp
    session: aiohttp.ClientSession


class Platform:
    """Everything that runs in one process."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        self.settings = settings
        self.wall = clock or SystemClock()
        """For what others say the time is: signatures, tokens, limits."""
        self.clock: Clock = self.wall
        """For what we write down ourselves; never set back once the platform has started."""
        self.rng = rng or system_random()
        self.database = Database(settings.database_url)
        self.failed = asyncio.Event()
        """Set when the process must end: the disk or the ownership of the database was lost."""
        self.connections: dict[str, Connected] = {}
        self._stop_polling = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin, or go on where the last process ended. Raises Refused when another process owns the database."""
        with around("schema.prepare"):
            await asyncio.to_thread(prepare_schema, self.database, ROOMS_WITH_TABLES)
        self.place = place_of(
            self.database, engine=self.settings.engine, worker=f"{self.rng.getrandbits(48):x}", on_lost=self.failed.set
        )
        if not self.place.is_shared:
            await self.place.lead.take()  # before anything is written
        chain = await self.database.read(lambda connection: continue_chain(connection, self.place.segment))
        self.clock = SteadyClock(self.wall, not_before_ms=chain.last_at_ms)
        self.writer = Writer(self.database, chain=chain, follow_ups=FOLLOW_UPS, shared=self.place.is_shared)
        self.writer.on_lost = lambda _: self.failed.set()
        self.writer.start()
        folder = self.settings.state / "estate"
        self.estates = EstateStore(
            self.database, self.writer, clock=self.clock, folder=folder, tenant=self.settings.tenant
        )
        await self.estates.start()
        for entry in load_connections(folder):
            self.connections[entry.name] = self._connect(entry)
        self._assemble()
        await self.engine.start()
        self._spawn("lead", self._lead())

    async def _lead(self) -> None:
        """Publish, verify and poll, in one process at a time; the others stand by."""
        await until_leading(self.place)
        self._spawn("pump", self.pump.run())
        self._spawn("verifier", self.verifier.run())
        self._spawn("teller", self.teller.run())
        self._spawn("lateness", self.lateness.run())
        for name, connected in self.connections.items():
            for stream in connected.connector.streams:
                self._spawn(f"poll {name}", self._poller(name, connected, stream=stream).run(self._stop_polling))

    def _assemble(self) -> None:
        ports = self.ports()
        self.ledger = Ledger(writer=self.writer, clock=self.clock, rng=self.rng)
        tools = Tools(
            database=self.database,
            writer=self.writer,
            ledger=self.ledger,
            clock=self.clock,
            locks=self.place.locks,
            estate_now=self.estates.current,
        )
        driver = Driver(tools=tools, flows=FLOWS, ports=ports, estate_at=self.estates.at, rng=self.rng)
        self.engine: Engine = self._engine(driver)
        self.engine.on_crashed = self.failed.set
        self.inbox = Inbox(tenant=self.settings.tenant, database=self.database, writer=self.writer, clock=self.clock)
        self.pump = Pump(
            PumpParts(
                database=self.database,
                writer=self.writer,
                clock=self.clock,
                router=Router(FLOWS, clock=self.clock),
                sources={
                    name: Source(role=one.connector.role, translate=one.connector.translate)
                    for name, one in self.connections.items()
                },
                estate=self.estates.current,
            ),
            on_published=self.engine.nudge,
        )
        self.inbox.on_new = self.pump.nudge
        self._assemble_operations(ports)

    def _assemble_operations(self, ports: dict[str, Any]) -> None:
        """What people work with: the desk for what is open, notices to owners, read-back, what is late."""
        works_on: dict[str, Any] = {"database": self.database, "writer": self.writer, "clock": self.clock}
        parts = DeskParts(
            tenant=self.settings.tenant,
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            engine=self.engine,
            flows=FLOWS,
        )
        self.desk = Desk(parts, estate=self.estates.current, reread=self.pump.nudge)
        self.approvals = ApprovalDesk(parts, estate=self.estates.current, wake=self.engine.nudge)
        found = finder(self.database, self.settings.tenant)
        self.entitlements = Entitlements(found, ports=ports, clock=self.clock, estate=self.estates.current)
        self.teller = Teller(FileChannel(self.settings.state / "notices.jsonl"), **works_on)
        policies: dict[str, Any] = {"policies": lambda: self.estates.current().policies}
        self.verifier = Verifier(ports=ports, **works_on, **policies)
        self.lateness = Lateness(flows=tuple(FLOWS.all()), **works_on, **policies)

    def _engine(self, driver: Driver) -> Engine:
        if self.settings.engine == "dbos":
            from accordant.backbone.engine.dbos import DbosEngine

            engine = DbosEngine(
                database=self.database, writer=self.writer, clock=self.clock, drive=driver.drive, place=self.place
            )
            engine.in_flight_max, engine.window = self.settings.in_flight, self.settings.window
            return engine
        journal = Journal(
            database=self.database, writer=self.writer, clock=self.clock, drive=driver.drive, ownership=self.place.lead
        )
        journal.in_flight_max = self.settings.in_flight
        journal.window = self.settings.window
        return journal

    def ports(self) -> dict[str, Any]:
        """The client of each role: crm, billing, erp, support."""
        by_role: dict[str, Any] = {}
        for name, one in self.connections.items():
            if one.connector.role in by_role:
                raise Misconfigured(f"{name} is a second {one.connector.role}; one connection per role is supported")
            by_role[one.connector.role] = one.port
        return by_role

    def _connect(self, entry: ConnectionEntry) -> Connected:
        settings, connector = settings_of(entry, self.settings.state)
        session = open_session()
        http = VendorHttp(
            settings, connector.manners(settings), deps=HttpDeps(session=session, clock=self.wall, rng=self.rng)
        )
        return Connected(
            settings=settings,
            connector=connector,
            port=connector.connect(settings, http),
            http=http,
            session=session,
        )

    def _poller(self, name: str, connected: Connected, *, stream: Stream) -> Poller:
        async def keep(rows: Sequence[Row]) -> None:
            with around("poll.handover"):
                await self.inbox.keep(
                    [
                        Arrival(connection=name, stream=stream.name, delivery_id=row.delivery_id, body=row.body)
                        for row in rows
                    ]
                )

        async def load() -> str:
            return await self.database.read(lambda connection: _cursor(connection, name, stream=stream.name))

        async def save(cursor: str) -> None:
            changes = Changes()
            row = CursorRow(connection=name, stream=stream.name, cursor=cursor, at_ms=self.clock.now_ms())
            changes.put(cursor_table, row)
            await self.writer.commit(changes, at="poll.cursor")

        def failed(error: Exception, failures: int) -> None:
            log.warning("poll.failed", connection=name, stream=stream.name, failures=failures, error=str(error)[:300])

        ports = PollPorts(keep=keep, load_cursor=load, save_cursor=save, failed=failed, now_ms=self.clock.now_ms)
        return Poller(stream, connected.port, ports=ports, rng=self.rng)

    def _spawn(self, name: str, work: Any) -> None:
        with around("platform.worker"):
            task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A worker that ends by itself is a defect: say so and end the process, which starts again clean."""
        if not task.cancelled() and task.exception() is not None:
            log.error("worker.crashed", worker=task.get_name(), error=repr(task.exception()))
            self.failed.set()

    async def stop(self) -> None:
        """Finish what is in hand and let go of everything."""
        self._stop_polling.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.stop()
        await self.writer.stop()
        await self.place.lead.release()
        for one in self.connections.values():
            await one.session.close()
        self.database.close()


def settings_of(entry: ConnectionEntry, state: Path) -> tuple[ConnectionSettings, Connector]:
    """A connection with everything its client needs. Raises Misconfigured where something is missing."""
    if entry.vendor not in VENDORS:
        raise Misconfigured(
            f"connection {entry.name}: no connector is called {entry.vendor!r}; there are {list(VENDORS)}"
        )
    connector = VENDORS[entry.vendor]
    return connection_settings(entry, state, sandbox=connector.sandbox_seed), connector


def _cursor(connection: Connection, name: str, *, stream: str) -> str:
    columns = cursor_table.c
    query = select(columns.cursor).where(columns.connection == name, columns.stream == stream)
    return connection.execute(query).scalar_one_or_none() or ""
