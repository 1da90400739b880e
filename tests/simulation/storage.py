"""The platform's own database code on SQLite in memory: a kill keeps what was committed, and nothing else.

Faults strike at the driver: a statement that is refused, a COMMIT that is refused, a COMMIT whose outcome nobody knows.
"""

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import QueuePool

from accordant.kernel.database import Database
from accordant.kernel.database.grouped import GroupedReads
from tests import databases

Chance = Callable[[str], bool]
"""Whether a kind of fault strikes now."""
_names = count(1)
_ASKED_AGAIN_AND_AGAIN = {
    "Journal._refill.<locals>.<lambda>": "business_transaction",
    "next_wake_ms": "business_transaction",
    "Pump.step.<locals>.<lambda>": "inbox",
    "Verifier.step.<locals>.<lambda>": "effect",
    "Platform._load_cursor.<locals>.<lambda>": "poll_cursor",
}
"""Questions of idle tasks, and the table on which it depends whether the answer is still the same."""


def _failure(name: str, text: str) -> sqlite3.OperationalError:
    failed = sqlite3.OperationalError(text)
    failed.sqlite_errorname = name
    return failed


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        first = sql[:6]
        if first == "SELECT":
            disk.before_read()
        elif first == "BEGIN ":
            disk.before_write()
        elif first == "COMMIT":
            return self._commit(sql)
        elif first == "INSERT":
            disk.touched.add(sql.split(None, 3)[2])
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> Any:
        done = super().executemany(sql, parameters)
        if self.rowcount:
            words = sql.split(None, 3)
            disk.touched.add(words[2] if words[0] == "INSERT" else words[1])
        return done

    def _commit(self, sql: str) -> Any:
        fate = disk.fate_of_commit()
        if fate == "refused":
            raise _failure("SQLITE_FULL", "database or disk is full")
        if fate == "lost":
            raise _failure("SQLITE_IOERR_FSYNC", "disk I/O error")
        done = super().execute(sql)
        for table in disk.touched:
            disk.versions[table] += 1
        disk.touched.clear()
        if fate == "done, unknown":
            raise _failure("SQLITE_IOERR_FSYNC", "disk I/O error")
        return done


class _Connection(sqlite3.Connection):
    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(_Cursor)

    def rollback(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # closed when its process was killed
            super().rollback()


class Disk:
    """What outlives a process."""

    def __init__(self) -> None:
        self._template = sqlite3.connect(":memory:")
        self._anchor: sqlite3.Connection | None = None
        self._name = ""
        self._open: list[sqlite3.Connection] = []
        self.begin(lambda _: False, rng=random.Random(0), reached=lambda _: None)

    def begin(self, chance: Chance, *, rng: random.Random, reached: Callable[[str], None]) -> None:
        """A new, prepared database."""
        self.chance = chance
        self.rng = rng
        self.reached = reached
        self.full = False
        self.touched: set[str] = set()
        self.versions: Counter[str] = Counter()
        """How often each table was changed by a commit."""
        self.end()
        self._name = f"file:simulation_{next(_names)}?mode=memory&cache=shared"
        self._anchor = sqlite3.connect(self._name, uri=True)
        self._template.backup(self._anchor)

    def prepare(self, file: Any) -> None:
        """Use this database as the template."""
        source = sqlite3.connect(file)
        source.backup(self._template)
        source.close()

    def connect(self) -> sqlite3.Connection:
        settings: dict[str, Any] = {"isolation_level": None, "cached_statements": 64, "check_same_thread": False}
        one = sqlite3.connect(self._name, uri=True, factory=_Connection, **settings)
        self._open.append(one)
        return one

    def look(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Read past the platform, and past its faults."""
        return self._anchor.execute(sql, parameters).fetchall() if self._anchor else []

    def drop_connections(self) -> None:
        """What a dead process had open is rolled back."""
        for one in self._open:
            one.close()
        self._open.clear()
        ENGINE.dispose(close=False)

    def end(self) -> None:
        if self._anchor is not None:
            self.drop_connections()
            self._anchor.close()
            self._anchor = None

    def before_read(self) -> None:
        if self.chance("read fails"):
            self.reached("a read failed")
            raise _failure("SQLITE_BUSY", "database is locked")

    def before_write(self) -> None:
        if self.full or self.chance("write refused"):
            self.reached("the disk was full")
            raise _failure("SQLITE_FULL", "database or disk is full")

    def fate_of_commit(self) -> str:
        if self.chance("commit refused"):
            self.reached("a commit was refused")
            return "refused"
        if self.chance("commit unknown"):
            applied = self.rng.random() < 0.5
            self.reached("commit unknown, and applied" if applied else "commit unknown, and lost")
            return "done, unknown" if applied else "lost"
        return "done"


ENGINE = create_engine("sqlite://", creator=lambda: disk.connect(), poolclass=QueuePool, pool_size=2)
disk = Disk()
"""The one that exists at a time; so statements are compiled once for all seeds."""


class SimulatedDatabase(Database):
    """The real reading code, on the simulated disk."""

    def __init__(self) -> None:
        self.url = make_url("sqlite:///simulated")
        self.is_sqlite = True
        self.engine = ENGINE
        self._reading = ENGINE
        self._readers = ThreadPoolExecutor(1)
        self._grouped = GroupedReads(self.read)
        self._answers: dict[Any, tuple[int, Any]] = {}

    def _ask(self, query: Any, engine: Any) -> Any:
        table = _ASKED_AGAIN_AND_AGAIN.get(query.__qualname__)
        if table is None:
            return super()._ask(query, engine)
        cells = (cell.cell_contents for cell in query.__closure__ or ())
        asked = (query.__qualname__, *(one for one in cells if isinstance(one, frozenset | str)))
        version, known = self._answers.get(asked, (-1, None))
        if version == disk.versions[table]:
            return known
        result = super()._ask(query, engine)
        if not result or "refill" not in query.__qualname__:  # who is due comes with rows of other tables
            self._answers[asked] = (disk.versions[table], result)
        return result


def prepare(folder: Any) -> None:
    """Make the template, once for each test process."""
    file = folder / "template.db"
    databases.prepared(f"sqlite:///{file}")
    disk.prepare(file)
