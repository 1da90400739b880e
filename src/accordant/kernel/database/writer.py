"""Group commit: one thread writes everything that is waiting, in one database transaction, and then says so.

Nobody is told that something is committed before the database said so. A batch that fails is split, so that one bad
row fails alone. When the connection to PostgreSQL is lost in the middle of a commit, the outcome is unknown: the same
batch is written again on a new connection, which is harmless because every row names its key.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import psycopg
from sqlalchemy import Table

from accordant.kernel.database.changes import Changes, Committed, RowValues, merge
from accordant.kernel.database.connection import Database
from accordant.kernel.database.statements import key_width, write_postgresql, write_sqlite
from accordant.kernel.errors import AccordantError, Retryable

_BATCH_MAX = 4096
_RECONNECT_FOR_S = 30.0


class NotCommitted(Retryable):
    """The database did not take the change; nothing of it is stored. The work is done again later."""

    code = "storage.not_committed"


class StorageLost(AccordantError):
    """The disk failed to make data durable. The process must end: what it believes and what is stored may differ."""

    code = "storage.lost"


class Chain(Protocol):
    """Numbers and hashes rows of the audit chain in the order they are committed."""

    table: Table

    def link(self, rows: Sequence[RowValues]) -> tuple[list[RowValues], object]:
        """The finished rows, and the head to remember once they are committed."""
        ...

    def advance(self, head: object) -> None:
        """The rows of this head are committed."""
        ...


Waiting = tuple[Changes, "asyncio.Future[Committed] | None"]


class Writer:
    """The only way to change the database."""

    def __init__(self, database: Database, *, chain: Chain, follow_ups: Mapping[str, str]) -> None:
        """`follow_ups`: named statements with one parameter, written as `:p`."""
        self._database = database
        self._chain = chain
        self._follow_ups = {
            name: sql if database.is_sqlite else sql.replace(":p", "%(p)s") for name, sql in follow_ups.items()
        }
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accordant-write")
        self._connection: Any = None
        self._waiting: deque[Waiting] = deque()
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.commits = 0
        self.rows = 0
        self.on_lost: Callable[[BaseException], None] | None = None

    def start(self) -> None:
        """Begin writing; must be called inside the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="writer")

    async def stop(self) -> None:
        """Write what is waiting, then stop."""
        if self._task:
            while self._waiting:
                await asyncio.sleep(0.005)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=True)

    async def commit(self, changes: Changes) -> Committed:
        """Return when the changes are durable. Raises NotCommitted when they are surely not."""
        if self._task is None or self._task.done():
            raise NotCommitted("the writer has stopped; start the platform again")
        future: asyncio.Future[Committed] = asyncio.get_running_loop().create_future()
        self._waiting.append((changes, future))
        self._something.set()
        return await future

    def post(self, changes: Changes) -> None:
        """Write with the next group, without waiting for it."""
        self._waiting.append((changes, None))
        self._something.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._something.wait()
            self._something.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH_MAX))]
                try:
                    outcomes = await loop.run_in_executor(self._thread, self._write, [changes for changes, _ in batch])
                except StorageLost as lost:
                    self._lose(batch, lost)
                    return
                for (_, future), outcome in zip(batch, outcomes, strict=True):
                    if future is None or future.done():
                        continue
                    if isinstance(outcome, BaseException):
                        future.set_exception(outcome)
                    else:
                        future.set_result(outcome)

    def _lose(self, batch: list[Waiting], lost: StorageLost) -> None:
        for _, future in [*batch, *self._waiting]:
            if future is not None and not future.done():
                future.set_exception(lost)
        self._waiting.clear()
        if self.on_lost:
            self.on_lost(lost)

    def _write(self, batch: list[Changes]) -> Sequence[Committed | BaseException]:
        """One transaction for the whole batch; if that fails, one for each, so that only the culprit fails."""
        try:
            done = self._write_once(merge(batch))
            return [done] * len(batch)
        except _DATABASE_ERRORS as failed:
            self._raise_if_lost(failed)
            if len(batch) == 1:
                return [_not_committed(failed)]
            return [outcome for changes in batch for outcome in self._write([changes])]

    def _raise_if_lost(self, failed: BaseException) -> None:
        code = getattr(failed, "sqlite_errorname", "") or ""
        if code.startswith("SQLITE_IOERR") or code in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
            raise StorageLost(f"the database could not be written: {failed} ({code})") from failed

    def _write_once(self, changes: Changes) -> Committed:
        if self._database.is_sqlite:
            return self._transact(changes)
        give_up_at = time.monotonic() + _RECONNECT_FOR_S
        while True:
            try:
                return self._transact(changes)
            except psycopg.OperationalError:
                self._disconnect()
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.2)

    def _transact(self, changes: Changes) -> Committed:
        connection = self._connect()
        cursor = connection.cursor()
        linked, head = self._chain.link(changes.chained) if changes.chained else ([], None)
        put = _last_rows(changes.put_rows)
        if linked:
            put[self._chain.table] = linked
        cursor.execute("BEGIN IMMEDIATE" if self._database.is_sqlite else "BEGIN")
        try:
            write = write_sqlite if self._database.is_sqlite else write_postgresql
            new = write(cursor, added=changes.added, put=put)
            moved = self._run_follow_ups(cursor, changes)
            cursor.execute("COMMIT")
        except BaseException:
            self._roll_back(cursor)
            raise
        if linked:
            self._chain.advance(head)
        self.commits += 1
        self.rows += len(changes.added) + len(changes.put_rows) + len(linked)
        return Committed(new, moved)

    def _run_follow_ups(self, cursor: Any, changes: Changes) -> int:
        moved = 0
        for name in dict.fromkeys(name for name, _ in changes.follow_ups):
            parameters = dict.fromkeys(parameter for other, parameter in changes.follow_ups if other == name)
            cursor.executemany(self._follow_ups[name], [{"p": parameter} for parameter in parameters])
            moved += max(cursor.rowcount, 0)
        return moved

    def _connect(self) -> Any:
        if self._connection is None:
            self._connection = self._database.engine.raw_connection()
            if not self._database.is_sqlite:
                self._connection.driver_connection.autocommit = True
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = None

    def _roll_back(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except _DATABASE_ERRORS:
            self._disconnect()


_DATABASE_ERRORS = (sqlite3.Error, psycopg.Error)


def _last_rows(rows: Sequence[tuple[Table, RowValues]]) -> dict[Table, list[RowValues]]:
    latest: dict[Table, dict[RowValues, RowValues]] = {}
    for table, row in rows:
        latest.setdefault(table, {})[row[: key_width(table)]] = row
    return {table: list(by_key.values()) for table, by_key in latest.items()}


def _not_committed(failed: BaseException) -> NotCommitted:
    return NotCommitted(f"the database refused the change: {failed}", detail={"cause": type(failed).__name__})
