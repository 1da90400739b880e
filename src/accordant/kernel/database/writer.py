"""Group commit: one thread writes everything that is waiting, in one database transaction, and then says so.

Nobody is told that something is committed before the database said so. A batch that holds a value which cannot be
stored is split, so that it fails alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import structlog

from accordant.kernel.database.changes import Changes, Committed
from accordant.kernel.database.connection import Database
from accordant.kernel.database.problems import NotCommitted, StorageLost
from accordant.kernel.database.session import Chain, Outcome, WritingSession
from accordant.kernel.errors import AccordantError
from accordant.kernel.failpoints import around

__all__ = ["Chain", "NotCommitted", "StorageLost", "Writer"]

log = structlog.get_logger("writer")
_BATCH_MAX = 4096
_LINGER_S = 0.01
_WORTH_A_GROUP = 12
"""How long changes that nobody waits for may lie, and how many of them are written at once all the same: while many
transactions are under way, the disk is to work while they call."""

Waiting = tuple[Changes, "asyncio.Future[Committed] | None"]


class Writer:
    """The only way to change the database."""

    def __init__(
        self, database: Database, *, chain: Chain, follow_ups: Mapping[str, str], shared: bool = False
    ) -> None:
        """`follow_ups`: named statements with one parameter, written as `:p`, in the order in which they run.

        `shared`: other processes write too (PostgreSQL); their commits and ours take turns.
        """
        self._session = WritingSession(database, chain=chain, follow_ups=follow_ups, shared=shared)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accordant-write")
        self._waiting: deque[Waiting] = deque()
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._lingering: asyncio.TimerHandle | None = None
        self._lost: StorageLost | None = None
        self.is_taking = True
        """Whether the database took the last group; while it does not, nothing is begun that it must remember."""
        self.on_lost: Callable[[BaseException], None] | None = None

    @property
    def commits(self) -> int:
        """How many database transactions were committed."""
        return self._session.commits

    @property
    def rows(self) -> int:
        """How many rows they wrote."""
        return self._session.rows

    def start(self) -> None:
        """Begin writing; must be called inside the running loop."""
        with around("writer.start"):
            self._task = asyncio.get_running_loop().create_task(self._run(), name="writer")

    async def stop(self) -> None:
        """Write what is waiting, then stop; stopping twice does no harm."""
        if self._stopping:
            return
        self._stopping = True
        self._something.set()
        if self._task:
            await self._task
        with around("writer.stop"):
            await asyncio.get_running_loop().run_in_executor(self._thread, self._session.close)
        self._thread.shutdown(wait=True)

    async def commit(self, changes: Changes, *, at: str) -> Committed:
        """Return when the changes are durable. `at` names the boundary for drills.

        Raises NotCommitted when they are surely not, Unstorable when they never will be, StorageLost.
        """
        if self._lost:
            raise self._lost
        if self._stopping or self._task is None:
            raise NotCommitted("the writer has stopped; start the platform again")
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        with around(at):
            self._waiting.append((changes, future))
            self._something.set()
            return await future

    def post(self, changes: Changes, *, at: str) -> None:
        """Write with the next group, without waiting for it. `at` names the boundary for drills.

        A few go with what somebody waits for: a group of their own would only hold that up.
        """
        with around(at):
            if self._lost is not None:
                return
            self._waiting.append((changes, None))
            if len(self._waiting) >= _WORTH_A_GROUP:
                self._something.set()
            elif self._lingering is None:
                self._lingering = asyncio.get_running_loop().call_later(_LINGER_S, self._something.set)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or not self._stopping:
            await self._something.wait()
            batch = self._take()
            if not batch:
                continue
            changes = [one for one, _ in batch]
            try:
                with around("writer.group"):
                    outcomes = await loop.run_in_executor(self._thread, self._session.write, changes)
            except StorageLost as lost:
                self._lose(batch, lost)
                return
            except Exception as crash:  # nobody else writes: whoever waits must hear of it, and the process ends
                log.exception("writer.crashed")
                self._lose(batch, StorageLost(f"the writer failed with {type(crash).__name__}: {crash}"))
                return
            self._look_at(outcomes)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                _tell(future, outcome)

    def _take(self) -> list[Waiting]:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]
        if not self._waiting and not self._stopping:
            self._something.clear()
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        return batch

    def _look_at(self, outcomes: list[Outcome]) -> None:
        """Say it once when the database stops taking changes, and once when it takes them again."""
        refused = next((one for one in outcomes if isinstance(one, NotCommitted)), None)
        if refused is not None and self.is_taking:
            log.error("storage.refused", error=refused.message[:300], hint="make room, or see that the server runs")
        elif refused is None and not self.is_taking:
            log.warning("storage.recovered")
        self.is_taking = refused is None

    def _lose(self, batch: list[Waiting], lost: StorageLost) -> None:
        self._lost = lost
        log.error("storage.lost", error=lost.message[:300], hint="this process ends; the next one reads it afresh")
        for _, future in [*batch, *self._waiting]:
            _tell(future, lost)
        self._waiting.clear()
        if self.on_lost:
            self.on_lost(lost)


def _tell(future: "asyncio.Future[Committed] | None", outcome: Outcome) -> None:
    if future is None:
        if isinstance(outcome, AccordantError):
            log.warning("post.not_committed", code=outcome.code, error=outcome.message)
    elif not future.done():
        if isinstance(outcome, AccordantError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
