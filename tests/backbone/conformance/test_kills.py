"""Killed with SIGKILL at random instants: nothing is done twice, nothing is lost, every lane keeps its order."""

import asyncio
import multiprocessing
import random
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from sqlalchemy import func, select

from accordant.backbone.engine.due import stranded
from accordant.backbone.rows import effect_table, transaction_table
from accordant.kernel.database import Database
from accordant.telemetry.audit import verify_chain
from tests import databases
from tests.backbone.conformance.remote import LedgerServer
from tests.backbone.conformance.rig import Rig
from tests.backbone.conformance.worker import live, three_classes

LANES, IN_LANE = 60, 6
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([live.__module__])
STEPS = ("A", "B", "C")


class Killing:
    """A backlog, a vendor with a ledger, and processes that work it off between kills."""

    def __init__(self, engine: str, url: str, folder: Path, seed: int) -> None:
        self.engine = engine
        self.url = url
        self.rng = random.Random(seed)
        self.vendor = LedgerServer(folder / "vendor.sock", rng=self.rng)
        self.database = Database(url)
        self.lives = 0
        self.processes: list[BaseProcess] = []

    async def prepare(self) -> None:
        await self.vendor.start()
        rig = Rig("journal", self.url, steps=three_classes)
        rig.segment = "before"
        await rig.start()
        rig.engine._reserved = _Everything()
        for n in range(IN_LANE):
            await asyncio.gather(*(rig.tell(f"c{lane}:{n}", customer=f"c{lane}", at_ms=n + 1) for lane in range(LANES)))
        await rig.stop()

    async def begin(self) -> BaseProcess:
        self.lives += 1
        ours, theirs = FORKS.Pipe(duplex=False)
        arguments = (self.engine, self.url, str(self.vendor.socket), f"worker-{self.lives}", theirs)
        process = FORKS.Process(target=live, args=arguments, daemon=True)
        await asyncio.to_thread(process.start)
        assert await asyncio.to_thread(ours.poll, 60), "the process did not start"
        self.processes.append(process)
        return process

    async def kill(self, process: BaseProcess) -> None:
        process.kill()
        await asyncio.to_thread(process.join)
        assert process.exitcode == -signal.SIGKILL, "it had ended by itself"
        self.processes.remove(process)

    async def until_asked(self, more: int) -> None:
        """Until so many more requests came, and a moment of chance: the kill hits work however slow the machine is."""
        wanted = self.vendor.requests + more
        give_up_at = asyncio.get_running_loop().time() + 20
        while self.vendor.requests < wanted and asyncio.get_running_loop().time() < give_up_at:
            await asyncio.sleep(0.001)
        await asyncio.sleep(self.rng.uniform(0.0, 0.02))

    def open(self) -> int:
        query = select(func.count()).where(transaction_table.c.state != "completed")
        return self.database.read_now(lambda c: c.execute(query).scalar_one())

    async def finish(self) -> None:
        give_up_at = asyncio.get_running_loop().time() + 100
        while self.open():
            assert asyncio.get_running_loop().time() < give_up_at, f"{self.open()} are still open"
            await asyncio.sleep(0.1)
        for process in list(self.processes):
            await self.kill(process)
        await self.vendor.stop()

    def check(self, *, interrupted: bool = True) -> None:
        """`interrupted`: at least one effect must have been taken up again, or the drill disturbed nothing."""
        orders = [f"c{lane}:{n}" for lane in range(LANES) for n in range(IN_LANE)]
        ids = [f"{order}/{step}" for order in orders for step in STEPS]
        assert {one: self.vendor.times(one) for one in ids if self.vendor.times(one) != 1} == {}
        assert len(self.vendor.ledger) == len(ids)
        assert self.vendor.most_in_one_lane == 1
        for lane in range(LANES):
            mine = [business_id for name, business_id in self.vendor.ledger if name == f"c{lane}"]
            assert mine == [f"c{lane}:{n}/{step}" for n in range(IN_LANE) for step in STEPS]
        assert self.database.read_now(stranded) == 0
        assert self.database.read_now(verify_chain).valid
        redriven = select(func.sum(effect_table.c.redriven))
        again = self.database.read_now(lambda c: c.execute(redriven).scalar_one())
        assert again > 0 or not interrupted, "no kill hit anything in flight"
        self.database.close()


class _Everything(set[str]):
    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.kills
@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", ["journal"])
async def test_twenty_kills_double_nothing_and_lose_nothing(
    engine: str, fresh_url: databases.FreshUrl, tmp_path: Path
) -> None:
    killing = Killing(engine, fresh_url(), tmp_path, seed=20)
    await killing.prepare()
    for _ in range(20):
        process = await killing.begin()
        await killing.until_asked(killing.rng.randrange(1, 9))
        await killing.kill(process)
    assert killing.open() > 0, "the backlog was worked off before the last kill: it must be larger"
    assert killing.vendor.requests > 60
    await killing.begin()
    await killing.finish()
    killing.check()


@pytest.mark.kills
@pytest.mark.postgres
@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", ["dbos"])
async def test_two_workers_one_killed_now_and_then(
    engine: str, postgresql: str, dbos_postgresql: str, tmp_path: Path
) -> None:
    url = databases.fresh_postgresql(postgresql, template=dbos_postgresql)
    killing = Killing(engine, url, tmp_path, seed=21)
    await killing.prepare()
    await asyncio.gather(killing.begin(), killing.begin())
    for _ in range(4):
        await asyncio.sleep(killing.rng.uniform(0.3, 1.0))
        await killing.kill(killing.rng.choice(killing.processes))
        await killing.begin()
    await killing.finish()
    killing.check()
    assert killing.lives == 6
