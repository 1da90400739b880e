"""Locks keep two transactions from creating the same master record, and two workers from driving one transaction."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation
from accordant.kernel.database import Database, NotRead
from accordant.kernel.failpoints import around
from accordant.kernel.ids import digest

_ASK_AGAIN_S = 0.03
_WATCH_EVERY_S = 2.0


class Locks(Protocol):
    """Exclusive locks on canonical ids."""

    def hold(self, tenant: str, ids: Sequence[str]) -> AbstractAsyncContextManager[None]:
        """Hold all of them; taken in sorted order, so that nobody waits in a circle."""
        ...

    async def require_ours(self) -> None:
        """Return when what this process holds is surely still its own.

        Raises NotRead where it may have been lost, such as to another worker while this process stood still.
        """
        ...


class DriveLocks(Locks, Protocol):
    """Locks that also say who may drive a transaction, across all processes on one database."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def try_take(self, scope: str, one: str) -> bool:
        """Take a lock at once or not at all; the caller sees to it that this process asks only once at a time."""
        ...

    async def give_back(self, scope: str, one: str) -> None: ...


def fenced(operation: Operation, locks: Locks) -> Operation:
    """What only a lock keeps single is not sent by a process that stood still while another one took over.

    A and B repeat their key or their record; between this question and the arrival of a C or D there is no fence.
    """
    if operation.effect_class not in (EffectClass.LOOKUP, EffectClass.ONCE):
        return operation

    async def send(attempt: Attempt) -> Applied:
        await locks.require_ours()
        with around("locks.fenced"):
            return await operation.send(attempt)

    return msgspec.structs.replace(operation, send=send)


class LocalLocks:
    """Locks within one process, enough where one process drives all transactions."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    async def open(self) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def try_take(self, scope: str, one: str) -> bool:
        """No other process asks."""
        return True

    async def give_back(self, scope: str, one: str) -> None:
        """No other process waits."""

    async def require_ours(self) -> None:
        """No other process could have taken it."""

    @asynccontextmanager
    async def hold(self, tenant: str, ids: Sequence[str]) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for one in sorted(set(ids)):
                await stack.enter_async_context(self._one((tenant, one)))
            yield

    @asynccontextmanager
    async def _one(self, key: tuple[str, str]) -> AsyncGenerator[None]:
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)


class AdvisoryLocks:
    """Locks across processes: PostgreSQL drops them the moment their holder's connection ends, however it ends.

    All of a process's locks live on one connection. Losing it means that another worker may have taken them:
    `on_lost` must end the process.
    """

    def __init__(self, database: Database, *, on_lost: Callable[[], None]) -> None:
        self._database = database
        self._on_lost = on_lost
        self._local = LocalLocks()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accordant-locks")
        self._connection: Any = None
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and keep watch over the connection."""
        await self._run(self._connect)
        with around("locks.watch"):
            self._watch = asyncio.get_running_loop().create_task(self._keep_watch(), name="locks")

    async def close(self) -> None:
        """Drop every lock."""
        if self._watch is not None:
            self._watch.cancel()
        await self._run(self._disconnect)
        self._thread.shutdown(wait=True)

    async def try_take(self, scope: str, one: str) -> bool:
        return bool(await self._ask("pg_try_advisory_lock", scope, one=one))

    async def give_back(self, scope: str, one: str) -> None:
        await self._ask("pg_advisory_unlock", scope, one=one)

    @asynccontextmanager
    async def hold(self, tenant: str, ids: Sequence[str]) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._local.hold(tenant, ids))
            for one in sorted(set(ids)):
                while not await self.try_take(tenant, one):  # noqa: ASYNC110 - another process gives it back
                    await asyncio.sleep(_ASK_AGAIN_S)
                stack.push_async_callback(self.give_back, tenant, one)
            yield

    async def require_ours(self) -> None:
        await self._ask_for("SELECT 1")

    async def _ask(self, function: str, scope: str, *, one: str) -> Any:
        key = int(digest("lock", scope, one)[:15], 16)
        return await self._ask_for(f"SELECT {function}({key})")

    async def _ask_for(self, statement: str) -> Any:
        def ask() -> Any:
            return self._connection.exec_driver_sql(statement).scalar_one()

        try:
            with around("locks.ask"):
                return await self._run(ask)
        except (SQLAlchemyError, AttributeError) as failed:
            self._on_lost()
            raise NotRead("the connection that holds this worker's locks was lost; the worker ends") from failed

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_EVERY_S)
            try:
                await self._run(lambda: self._connection.exec_driver_sql("SELECT 1").scalar_one())
            except SQLAlchemyError:
                self._on_lost()
                return

    async def _run(self, work: Callable[[], Any]) -> Any:
        with around("locks.run"):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _connect(self) -> None:
        self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # a dropped connection frees them too, a moment later
                self._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
