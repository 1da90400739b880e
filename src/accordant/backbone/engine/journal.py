"""The embedded engine: one process drives everything, and the database is its only memory.

Due transactions stay marked as due until the commit that ends or parks them, so a process that dies at any
instruction leaves exactly the marks from which the next one goes on. Nothing is written when a drive begins. The
engine holds the owner's lock of the database; without it, it refuses to start, and losing it ends the process.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from accordant.backbone.engine.due import due_page, next_wake_ms
from accordant.backbone.engine.ownership import Ownership
from accordant.backbone.engine.port import Drive, Due
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes, Database, Writer
from accordant.kernel.database.writer import NotCommitted, StorageLost

log = structlog.get_logger("engine")
_SWEEP_EVERY_S = 0.25
_LOOK_AGAIN_S = 1.0


class Journal:
    """Drives due transactions in this process."""

    def __init__(self, *, database: Database, writer: Writer, clock: Clock, drive: Drive, ownership: Ownership) -> None:
        self.in_flight_max = 64
        self.window = 512
        self._database = database
        self._writer = writer
        self._clock = clock
        self._drive = drive
        self._ownership = ownership
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._reserved: set[str] = set()
        self._commands = asyncio.Lock()
        self._ready: deque[Due] = deque()
        self._kick = asyncio.Event()
        self._stale = True
        self._exhausted = False
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.driven = 0

    @property
    def driving(self) -> int:
        return len(self._driving)

    async def start(self) -> None:
        await self._ownership.take()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._dispatch(), name="dispatch"),
            loop.create_task(self._sweep(), name="sweep"),
        ]

    async def stop(self) -> None:
        self._stopping = True
        self._kick.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._driving.values(), return_exceptions=True)
        await self._ownership.release()

    def nudge(self) -> None:
        self._stale = True
        self._kick.set()

    async def alone(self, transaction_ids: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        wanted = set(transaction_ids)
        async with self._commands:
            self._reserved = wanted
            try:
                running = [task for name, task in self._driving.items() if name in wanted]
                if running:
                    await asyncio.wait(running)
                await act()
            finally:
                self._reserved = set()
                self._ready.clear()
                self.nudge()

    async def _dispatch(self) -> None:
        while not self._stopping:
            if len(self._driving) >= self.in_flight_max:
                self._kick.clear()
                await self._kick.wait()
                continue
            if self._stale or (not self._ready and not self._exhausted):
                await self._refill()
            if not self._ready:
                await self._wait_for_work()
                continue
            due = self._ready.popleft()
            name = due.row.transaction_id
            if name in self._driving or name in self._reserved:
                continue
            task = asyncio.get_running_loop().create_task(self._drive_one(due))
            self._driving[name] = task

    async def _wait_for_work(self) -> None:
        self._kick.clear()
        if self._stale:
            return
        try:
            await asyncio.wait_for(self._kick.wait(), _LOOK_AGAIN_S)
        except TimeoutError:
            self._stale = True

    async def _refill(self) -> None:
        """Read the most urgent page again; what is being driven is left out."""
        self._stale = False
        leave_out = frozenset(self._driving) | self._reserved
        page = await self._database.read(
            lambda connection: due_page(connection, limit=self.window, leave_out=leave_out)
        )
        self._ready = deque(page)
        self._exhausted = len(page) < self.window

    async def _drive_one(self, due: Due) -> None:
        name = due.row.transaction_id
        try:
            await self._drive(due)
            self.driven += 1
        except NotCommitted as refused:
            log.warning("drive.not_committed", transaction_id=name, error=str(refused))
            await asyncio.sleep(1.0)
        except StorageLost:
            self._stopping = True
        finally:
            del self._driving[name]
            self._stale = self._stale or not self._ready
            self._kick.set()

    async def _sweep(self) -> None:
        """Wake what has slept long enough."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            wake_ms = await self._database.read(next_wake_ms)
            now = self._clock.now_ms()
            if wake_ms is None or wake_ms > now:
                continue
            changes = Changes()
            changes.follow_up("wake_sleepers", str(now))
            try:
                await self._writer.commit(changes)
            except NotCommitted as refused:
                log.warning("sweep.not_committed", error=str(refused))
            self.nudge()
