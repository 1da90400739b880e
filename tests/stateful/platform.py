"""A whole small platform: the rig of the conformance tests with inbox, pump, poller, teller, verifier and replays."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from accordant.backbone.inbox import WEBHOOK, Arrival, Inbox, Kept
from accordant.backbone.pump import Pump, PumpParts, Source
from accordant.backbone.router import Router
from accordant.backbone.rows import CursorRow, cursor_table
from accordant.connector.capabilities import Row, Stream
from accordant.connector.polling import Poller, PollPorts
from accordant.kernel import failpoints
from accordant.kernel.clock import SteadyClock, utc_text
from accordant.kernel.database import Changes, Database
from accordant.kernel.errors import Retryable
from accordant.operations.approvals import ApprovalDesk
from accordant.operations.asking import Notice
from accordant.operations.exceptions import Desk, DeskParts
from accordant.operations.replay import ReplayParts, Replays
from accordant.operations.telling import Teller
from accordant.operations.verification import Verifier
from accordant.telemetry.audit import continue_chain
from tests.backbone.conformance.rig import Rig
from tests.stateful.business import FIRST_ESTATE, MORE_FLOWS, ORDER_OPTIONS, Record, order, translate
from tests.stateful.loop import START_MS, Died, VirtualLoop, WorldTime
from tests.stateful.systems import Systems

_UNTOUCHABLE = ("owner.",)
"""The operating system frees the lock of a process that dies here; this thread would keep it."""


class Notices:
    """The channel on which owners read."""

    name = "notices"

    def __init__(self) -> None:
        self.sent: list[Notice] = []

    def send(self, notice: Notice) -> None:
        self.sent.append(notice)


class Platform(Rig):
    """Lives, dies at any failpoint, and lives again on the same database file."""

    def __init__(self, url: str, *, loop: VirtualLoop, world: WorldTime) -> None:
        super().__init__("journal", url, steps=order, **ORDER_OPTIONS)
        self.clock: Any = world
        self.world = world
        self.loop = loop
        self.systems = Systems(world)
        self.more_flows = MORE_FLOWS
        self.ports = {"systems": self.systems}
        self.estates = {1: FIRST_ESTATE}
        self.sleep = asyncio.sleep
        self.ticking = False
        self.notices = Notices()
        self.source: dict[tuple[str, str], Record] = {}
        """The newest version of each record, as the source shows it to whoever polls."""
        self.alive = False
        self.killed = asyncio.Event()
        self.died_at = ""
        self._places_left: int | None = None

    def newest_estate(self) -> Any:
        return self.estates[max(self.estates)]

    async def start(self) -> None:
        observer = Database(self.url, readers=1)
        last_ms = observer.read_now(lambda c: continue_chain(c, "main")).last_at_ms
        observer.close()
        self.clock = SteadyClock(self.world, not_before_ms=last_ms)
        await super().start()
        self._receive()
        parts = DeskParts(
            tenant="t",
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            engine=self.engine,
            flows=self.flows,
        )
        self.desk = Desk(parts, estate=self.newest_estate, reread=self.pump.nudge)
        self.approvals = ApprovalDesk(parts, estate=self.newest_estate, wake=self.engine.nudge)
        self.replays = Replays(
            ReplayParts(
                database=self.database,
                writer=self.writer,
                clock=self.clock,
                engine=self.engine,
                reread=self.pump.nudge,
            )
        )
        teller = Teller(self.notices, database=self.database, writer=self.writer, clock=self.clock)
        verifier = Verifier(
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            ports={one.name: one for one in self.systems.all()},
            policies=lambda: self.newest_estate().policies,
        )
        self._tasks = [asyncio.ensure_future(one) for one in (self.pump.run(), teller.run(), self._verify(verifier))]
        self.alive = True

    async def _verify(self, verifier: Verifier) -> None:
        """As `Verifier.run`, and less often: reading back six systems twice a second would be most of the test."""
        while True:
            for system in self.systems.all():
                with contextlib.suppress(Retryable):
                    await verifier.step(system.name)
            await asyncio.sleep(1.0)

    def _receive(self) -> None:
        self.inbox = Inbox(tenant="t", database=self.database, writer=self.writer, clock=self.clock)
        parts = PumpParts(
            database=self.database,
            writer=self.writer,
            clock=self.clock,
            router=Router(self.flows, clock=self.clock),
            sources={"crm": Source(role="crm", translate=translate)},
            estate=self.newest_estate,
        )
        self.pump = Pump(parts, on_published=self.engine.nudge)
        self.inbox.on_new = self.pump.nudge
        stream = Stream(name="records", poll=self._rows, look_back_s=60)
        ports = PollPorts(
            keep=self._keep_rows, load_cursor=self._cursor, save_cursor=self._save_cursor, failed=lambda *_: None
        )
        self.poller = Poller(stream, None, ports=ports, rng=random.Random(1))

    async def hook(self, delivery_id: str, body: bytes) -> Kept:
        """A webhook that was proved authentic; returning means 2xx."""
        kept = await self.inbox.keep([Arrival(connection="crm", stream=WEBHOOK, delivery_id=delivery_id, body=body)])
        return kept[0]

    async def _rows(self, _: Any, since: str) -> AsyncIterator[list[Row]]:
        for one in sorted(self.source.values(), key=lambda record: record.at_ms, reverse=True):
            if utc_text(one.at_ms) >= since:
                body = msgspec.json.encode(one)
                yield [Row(delivery_id=f"{one.kind}/{one.name}@{one.version}", sequence=utc_text(one.at_ms), body=body)]

    async def _keep_rows(self, rows: Sequence[Row]) -> None:
        await self.inbox.keep(
            [Arrival(connection="crm", stream="records", delivery_id=row.delivery_id, body=row.body) for row in rows]
        )

    async def _cursor(self) -> str:
        query = select(cursor_table.c.cursor)
        return await self.database.read(lambda connection: connection.execute(query).scalar()) or ""

    async def _save_cursor(self, cursor: str) -> None:
        changes = Changes()
        changes.put(cursor_table, CursorRow(connection="crm", stream="records", cursor=cursor, at_ms=START_MS))
        await self.writer.commit(changes, at="test")

    def die_in(self, places: int | None) -> None:
        """Be killed at the n-th place reached from now on; None: live."""
        self._places_left = places
        failpoints.arm(self._reach)

    def _reach(self, place: str) -> None:
        if self.killed.is_set():
            raise Died(self.died_at)
        if self._places_left is None or place.startswith(_UNTOUCHABLE):
            return
        self._places_left -= 1
        if self._places_left <= 0:
            self.died_at = place
            self.kill()
            raise Died(place)

    def kill(self) -> None:
        """From this instant on nothing that it had in hand goes any further."""
        self.loop.life += 1
        self.killed.set()

    async def bury(self) -> None:
        """What the operating system does with a process that died."""
        self.kill()
        self.alive = False
        failpoints.arm(self._reach)  # what is cleaned up meanwhile must reach nothing outside
        with contextlib.suppress(Died):
            await self.crash()
        failpoints.arm(None)
        self._places_left = None
        self.systems.forget_callers()
        self.killed.clear()
