"""Lookups that are asked for at the same moment are read together, and each caller gets its own answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from accordant.kernel.database import Database, Lookup, NotRead, Unstorable

asked: list[tuple[str, tuple[str, ...]]] = []


class Doubled(msgspec.Struct, frozen=True):
    scope: str

    def __call__(self, _: Connection, keys: Sequence[str]) -> Mapping[str, str]:
        asked.append((self.scope, tuple(keys)))
        if "bad" in keys:
            raise Unstorable("no such value")
        if "away" in keys:
            raise NotRead("not now")
        return {key: key * 2 for key in keys if key != "none"}


def look(key: str, scope: str = "s") -> Lookup[str]:
    return Lookup(Doubled(scope), key, "absent")


@pytest.fixture
def database(tmp_path: Any) -> Any:
    asked.clear()
    opened = Database(f"sqlite:///{tmp_path / 'x.db'}")
    yield opened
    opened.close()


async def test_what_is_asked_at_once_is_one_question_for_each_scope(database: Database) -> None:
    wanted = [look("a"), look("b"), look("none"), look("a"), look("a", "other")]
    assert await asyncio.gather(*map(database.find, wanted)) == ["aa", "bb", "absent", "aa", "aa"]
    assert asked == [("s", ("a", "b", "none")), ("other", ("a",))]


async def test_what_is_asked_while_a_group_is_read_is_the_next_group(database: Database) -> None:
    async def in_turn(key: str) -> str:
        await database.find(look(f"{key}1"))
        return await database.find(look(f"{key}2"))

    assert await asyncio.gather(*map(in_turn, "abc")) == ["a2a2", "b2b2", "c2c2"]
    assert [len(keys) for _, keys in asked] == [3, 3]


async def test_a_key_that_cannot_be_asked_for_fails_alone(database: Database) -> None:
    found = await asyncio.gather(*map(database.find, [look("a"), look("bad"), look("b")]), return_exceptions=True)
    assert (found[0], found[2]) == ("aa", "bb")
    assert isinstance(found[1], Unstorable)


async def test_a_database_that_cannot_be_asked_tells_everybody_and_is_asked_once(database: Database) -> None:
    found = await asyncio.gather(*map(database.find, [look("a"), look("away")]), return_exceptions=True)
    assert [type(one) for one in found] == [NotRead, NotRead]
    assert len(asked) == 1
    assert await database.find(look("a")) == "aa"


async def test_whoever_gives_up_waiting_takes_nobody_along(database: Database) -> None:
    asking = [asyncio.create_task(database.find(look(key))) for key in "abc"]
    await asyncio.sleep(0)
    asking[1].cancel()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert (found[0], found[2]) == ("aa", "cc")
    assert isinstance(found[1], asyncio.CancelledError)
