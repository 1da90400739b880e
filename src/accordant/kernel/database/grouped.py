"""Group read: what many callers want to know at the same moment is asked with one query, the mirror of group commit.

While one group is being read, the next one gathers. Whoever asks gets what was committed before it asked, or later.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection

from accordant.kernel.database.problems import Unstorable
from accordant.kernel.failpoints import around

T = TypeVar("T")
Read = Callable[[Callable[[Connection], Any]], Awaitable[Any]]
Many = Callable[[Connection, Sequence[str]], Mapping[str, Any]]


class Lookup(msgspec.Struct, Generic[T], frozen=True):
    """One thing to be found by its key, in the way in which many of its kind are found at once."""

    many: Callable[[Connection, Sequence[str]], Mapping[str, T]]
    """Values by key; keys that are not found are absent. A frozen struct or a function, so that equal ones meet."""
    key: str
    absent: T


class GroupedReads:
    """Gathers lookups for as long as the group before them is being read."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._waiting: dict[Many, dict[str, list[asyncio.Future[Any]]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def find(self, lookup: Lookup[T]) -> T:
        """What is found, or `absent`. Raises what reading raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        keys = self._waiting.setdefault(lookup.many, {})
        keys.setdefault(lookup.key, []).append(future)
        if self._task is None:
            with around("database.group"):
                self._task = loop.create_task(self._run(), name="group read")
        found = await future
        return lookup.absent if found is None else found

    async def _run(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, {}
                await self._answer(group)
        finally:
            self._task = None

    async def _answer(self, group: dict[Many, dict[str, list[asyncio.Future[Any]]]]) -> None:
        questions = [(many, list(keys)) for many, keys in group.items()]
        try:
            answers = await self._read(lambda connection: _ask_all(connection, questions))
        except Unstorable:
            await self._one_by_one(group)
            return
        except Exception as failed:  # noqa: BLE001 - whoever asked hears of it; the next group is read all the same
            for keys in group.values():
                for futures in keys.values():
                    _fail(futures, failed)
            return
        for (_, keys), found in zip(group.items(), answers, strict=True):
            for key, futures in keys.items():
                _tell(futures, found.get(key))

    async def _one_by_one(self, group: dict[Many, dict[str, list[asyncio.Future[Any]]]]) -> None:
        """A key that the database cannot be asked for fails alone."""
        for many, keys in group.items():
            for key, futures in keys.items():
                question = [(many, [key])]
                try:
                    (found,) = await self._read(lambda connection, q=question: _ask_all(connection, q))
                except Exception as failed:  # noqa: BLE001 - as above
                    _fail(futures, failed)
                else:
                    _tell(futures, found.get(key))


def _ask_all(connection: Connection, questions: Sequence[tuple[Many, Sequence[str]]]) -> list[Mapping[str, Any]]:
    return [many(connection, keys) for many, keys in questions]


def _tell(futures: Sequence[asyncio.Future[Any]], found: object) -> None:
    for future in futures:
        if not future.done():
            future.set_result(found)


def _fail(futures: Sequence[asyncio.Future[Any]], problem: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(problem)
