"""PostgreSQL plans by what it knows of its tables, and at first it knows nothing: each is taken for tiny.

It looks by itself, but minutes later, and plans that were made meanwhile read a whole table for one row. So it is asked
to look as soon as there is something to see, and again whenever there is ten times as much.
Source: https://www.postgresql.org/docs/18/sql-analyze.html, "Notes"; /docs/18/sql-prepare.html, "Notes".
"""

from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from sqlalchemy.exc import SQLAlchemyError

from accordant.kernel.database.connection import Database, metadata
from accordant.kernel.failpoints import around

log = structlog.get_logger("database")
FIRST_ROWS, TIMES, MOST_ROWS = 500, 10, 5_000_000
"""Written rows after which it looks for the first time, by how much more the next, and the longest it waits."""


class Statistics:
    """Used by the writing thread alone, which goes on writing while a thread of its own waits for the server."""

    def __init__(self, database: Database, *, first_rows: int = FIRST_ROWS) -> None:
        self._database = database
        self._next_rows = first_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="accordant-statistics")
        self._looking: Future[None] | None = None
        self._rows = 0

    def wrote(self, rows: int) -> None:
        """So many rows were committed."""
        self._rows += rows
        if self._rows >= self._next_rows and (self._looking is None or self._looking.done()):
            self._rows, self._next_rows = 0, min(self._next_rows * TIMES, MOST_ROWS)
            with around("database.statistics"):
                self._looking = self._thread.submit(self._look)

    def close(self) -> None:
        """Let a look that is being taken come to its end."""
        self._thread.shutdown(wait=True)

    def _look(self) -> None:
        """What is not looked at now is looked at by the server itself, later; nobody need wait for it."""
        try:
            with self._database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql(f"ANALYZE {', '.join(sorted(metadata.tables))}")
        except SQLAlchemyError as failed:
            log.warning("statistics.postponed", error=str(failed)[:300])
