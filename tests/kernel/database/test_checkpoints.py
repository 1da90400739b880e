"""SQLite's log is carried over beside the writing, begins anew under load, and failures are heard."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from accordant.kernel.database import Database, StorageLost
from accordant.kernel.database.checkpoints import Checkpoints
from tests.kernel.database.rows import put


def size(file: Path) -> int:
    return file.stat().st_size


def opened(folder: Path) -> tuple[Database, Any]:
    database = Database(f"sqlite:///{folder / 'x.db'}")
    connection = database.engine.raw_connection()
    connection.detach()  # ours alone, as the writing thread has one
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)")
    return database, cursor


def write(cursor: Any, checkpoints: Checkpoints, groups: int) -> None:
    """Always the same rows, so that the file stays small whatever the log does."""
    for _ in range(groups):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany("REPLACE INTO t VALUES (?, ?)", [(n, "x" * 3000) for n in range(20)])
        cursor.execute("COMMIT")
        checkpoints.wrote(20, cursor)


def test_the_log_begins_anew_while_writing_goes_on(tmp_path: Path) -> None:
    database, cursor = opened(tmp_path)
    checkpoints = Checkpoints(database, every_rows=200)
    write(cursor, checkpoints, 400)
    log_size = size(tmp_path / "x.db-wal")
    checkpoints.close()
    assert log_size < 8_000_000, "400 groups of 20 pages and more are 32 MB"
    assert size(tmp_path / "x.db") < 200_000
    database.close()


def test_without_it_the_log_only_grows(tmp_path: Path) -> None:
    """Nobody else takes it over: not SQLite itself, in the middle of a commit."""
    database, cursor = opened(tmp_path)
    checkpoints = Checkpoints(database, every_rows=10**9)
    write(cursor, checkpoints, 400)
    assert size(tmp_path / "x.db-wal") > 30_000_000
    checkpoints.close()
    database.close()


class Failing:
    """A cursor of a disk that fails."""

    def __init__(self, name: str) -> None:
        self._name = name

    def execute(self, _: str) -> None:
        failed = sqlite3.OperationalError("disk I/O error")
        failed.sqlite_errorname = self._name
        raise failed


@pytest.mark.parametrize(("name", "lost"), [("SQLITE_IOERR_FSYNC", True), ("SQLITE_FULL", False)])
def test_a_disk_that_fails_ends_the_process_and_a_full_one_does_not(tmp_path: Path, name: str, lost: bool) -> None:
    database, cursor = opened(tmp_path)
    checkpoints = Checkpoints(database, every_rows=20)
    write(cursor, checkpoints, 1)
    checkpoints.close()
    if lost:
        with pytest.raises(StorageLost):
            checkpoints.wrote(1, Failing(name))
    else:
        checkpoints.wrote(1, Failing(name))
    database.close()


async def test_the_writer_has_it_done(database: Database, writer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Checkpoints, "wrote", lambda self, rows, cursor: asked.append(rows))
    await asyncio.gather(*(writer.commit(put(f"s{n}"), at="test") for n in range(5)))
    assert sum(asked) == (5 if database.is_sqlite else 0)
