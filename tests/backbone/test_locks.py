"""Locks hold across workers, fall when their holder dies, and are never waited for in a circle."""

import asyncio

import pytest
from sqlalchemy import text

from accordant.backbone.engine.place import may_lead, place_of
from accordant.backbone.locks import AdvisoryLocks, DriveLocks, LocalLocks
from accordant.kernel.database import Database, NotRead
from accordant.kernel.errors import Misconfigured
from tests import databases


async def visits(first: DriveLocks, second: DriveLocks) -> int:
    """The most that were inside at the same time."""
    inside = most = 0

    async def visit(locks: DriveLocks, ids: list[str]) -> None:
        nonlocal inside, most
        async with locks.hold("t", ids):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    pairs = [(first, ["a", "b"]), (second, ["b", "a"]), (first, ["b"]), (second, ["b", "b"])]
    await asyncio.wait_for(asyncio.gather(*(visit(locks, ids) for locks, ids in pairs)), 10)
    return most


async def test_local_locks_let_one_in() -> None:
    locks = LocalLocks()
    assert await visits(locks, locks) == 1
    assert locks._locks == {}


@pytest.mark.postgres
class TestAcrossProcesses:
    @pytest.fixture
    def fresh_url(self, postgresql: str, postgresql_template: str) -> databases.FreshUrl:
        return lambda: databases.fresh_postgresql(postgresql, template=postgresql_template)

    async def test_two_workers_let_one_in(self, database: Database) -> None:
        one, two = AdvisoryLocks(database, on_lost=lambda: None), AdvisoryLocks(database, on_lost=lambda: None)
        await one.open()
        await two.open()
        assert await visits(one, two) == 1
        assert await one.try_take("drive", "tx")
        assert not await two.try_take("drive", "tx")
        await one.close()
        assert await two.try_take("drive", "tx")
        await two.close()

    async def test_losing_the_locks_is_told_and_nothing_goes_on(self, database: Database) -> None:
        lost: list[int] = []
        locks = AdvisoryLocks(database, on_lost=lambda: lost.append(1))
        await locks.open()
        assert await locks.try_take("drive", "tx")
        with database.engine.begin() as connection:
            others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            connection.execute(text(f"{others} AND datname = current_database()"))
        with pytest.raises(NotRead):
            await locks.try_take("drive", "other")
        assert lost
        await locks.close()

    async def test_one_worker_leads_and_another_takes_over(self, database: Database) -> None:
        places = [place_of(database, engine="dbos", worker=n, on_lost=lambda: None) for n in "ab"]
        assert len({place.segment for place in places}) == 2
        assert [await may_lead(place) for place in places] == [True, False]
        await places[0].lead.release()
        assert await may_lead(places[1])
        await places[1].lead.release()


def test_an_engine_nobody_knows_is_refused(database: Database) -> None:
    with pytest.raises(Misconfigured, match="temporal"):
        place_of(database, engine="temporal", worker="a", on_lost=lambda: None)
