"""The writing thread's side: one connection, and one database transaction for each group of changes.

When the connection to PostgreSQL breaks while a commit is on its way, the database itself is asked afterwards what
became of that transaction, so that every group is written exactly once. Each group carries a mark of its own: the
server's word for a transaction id is not enough, because a server that crashed gives the ids of lost transactions out
again, and then says "committed" of somebody else's.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import psycopg
from sqlalchemy import Column, Table, Text
from sqlalchemy.exc import SQLAlchemyError

from accordant.kernel.chance import new_token
from accordant.kernel.database.changes import Changes, Committed, RowValues, merge
from accordant.kernel.database.checkpoints import Checkpoints
from accordant.kernel.database.connection import Database, metadata
from accordant.kernel.database.problems import NotCommitted, StorageLost, Unstorable, is_passing, meaning_of
from accordant.kernel.database.statements import (
    KeyOf,
    NewKeys,
    append_postgresql,
    append_sqlite,
    key_width,
    write_postgresql,
    write_sqlite,
)
from accordant.kernel.database.statistics import Statistics
from accordant.kernel.errors import AccordantError
from accordant.kernel.failpoints import around

_RECONNECT_FOR_S = 30.0
_FIND_OUT_FOR_S = 120.0
_TURNS = 4_021_979_113
"""Advisory lock under which the writers of several workers take turns."""

_DURABLY = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
"""Whatever the server does by default: nobody is told that something is committed before it is on the disk."""

mark_table = Table(
    "commit_mark",
    metadata,
    Column("segment", Text, primary_key=True, comment="the audit segment of one writing process"),
    Column("mark", Text, nullable=False, comment="of the last group that this process committed"),
)
"""PostgreSQL only: tells whether a group whose commit was not answered is there."""


class Chain(Protocol):
    """Numbers and hashes rows of the audit chain in the order they are committed."""

    table: Table
    segment: str

    def link(self, rows: Sequence[RowValues]) -> tuple[list[RowValues], object]:
        """The finished rows, and the head to remember once they are committed."""
        ...

    def advance(self, head: object) -> None:
        """The rows of this head are committed."""
        ...


Outcome = Committed | AccordantError


class _InDoubt(Exception):
    """The connection broke during COMMIT."""

    def __init__(self, transaction: str, *, mark: str, new: NewKeys, moved: int, head: object) -> None:
        super().__init__(transaction)
        self.transaction = transaction
        self.mark = mark
        self.new = new
        self.moved = moved
        self.head = head


class WritingSession:
    """Used by the writing thread alone."""

    def __init__(self, database: Database, *, chain: Chain, follow_ups: Mapping[str, str], shared: bool) -> None:
        self._database = database
        self._chain = chain
        self._follow_ups = {
            name: sql if database.is_sqlite else sql.replace(":p", "%(p)s") for name, sql in follow_ups.items()
        }
        self._shared = shared and not database.is_sqlite
        self._checkpoints = Checkpoints(database) if database.is_sqlite else None
        self._statistics = None if database.is_sqlite else Statistics(database)
        self._connection: Any = None
        self.commits = 0
        self.rows = 0

    def write(self, batch: list[Changes]) -> list[Outcome]:
        """One transaction for the whole batch; where a value cannot be stored, one for each, so that it fails alone.

        Raises StorageLost.
        """
        try:
            new, moved = self._write_once(merge(batch))
        except Exception as failed:  # whatever a driver raises over a value belongs to whoever sent the value
            problem = meaning_of(failed)
            if isinstance(problem, StorageLost):
                raise problem from failed
            if isinstance(problem, Unstorable) and len(batch) > 1:
                return [outcome for changes in batch for outcome in self.write([changes])]
            return [problem] * len(batch)
        return [Committed(_taken(changes, new) if changes.added else set(), moved) for changes in batch]

    def close(self) -> None:
        """The end; nothing is written afterwards."""
        for beside in (self._checkpoints, self._statistics):
            if beside is not None:
                beside.close()
        self._let_go()

    def _let_go(self) -> None:
        """The next write opens another connection."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = None

    def _write_once(self, changes: Changes) -> tuple[NewKeys, int]:
        if self._database.is_sqlite:
            return self._transact(changes)
        give_up_at = time.monotonic() + _RECONNECT_FOR_S
        while True:
            try:
                return self._transact(changes)
            except _InDoubt as doubt:
                self._let_go()
                if self._was_committed(doubt.transaction, doubt.mark):
                    self._chain.advance(doubt.head)
                    return doubt.new, doubt.moved
            except (psycopg.OperationalError, NotCommitted) as failed:
                self._let_go()
                if not is_passing(failed) or time.monotonic() > give_up_at:
                    raise
            time.sleep(0.1)

    def _transact(self, changes: Changes) -> tuple[NewKeys, int]:
        cursor = self._connect().cursor()
        linked, head = self._chain.link(changes.chained)
        transaction = mark = ""
        with around("database.begin"):
            cursor.execute("BEGIN IMMEDIATE" if self._database.is_sqlite else "BEGIN")
        try:
            if self._shared:
                with around("database.turn"):
                    cursor.execute(f"SELECT pg_advisory_xact_lock({_TURNS})")
            put = _last_rows(changes.put_rows)
            if self._database.is_sqlite:
                new = write_sqlite(cursor, added=changes.added, put=put)
            else:
                mark = new_token()
                put[mark_table] = [(self._chain.segment, mark)]
                new, transaction = write_postgresql(cursor, added=changes.added, put=put)
            self._append(cursor, linked)
            moved = self._run_follow_ups(cursor, changes)
        except BaseException:
            self._roll_back(cursor)
            raise
        try:
            with around("database.commit"):
                cursor.execute("COMMIT")
        except psycopg.OperationalError as failed:
            if is_passing(failed):
                raise _InDoubt(transaction, mark=mark, new=new, moved=moved, head=head) from failed
            raise
        except sqlite3.Error:
            self._roll_back(cursor)
            raise
        self._chain.advance(head)
        self._count(len(changes.added) + len(changes.put_rows) + len(linked), cursor)
        return new, moved

    def _count(self, rows: int, cursor: Any) -> None:
        self.commits += 1
        self.rows += rows
        if self._checkpoints is not None:
            self._checkpoints.wrote(rows, cursor)
        if self._statistics is not None:
            self._statistics.wrote(rows)

    def _append(self, cursor: Any, linked: Sequence[RowValues]) -> None:
        """The chain is only ever appended to: a number that is taken means that somebody else writes our segment."""
        if not linked:
            return
        append = append_sqlite if self._database.is_sqlite else append_postgresql
        try:
            append(cursor, self._chain.table, rows=linked)
        except (sqlite3.IntegrityError, psycopg.errors.UniqueViolation) as taken:
            raise StorageLost(f"another process writes the audit segment {linked[0][0]!r}: {taken}") from taken

    def _run_follow_ups(self, cursor: Any, changes: Changes) -> int:
        """In the order in which the writer was given them, whatever the order in which they were asked for."""
        asked: dict[str, dict[str, None]] = {}
        for name, parameter in changes.follow_ups:
            asked.setdefault(name, {})[parameter] = None
        moved = 0
        for name, statement in self._follow_ups.items():
            if name in asked:
                cursor.executemany(statement, [{"p": parameter} for parameter in asked.pop(name)])
                moved += max(cursor.rowcount, 0)
        if asked:
            raise LookupError(f"no statement is called {', '.join(asked)}; give it to the writer")
        return moved

    def _was_committed(self, transaction: str, mark: str) -> bool:
        """Once the transaction runs no more, its mark is there or it is not."""
        give_up_at = time.monotonic() + _FIND_OUT_FOR_S
        while time.monotonic() < give_up_at:
            try:
                cursor = self._connect().cursor()
                if not _is_running(cursor, transaction):
                    cursor.execute(f"SELECT mark FROM {mark_table.name} WHERE segment = %s", (self._chain.segment,))
                    found = cursor.fetchone()
                    return found is not None and found[0] == mark
            except (psycopg.OperationalError, NotCommitted):
                self._let_go()
            time.sleep(0.1)
        raise StorageLost(f"the connection broke during a commit, and the database cannot be asked: {transaction}")

    def _connect(self) -> Any:
        if self._connection is None:
            try:
                self._connection = self._database.engine.raw_connection()
            except SQLAlchemyError as failed:
                raise NotCommitted(f"no connection to the database: {failed}") from failed
            if not self._database.is_sqlite:
                self._connection.driver_connection.autocommit = True
                self._connection.cursor().execute(_DURABLY)
        return self._connection

    def _roll_back(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except (sqlite3.Error, psycopg.Error):
            self._let_go()


def _is_running(cursor: Any, transaction: str) -> bool:
    """Whether the server still works on it; one it has never heard of was lost in a crash."""
    try:
        cursor.execute("SELECT pg_xact_status(%s::xid8)", (transaction,))
    except psycopg.errors.InvalidParameterValue:  # "is in the future"
        return False
    return cursor.fetchone()[0] == "in progress"


def _last_rows(rows: Sequence[tuple[Table, RowValues]]) -> dict[Table, list[RowValues]]:
    latest: dict[Table, dict[RowValues, RowValues]] = {}
    for table, row in rows:
        latest.setdefault(table, {})[row[: key_width(table)]] = row
    return {table: list(by_key.values()) for table, by_key in latest.items()}


def _taken(changes: Changes, new: NewKeys) -> set[KeyOf]:
    """The new keys that these changes added; a key that two callers added in one group was new for the first only."""
    mine = {(table.name, row[: key_width(table)]) for table, row in changes.added} & new
    new -= mine
    return {(name, key[0]) for name, key in mine}
