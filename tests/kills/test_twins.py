"""A worker stopped in the middle of a drive while another takes over: what it does when it wakes doubles nothing."""

import asyncio
import os
import signal
from itertools import count
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tests import databases
from tests.backbone.conformance.conftest import begin_and_end
from tests.backbone.conformance.test_kills import FORKS, IN_LANE, Killing
from tests.kills.twin import live

LOCKS = text(
    "SELECT DISTINCT l.pid FROM pg_locks l WHERE l.locktype = 'advisory' AND l.database ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)


_numbers = count(1)


@pytest.fixture
def url(postgresql: str, postgresql_template: str) -> str:
    name = f"twins_{next(_numbers)}"
    databases.execute(postgresql, f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    asyncio.run(begin_and_end(databases.named(postgresql, name)))
    return databases.fresh_postgresql(postgresql, template=name)


def holders(killing: Killing) -> set[int]:
    return killing.database.read_now(lambda c: {row.pid for row in c.execute(LOCKS)})


async def begin_stopped(killing: Killing, place: str) -> int:
    """A worker that has reached the place and stands still there; gives its process id."""
    ours, theirs = FORKS.Pipe(duplex=False)
    arguments = (killing.url, str(killing.vendor.socket), place, theirs)
    process = FORKS.Process(target=live, args=arguments, daemon=True)
    await asyncio.to_thread(process.start)
    assert await asyncio.to_thread(ours.poll, 60), "the process did not start"
    assert process.pid is not None
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        await asyncio.sleep(0.02)
    killing.processes.append(process)
    return process.pid


@pytest.mark.kills
@pytest.mark.postgres
@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("its_locks", ["are kept", "are lost"])
@pytest.mark.parametrize("place", ["effect.send:before@2", "effect.send:after@2", "effect.sent:after@1"])
def test_a_stopped_worker_wakes_and_doubles_nothing(place: str, its_locks: str, url: str, tmp_path: Path) -> None:
    asyncio.run(_play(url, tmp_path, place=place, its_locks=its_locks))


async def _play(url: str, folder: Path, *, place: str, its_locks: str) -> None:
    killing = Killing("dbos", url, folder, seed=22)
    await killing.prepare()
    stopped = await begin_stopped(killing, place)
    if its_locks == "are lost":  # as after a partition: the server believes that the worker is gone
        for pid in holders(killing):
            query = text(f"SELECT pg_terminate_backend({pid})")
            killing.database.read_now(lambda c, query=query: c.execute(query).all())
    await killing.begin()
    await _until_all_but(killing, 0 if its_locks == "are lost" else IN_LANE)
    os.kill(stopped, signal.SIGCONT)
    await asyncio.sleep(1.0)
    await killing.finish()
    killing.check(interrupted=False)


async def _until_all_but(killing: Killing, left: int) -> None:
    """The lane of what a stopped worker still holds waits for it; everything else goes on."""
    while killing.open() > left:
        await asyncio.sleep(0.1)
