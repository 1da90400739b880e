"""What can go wrong between the platform and its database, and what it means for whoever asked.

NotRead        the database cannot be asked now; ask again later
NotCommitted   it took nothing of the change; do the work again later
Unstorable     it will never take this change, because of what is in it
StorageLost    nobody can say any more what is stored; the process ends and the next one reads it afresh
"""

import sqlite3

import psycopg

from accordant.kernel.errors import AccordantError, Retryable, Terminal


class NotRead(Retryable):
    """The database cannot be asked at this moment."""

    code = "storage.not_read"


class NotCommitted(Retryable):
    """The database did not take the change; nothing of it is stored. The work is done again later."""

    code = "storage.not_committed"


class Unstorable(Terminal):
    """The database cannot hold a value of this change, such as a text with a NUL character in PostgreSQL."""

    code = "storage.refused"


class StorageLost(AccordantError):
    """The disk failed to make data durable. The process must end: what it believes and what is stored may differ."""

    code = "storage.lost"


_SQLITE_LOST = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")
_SQLITE_NO_ROOM = ("SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMMAP", "SQLITE_IOERR_NOMEM")
"""A quota, a limit on the size of files, no room for the shared index: SQLite met them while it wrote ahead, before it
asked the disk to make anything durable, and took back what it had written."""
_SQLITE_NOT_NOW = (
    "SQLITE_FULL",
    "SQLITE_READONLY",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_CANTOPEN",
    "SQLITE_NOMEM",
    "SQLITE_INTERRUPT",
    "SQLITE_PERM",
    "SQLITE_PROTOCOL",
)
_POSTGRESQL_LOST = ("58030", "XX001", "XX002")
"""io_error, data_corrupted, index_corrupted."""
_POSTGRESQL_NOT_NOW = ("08", "25006", "40", "53", "55", "57", "58", "XX000")
"""Classes: connection, read-only, rollback, resources (disk full is 53100), state, operator, system."""


def meaning_of(failed: Exception) -> AccordantError:
    """What a failed write means for its caller."""
    if isinstance(failed, AccordantError):
        return failed
    detail = {"cause": type(failed).__name__}
    code = code_of(failed)
    if (code.startswith(_SQLITE_LOST) and code not in _SQLITE_NO_ROOM) or code in _POSTGRESQL_LOST:
        return StorageLost(f"the database could not be written: {failed} ({code})", detail=detail)
    broken = isinstance(failed, psycopg.OperationalError) and not code
    if (
        broken
        or code in _SQLITE_NO_ROOM
        or code.startswith(_SQLITE_NOT_NOW if code.startswith("SQLITE") else _POSTGRESQL_NOT_NOW)
    ):
        return NotCommitted(f"the database did not take the change: {failed}", detail=detail)
    return Unstorable(
        f"the database cannot hold this: {failed}",
        hint="mend the value where it comes from, then retry",
        detail={"cause": f"the database cannot hold a value ({type(failed).__name__})"},
    )


def code_of(failed: BaseException) -> str:
    """`SQLITE_FULL` or an SQLSTATE such as `53100`; empty when the connection itself broke."""
    if isinstance(failed, sqlite3.Error):
        return getattr(failed, "sqlite_errorname", None) or "SQLITE_ERROR"
    return (failed.sqlstate or "") if isinstance(failed, psycopg.Error) else ""


def is_passing(failed: Exception) -> bool:
    """Whether a new connection, or simply another try, may succeed soon: connection lost, restart, deadlock."""
    code = code_of(failed)
    return not code or code.startswith(("08", "40", "57P"))
