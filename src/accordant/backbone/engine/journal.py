"""The embedded engine: one process drives everything, and the database is its only memory.

Due transactions stay marked as due until the commit that ends or parks them, so a process that dies at any
instruction leaves exactly the marks from which the next one goes on. Nothing is written when a drive begins. The
engine holds the owner's lock of the database; without it, it refuses to start, and losing it ends the process.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog

from accordant.backbone.engine.due import due_page, wake_sleepers
from accordant.backbone.engine.ownership import Ownership
from accordant.backbone.engine.port import Drive, Due
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database, NotCommitted, NotRead, StorageLost, Writer
from accordant.kernel.failpoints import around

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
        self._commands_done = 0
        self.driven = 0
        self.on_crashed: Callable[[], None] = lambda: None

    @property
    def driving(self) -> int:
        return len(self._driving)

    async def start(self) -> None:
        await self._ownership.take()
        loop = asyncio.get_running_loop()
        with around("journal.start"):
            self._tasks = [
                loop.create_task(self._dispatch(), name="dispatch"),
                loop.create_task(self._sweep(), name="sweep"),
            ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

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
                self._commands_done += 1
                self._ready.clear()
                self.nudge()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._stopping:
            log.error("engine.crashed", worker=task.get_name(), error=repr(task.exception()))
            self.on_crashed()

    async def _dispatch(self) -> None:
        while not self._stopping:
            try:
                await self._dispatch_on()
            except NotRead as later:
                log.warning("dispatch.postponed", error=later.message)
                self._stale = True
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def _dispatch_on(self) -> None:
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
            with around("journal.dispatch"):
                task = asyncio.get_running_loop().create_task(self._drive_one(due))
            self._driving[name] = task

    async def _wait_for_work(self) -> None:
        self._kick.clear()
        if self._stale:
            return
        try:
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await self._kick.wait()
        except TimeoutError:
            self._stale = True

    async def _refill(self) -> None:
        """Read the most urgent page again; what is being driven is left out."""
        self._stale = False
        commands = self._commands_done
        leave_out = frozenset(self._driving) | self._reserved
        with around("journal.refill"):
            page = await self._database.read(
                lambda connection: due_page(connection, limit=self.window, leave_out=leave_out)
            )
        if commands != self._commands_done:  # a command changed rows while they were being read: read them again
            self._stale = True
            return
        self._ready = deque(page)
        self._exhausted = len(page) < self.window

    async def _drive_one(self, due: Due) -> None:
        name = due.row.transaction_id
        try:
            with around("journal.drive"):
                await self._drive(due)
            self.driven += 1
        except (NotCommitted, NotRead) as refused:
            log.warning("drive.not_committed", transaction_id=name, error=str(refused))
            await asyncio.sleep(_LOOK_AGAIN_S)
        except StorageLost:
            self._stopping = True
        except Exception:  # not even parking succeeded: it stays due, and is tried again after a pause
            log.exception("drive.crashed", transaction_id=name)
            await asyncio.sleep(_LOOK_AGAIN_S)
        finally:
            del self._driving[name]
            self._stale = self._stale or not self._ready
            self._kick.set()

    async def _sweep(self) -> None:
        """Wake what has slept long enough."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            try:
                if await wake_sleepers(self._database, self._writer, clock=self._clock):
                    self.nudge()
            except (NotCommitted, NotRead) as later:
                log.warning("sweep.postponed", error=later.message)
