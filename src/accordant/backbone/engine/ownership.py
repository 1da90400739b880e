"""One owner per database: a second process that would drive the same transactions is refused."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from accordant.kernel.database import Database
from accordant.kernel.errors import Refused
from accordant.kernel.failpoints import around
from accordant.kernel.ids import digest

log = structlog.get_logger("engine")
_MINE = "SELECT pid || ' ' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE pid || ' ' || backend_start = %(session)s"
)


class Ownership(Protocol):
    """The right to drive the transactions of one database."""

    async def take(self) -> None:
        """Take it, unless it is held already. Raises Refused when another process has it."""
        ...

    async def release(self) -> None: ...


Lost = Callable[[], None]


def ownership_of(database: Database, *, on_lost: Lost, of: str = "owner") -> Ownership:
    """A lock on a file beside SQLite's, or an advisory lock in PostgreSQL; `of` names what is owned."""
    if database.is_sqlite:
        return _FileLock(Path(f"{database.url.database}.{of}"))
    return _AdvisoryLock(database, on_lost, of=of)


def _taken(what: str) -> Refused:
    return Refused(
        f"another process already drives this database ({what})",
        code="engine.owned",
        hint="stop it first, or give this one another --state or --db; several workers need engine = dbos",
    )


class _FileLock:
    """The operating system drops the lock when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    async def take(self) -> None:
        if self._file is not None:
            return
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with around("owner.lock"):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as refused:
            os.close(file)
            raise _taken(self._path.name) from refused
        self._file = file

    async def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class _AdvisoryLock:
    """Lives as long as its own connection; the connection is watched, and its loss is reported."""

    def __init__(self, database: Database, on_lost: Lost, *, of: str) -> None:
        self._database = database
        self._on_lost = on_lost
        self._connection: Any = None
        self._watch: asyncio.Task[None] | None = None
        self._session = ""
        """The server's side of the connection that holds the lock."""
        self._key = int(digest(of, str(database.url.database))[:15], 16)

    async def take(self) -> None:
        if self._connection is not None:
            return
        self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with around("owner.advise"):
            got = self._connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({self._key})").scalar_one()
        if not got:
            self._connection.close()
            self._connection = None
            raise _taken("advisory lock")
        self._session = self._connection.exec_driver_sql(_MINE).scalar_one()
        with around("owner.watch"):
            self._watch = asyncio.get_running_loop().create_task(self._keep_watch(), name="owner")

    async def release(self) -> None:
        if self._watch:
            self._watch.cancel()
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):  # a dropped connection frees it too, a moment later
                self._connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            self._connection.invalidate()  # given back to the pool it would keep whatever it holds
            self._connection.close()
            self._connection = None

    async def _keep_watch(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            try:
                with around("owner.look"):
                    await asyncio.to_thread(lambda: self._connection.exec_driver_sql("SELECT 1").scalar_one())
            except SQLAlchemyError:
                if not await self._again():
                    log.error("owner.lost", hint="another process drives this database now; this one ends")
                    self._on_lost()
                    return

    async def _again(self) -> bool:
        """After the server restarted, take the lock again unless somebody else has it.

        While it cannot be asked nobody else can be given the lock, and nothing can be committed: waiting is safe.
        """
        while True:
            try:
                with around("owner.again"):
                    return await asyncio.to_thread(self._retake)
            except SQLAlchemyError:
                await asyncio.sleep(1.0)

    def _retake(self) -> bool:
        fresh = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with contextlib.suppress(SQLAlchemyError):  # the one that broke, or one of an earlier try
            self._connection.invalidate()
            self._connection.close()
        self._connection = fresh
        if not self._try():
            self._end_ghost()
            if not self._try():
                return False
        self._session = self._connection.exec_driver_sql(_MINE).scalar_one()
        return True

    def _try(self) -> bool:
        with around("owner.retake"):
            return bool(self._connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({self._key})").scalar_one())

    def _end_ghost(self) -> None:
        """Where only the line broke, the server may still hold the lock for us: end that session, and no other."""
        self._connection.exec_driver_sql(_END, {"session": self._session})
