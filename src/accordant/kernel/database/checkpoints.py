"""SQLite's log is carried over into the database file beside the writing, in large portions, and not unheard.

Left to itself SQLite does this in the middle of a commit, every thousand pages: each page that several commits changed
is then written once for each portion, all writing stands still meanwhile, and an error is not told to anybody.
Source: https://sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large WAL Files".
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog

from accordant.kernel.database.connection import Database
from accordant.kernel.database.problems import StorageLost, meaning_of
from accordant.kernel.failpoints import around

log = structlog.get_logger("database")
ROWS = 20_000
"""Rows between two checkpoints; with their indexes some 60 MB of log."""


class Checkpoints:
    """Used by the writing thread alone, which goes on writing while a thread of its own copies."""

    def __init__(self, database: Database, *, every_rows: int = ROWS) -> None:
        self._database = database
        self._every_rows = every_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accordant-checkpoint")
        self._copying: Future[None] | None = None
        self._rows = 0

    def wrote(self, rows: int, cursor: Any) -> None:
        """So many rows were committed with this cursor. Raises StorageLost when copying failed for good."""
        self._rows += rows
        if self._copying is None:
            if self._rows >= self._every_rows:
                self._rows = 0
                with around("database.checkpoint"):
                    self._copying = self._thread.submit(self._copy)
        elif self._copying.done():
            done, self._copying = self._copying, None
            try:
                done.result()
                # The little that came meanwhile: only a log of which nothing is left to copy begins anew.
                _checkpoint(cursor)
            except Exception as failed:  # whatever the driver raises, what was committed is in the log
                problem = meaning_of(failed)
                if isinstance(problem, StorageLost):
                    raise problem from failed
                log.warning("checkpoint.postponed", error=problem.message)

    def close(self) -> None:
        """Let a copy that is being made come to its end."""
        self._thread.shutdown(wait=True)

    def _copy(self) -> None:
        connection = self._database.engine.raw_connection()
        try:
            _checkpoint(connection.cursor())
        finally:
            connection.close()


def _checkpoint(cursor: Any) -> None:
    cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
    cursor.fetchall()
