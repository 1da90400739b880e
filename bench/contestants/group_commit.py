"""The floor with durability: the same loop, every step awaited to disk, outcomes of many committed together.

Our best possible by hand: one row for the event, one for the transaction, one for each call, nothing else. No
validation rules, no ledger, no audit, no master data, no budgets, no limits, no retries.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Protocol

import psycopg
import uvloop

from accordant.launch.interpreter import settle_allocator, settle_collector, settle_threads
from bench.contestants.work import STEPS, Caller, Spec, await_go, events, finish, open_session, spec_of, validated

Row = tuple[Any, ...]
_TABLES = (
    "CREATE TABLE event (id text PRIMARY KEY, body {blob} NOT NULL)",
    "CREATE TABLE journal (id text, step text, outcome text NOT NULL, PRIMARY KEY (id, step))",
)


class Store(Protocol):
    """Writes a group in one database transaction; runs in a thread of its own."""

    def write(self, events: list[Row], outcomes: list[Row]) -> None: ...


class Sqlite:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-1000"):
            self._connection.execute(f"PRAGMA {pragma}")
        for table in _TABLES:
            self._connection.execute(table.format(blob="blob"))

    def write(self, events: list[Row], outcomes: list[Row]) -> None:
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany("INSERT INTO event VALUES (?, ?)", events)
        cursor.executemany("INSERT INTO journal VALUES (?, ?, ?)", outcomes)
        cursor.execute("COMMIT")


class Postgresql:
    _STATEMENT = (
        "WITH e AS (INSERT INTO event SELECT * FROM unnest(%b::text[], %b::bytea[]))"
        " INSERT INTO journal SELECT * FROM unnest(%b::text[], %b::text[], %b::text[])"
    )

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        for table in _TABLES:
            self._connection.execute(table.format(blob="bytea").encode())

    def write(self, events: list[Row], outcomes: list[Row]) -> None:
        columns = [*_columns(events, 2), *_columns(outcomes, 3)]
        self._connection.execute(self._STATEMENT, columns)


def _columns(rows: list[Row], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


class Group:
    """Collects what is waiting while the group before is being written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1)
        self._events: list[Row] = []
        self._outcomes: list[Row] = []
        self._told: list[asyncio.Future[None]] = []
        self._something = asyncio.Event()
        self.commits = 0

    async def put(self, outcome: Row, *, event: Row | None = None) -> None:
        """Returns when it is on disk."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes.append(outcome)
        if event is not None:
            self._events.append(event)
        self._told.append(future)
        self._something.set()
        await future

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._something.wait()
            self._something.clear()
            taken, told = (self._events, self._outcomes), self._told
            self._events, self._outcomes, self._told = [], [], []
            await loop.run_in_executor(self._thread, self._store.write, *taken)
            self.commits += 1
            for future in told:
                future.set_result(None)


async def _main(spec: Spec) -> None:
    store: Store = Postgresql(spec.database) if spec.database.startswith("postgres") else Sqlite(spec.database)
    group = Group(store)
    writing = asyncio.create_task(group.run())
    waiting = iter(events(spec))
    latencies_ms: list[float] = []
    async with open_session(spec.in_flight) as session:
        drive = _driver(group, Caller(spec.url, session), latencies_ms)

        async def work() -> None:
            for body in waiting:
                await drive(body)

        settle_collector()
        await_go()
        began = perf_counter()
        await asyncio.gather(*(work() for _ in range(spec.in_flight)))
        finish(began, latencies_ms, commits=group.commits)
    writing.cancel()


def _driver(group: Group, caller: Caller, latencies_ms: list[float]) -> Callable[[bytes], Any]:
    async def drive(body: bytes) -> None:
        at = perf_counter()
        deal = validated(body)
        await group.put((deal.Id, "began", ""), event=(deal.Id, body))
        for step in STEPS:
            await group.put((deal.Id, step, await caller.call(step, deal)))
        latencies_ms.append((perf_counter() - at) * 1000)

    return drive


if __name__ == "__main__":
    settle_allocator()
    settle_threads()
    uvloop.run(_main(spec_of(sys.argv)))
