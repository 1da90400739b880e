"""One database for everything: SQLite by default, PostgreSQL by URL; one thread writes, in groups."""

from accordant.kernel.database.changes import Changes, Committed
from accordant.kernel.database.connection import Database, metadata
from accordant.kernel.database.grouped import Lookup
from accordant.kernel.database.problems import NotCommitted, NotRead, StorageLost, Unstorable
from accordant.kernel.database.queries import Query, as_struct, first_column, given, one_of, rows_of
from accordant.kernel.database.statements import FIXED
from accordant.kernel.database.writer import Writer

__all__ = [
    "FIXED",
    "Changes",
    "Committed",
    "Database",
    "Lookup",
    "NotCommitted",
    "NotRead",
    "Query",
    "StorageLost",
    "Unstorable",
    "Writer",
    "as_struct",
    "first_column",
    "given",
    "metadata",
    "one_of",
    "rows_of",
]
