"""Opening the database: settings that make a commit durable, and reads that never block the writer."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from accordant.kernel.database.grouped import GroupedReads, Lookup
from accordant.kernel.database.problems import NotRead, Unstorable
from accordant.kernel.errors import Misconfigured
from accordant.kernel.failpoints import around

metadata = MetaData()
"""Every table of the platform; each room declares its own on it."""

Result = TypeVar("Result")
_WAL_TRIES = 500
_PRAGMAS = (
    "synchronous=FULL",
    "busy_timeout=30000",
    "temp_store=MEMORY",
    "cache_size=-8000",
    "wal_autocheckpoint=0",  # see `checkpoints`
)
_NOTICE_SILENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A network that swallows everything is found out in about ten seconds instead of a quarter of an hour; what the URL
says comes first."""


class _Gone(Exception):
    """The connection broke; the pool has forgotten it."""


_NOT_NOW = (OperationalError, sqlite3.OperationalError, psycopg.OperationalError, _Gone)
"""As SQLAlchemy passes it on, and as a `Query` meets it."""


class Database:
    """A database by URL, with a few reading threads. Writing goes through `Writer` alone."""

    def __init__(self, url: str, *, readers: int = 2) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _open(self.url)
        # What the engine reads needs no common moment: neither BEGIN nor a ping goes before it.
        self._reading = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="accordant-read")
        self._grouped = GroupedReads(self.read)

    async def read(self, query: Callable[[Connection], Result]) -> Result:
        """Run a query in a reading thread; it sees everything committed before."""
        with around("database.read"):
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._ask, query, self._reading)

    async def find(self, lookup: Lookup[Result]) -> Result:
        """Find one thing by its key, together with what others look for at the same moment. Raises like `read_now`."""
        return await self._grouped.find(lookup)

    def read_now(self, query: Callable[[Connection], Result]) -> Result:
        """Run a query in the calling thread, in a transaction of its own, so that it may stream.

        Raises NotRead when the database cannot be asked now, Unstorable when it cannot hold what it is asked for.
        """
        return self._ask(query, self.engine)

    def _ask(self, query: Callable[[Connection], Result], engine: Engine) -> Result:
        try:
            return _twice(query, engine)
        except (*_NOT_NOW, PoolTimeout) as failed:
            raise NotRead(f"the database cannot be read: {failed}", detail={"cause": type(failed).__name__}) from failed
        except (DataError, psycopg.DataError) as failed:
            cause = failed.orig if isinstance(failed, DataError) else failed
            raise Unstorable(f"the database cannot be asked for such a value: {cause}") from failed

    def close(self) -> None:
        """Let running reads finish and close every connection."""
        self._readers.shutdown(wait=True)
        self.engine.dispose()


def _twice(query: Callable[[Connection], Result], engine: Engine) -> Result:
    """Ask; where the connection turns out to be dead, as after a restart of the server, ask on a new one."""
    try:
        return _once(query, engine)
    except OperationalError as failed:
        if not failed.connection_invalidated:
            raise
    except _Gone:
        pass
    return _once(query, engine)


def _once(query: Callable[[Connection], Result], engine: Engine) -> Result:
    with engine.connect() as connection:
        try:
            return query(connection)
        except psycopg.OperationalError as failed:  # out of a `Query`; what SQLAlchemy ran, it looked after itself
            if not cast("Any", connection.connection.driver_connection).closed:
                raise
            connection.invalidate()
            raise _Gone(str(failed)) from failed


def durability(database: Database) -> str:
    """One sentence for the start-up screen: what a commit survives."""
    if database.is_sqlite:
        return "SQLite, WAL, synchronous=FULL: a commit survives process and system crash, not the loss of the disk"
    values = _server_settings(database)
    raised = " (raised to on for what the platform commits)" if values["synchronous_commit"] == "off" else ""
    standby = values["synchronous_standby_names"] or "none"
    commit = f"synchronous_commit={values['synchronous_commit']}{raised}"
    return f"PostgreSQL, fsync={values['fsync']}, {commit}, standby={standby}"


def weakness(database: Database) -> str:
    """Why a commit may not survive a crash of the machine; empty where it does."""
    if database.is_sqlite:
        return ""
    values = _server_settings(database)
    off = [name for name in ("fsync", "full_page_writes") if values[name] == "off"]
    if not off:
        return ""
    return f"PostgreSQL runs with {' and '.join(off)} off: a power cut may lose what was acknowledged, or everything"


def _server_settings(database: Database) -> dict[str, str]:
    names = ("fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names")
    with database.engine.connect() as connection:
        return {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar_one()) for name in names}


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # its own words would repeat the address, which may hold a password
        raise Misconfigured(
            "the database URL cannot be read; expected sqlite:///path or postgresql://user@host/name",
            code="database.url",
            hint="correct --db or ACCORDANT_DATABASE_URL",
        ) from None
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.partition("+")[0] not in {"sqlite", "postgresql"}:
        raise Misconfigured(
            f"{parsed.drivername[:40]!r} is not a database Accordant runs on; use a sqlite:/// or postgresql:// URL",
            code="database.url",
            hint="correct --db or ACCORDANT_DATABASE_URL",
        )
    return parsed


def _open(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        patience = {name: value for name, value in _NOTICE_SILENCE.items() if name not in url.query}
        return create_engine(url, pool_size=8, max_overflow=8, connect_args=patience)
    # Lists of varying length make many distinct statements; a short memory for them keeps memory flat.
    settings = {"timeout": 30, "check_same_thread": False, "isolation_level": None, "cached_statements": 24}
    engine = create_engine(url, connect_args=settings)

    def durable(connection: Any, _record: Any) -> None:
        _turn_to_wal(connection)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", durable)
    return engine


def _turn_to_wal(connection: Any) -> None:
    """SQLite does not wait for a lock when it changes a new file's journal: whoever starts second tries again."""
    for attempt in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if attempt == _WAL_TRIES - 1:
                raise
            time.sleep(0.02)
