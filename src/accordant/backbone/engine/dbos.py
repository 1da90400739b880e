"""The engine for several workers: DBOS hands out drives, one at a time; everything that must be right is ours.

A DBOS workflow is one drive of one transaction, until it ends or parks. What a drive may do is decided by our own
database: it takes the transaction's lock, reads the row anew, and does nothing where it is not due (any more). So it
does no harm when DBOS hands a drive out twice, and our sweeper asks again for whatever is due and not being driven,
so it does no harm either when DBOS forgets one. DBOS steps are not used, and nothing is pickled.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
from dbos import DBOS, DBOSConfig, Serializer, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from accordant.backbone.engine.due import one_due, wake_sleepers
from accordant.backbone.engine.place import Place
from accordant.backbone.engine.port import Drive
from accordant.backbone.rows import transaction_table
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database, NotCommitted, NotRead, StorageLost, Writer
from accordant.kernel.failpoints import around

log = structlog.get_logger("engine")
QUEUE = "accordant-drives"
_SCOPE = "drive"
_SWEEP_EVERY_S = 0.2
_ASK_AGAIN_S = 2.0
_PRIORITY_UNIT_MS = 1000


class JsonText(Serializer):
    """Inputs and outcomes are plain text; anything else is described, never pickled."""

    def serialize(self, data: Any) -> str:
        return json.dumps(data, default=repr)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return "accordant_json"


class _Asked(msgspec.Struct):
    """A drive that was asked for."""

    drives: int
    at_s: float
    times: int = 0


_running: "dict[str, DbosEngine]" = {}
"""The engine of this process: DBOS finds workflows by name, so that they cannot belong to an object."""


@DBOS.workflow(name="accordant.drive", max_recovery_attempts=None)
async def drive_once(transaction_id: str) -> str:
    """One drive; the drive itself runs in the platform's own loop."""
    engine = _running.get(QUEUE)
    if engine is None:
        return "stopped"
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(engine.drive_one(transaction_id), engine.loop))


class DbosEngine:
    """Drives due transactions in any number of processes on PostgreSQL, or in one on SQLite."""

    def __init__(self, *, database: Database, writer: Writer, clock: Clock, drive: Drive, place: Place) -> None:
        self.in_flight_max = 64
        self.window = 512
        self.driven = 0
        self.loop = asyncio.get_running_loop()
        self._database = database
        self._writer = writer
        self._clock = clock
        self._drive = drive
        self._locks = place.locks
        self._worker = place.segment
        self._driving: dict[str, asyncio.Future[None]] = {}
        self._reserved: set[str] = set()
        self._room = asyncio.Semaphore(self.in_flight_max)
        self._commands = asyncio.Lock()
        self._asked: dict[str, _Asked] = {}
        self._kick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.on_crashed: Callable[[], None] = lambda: None

    @property
    def driving(self) -> int:
        return len(self._driving)

    async def start(self) -> None:
        await self._locks.open()
        self._room = asyncio.Semaphore(self.in_flight_max)
        _running[QUEUE] = self
        with around("dbos.start"):
            await asyncio.to_thread(self._launch)
        with around("dbos.sweep"):
            self._task = self.loop.create_task(self._sweep(), name="sweep")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*self._driving.values())
        with around("dbos.stop"):
            await asyncio.to_thread(DBOS.destroy)
        _running.pop(QUEUE, None)
        await self._locks.close()

    def nudge(self) -> None:
        self._kick.set()

    async def alone(self, transaction_ids: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        async with self._commands:
            self._reserved = set(transaction_ids)
            try:
                running = [ended for name, ended in self._driving.items() if name in self._reserved]
                if running:
                    await asyncio.wait(running)
                async with self._locks.hold(_SCOPE, transaction_ids):
                    await act()
            finally:
                self._reserved = set()
                self._asked.clear()
                self.nudge()

    async def drive_one(self, name: str) -> str:
        """Drive a transaction that DBOS handed out; says what became of it.

        DBOS keeps the number in its database and for a while goes by what an earlier process wrote there: what it
        hands out above ours waits here.
        """
        async with self._room:
            return await self._drive_alone(name)

    async def _drive_alone(self, name: str) -> str:
        if self._stopping or name in self._driving or name in self._reserved:
            return "left alone"
        ended: asyncio.Future[None] = self.loop.create_future()
        self._driving[name] = ended
        try:
            return await self._drive_locked(name)
        except (NotCommitted, NotRead, StorageLost) as refused:
            log.warning("drive.not_committed", transaction_id=name, error=refused.message)
            return "again"
        except Exception:  # not even parking succeeded: it stays due, and the sweeper asks again
            log.exception("drive.crashed", transaction_id=name)
            return "crashed"
        finally:
            del self._driving[name]
            ended.set_result(None)
            self._kick.set()

    async def _drive_locked(self, name: str) -> str:
        if not await self._locks.try_take(_SCOPE, name):
            return "driven elsewhere"
        try:
            due = await self._database.read(lambda connection: one_due(connection, name))
            if due is None or due.row.due_rank is None:
                return "not due"
            with around("dbos.drive"):
                await self._drive(due)
            self.driven += 1
            return "driven"
        finally:
            await self._locks.give_back(_SCOPE, name)

    async def _sweep(self) -> None:
        """Wake sleepers, and ask DBOS for a drive of whatever is due and not in hand."""
        while True:
            try:
                await wake_sleepers(self._database, self._writer, clock=self._clock)
                await self._ask_for_drives()
            except (NotCommitted, NotRead) as later:
                log.warning("sweep.postponed", error=later.message)
            except SQLAlchemyError as failed:
                log.warning("sweep.postponed", error=str(failed)[:300])
            self._kick.clear()
            with contextlib.suppress(TimeoutError):  # `wait_for` may lose a cancellation
                async with asyncio.timeout(_SWEEP_EVERY_S):
                    await self._kick.wait()

    async def _ask_for_drives(self) -> None:
        due = await self._database.read(lambda connection: _most_urgent(connection, self.window))
        self._asked = {name: asked for name, asked in self._asked.items() if name in due}
        now_s = self.loop.time()
        for name, (drives, rank) in due.items():
            asked = self._asked.get(name)
            if name in self._driving or name in self._reserved:
                continue
            if asked is None or asked.drives != drives:
                asked = self._asked[name] = _Asked(drives, now_s)
            elif now_s - asked.at_s < _ASK_AGAIN_S:
                continue
            with around("dbos.ask"):
                await asyncio.to_thread(self._ask, name, asked, rank=rank)
            asked.at_s = now_s

    def _ask(self, name: str, asked: _Asked, *, rank: int) -> None:
        """Enqueue the drive unless it is in the queue already; a drive that ended without effect is asked for anew."""
        base = f"{name}:{asked.drives}"
        while True:
            workflow_id = f"{base}.{asked.times}" if asked.times else base
            known = DBOS.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
            if not known:
                break
            if known[0].status in {"ENQUEUED", "DELAYED"}:
                return
            asked.times += 1
        priority = max(1, min(rank // _PRIORITY_UNIT_MS, 2**31 - 1))
        with SetWorkflowID(workflow_id), SetEnqueueOptions(priority=priority), around("dbos.enqueue"):
            DBOS.enqueue_workflow(QUEUE, drive_once, name)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self._stopping:
            log.error("engine.crashed", worker=task.get_name(), error=repr(task.exception()))
            self.on_crashed()

    def _launch(self) -> None:
        url = self._database.url
        if self._database.is_sqlite:
            url = url.set(database=f"{url.database}.dbos")
        config: DBOSConfig = {
            "name": "accordant",
            "system_database_url": url.render_as_string(hide_password=False),
            "dbos_system_schema": "dbos",
            "serializer": JsonText(),
            "application_version": "1",  # workflows of every release drive alike, so that none is bound to its own
            "executor_id": self._worker,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)
        with around("dbos.launch"):
            DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self.in_flight_max,
            polling_interval_sec=0.1,
            on_conflict="always_update",
        )


def _most_urgent(connection: Connection, limit: int) -> dict[str, tuple[int, int]]:
    columns = transaction_table.c
    query = (
        select(columns.transaction_id, columns.drives, columns.due_rank)
        .where(columns.due_rank.is_not(None))
        .order_by(columns.due_rank)
        .limit(limit)
    )
    return {row.transaction_id: (row.drives, row.due_rank) for row in connection.execute(query)}
