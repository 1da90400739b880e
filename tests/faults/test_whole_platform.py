"""The whole platform behind bad lines to every vendor and to PostgreSQL, which is killed again and again meanwhile."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, make_url

from accordant.kernel.database import Database, NotRead
from accordant.launch import process, sandboxes
from accordant.launch import state as states
from accordant.launch.export import plan_of_export
from accordant.launch.run import Plan, Run, parse_fix
from accordant.proving.proxy import NONE, Fault
from tests import databases
from tests.campaign_figures import drop
from tests.experience.test_same_end import ACCOUNTS, DEALS_EACH, FIX, _export
from tests.faults.aside import Aside, aside
from tests.faults.cluster import Cluster

pytestmark = [pytest.mark.campaign, pytest.mark.slow, pytest.mark.kills, pytest.mark.postgres]
PROMISES = ("duplicate_effects", "lost_events", "partial_without_exception", "stale_overwrites")


def bad_line(rng: random.Random) -> Fault:
    """What a new connection suffers: half of them nothing, the others are slow, cut or swallowed."""
    chance = rng.random()
    if chance < 0.5:
        return NONE
    if chance < 0.6:
        return Fault(latency_s=0.05)
    if chance < 0.75:
        return Fault(cut_response_after=rng.randrange(0, 20_000))
    if chance < 0.9:
        return Fault(cut_request_after=rng.randrange(0, 20_000))
    return Fault(close_after_accept=True) if chance < 0.97 else Fault(half_open=True)


class Patient(Database):
    """Whoever watches the play waits until the database answers again."""

    def read_now(self, query: Callable[[Connection], Any]) -> Any:
        for _ in range(600):
            with contextlib.suppress(NotRead):
                return super().read_now(query)
            time.sleep(0.1)
        return super().read_now(query)


class Shaken(Run):
    """A play whose lines all lead through proxies."""

    def __init__(self, plan: Plan, *, stack: ExitStack) -> None:
        super().__init__(plan, watch=lambda _, __: None)
        self._stack = stack
        self.database = Patient(self.database.url.render_as_string(hide_password=False))
        self.lines: dict[str, Aside] = {}

    async def _open(self) -> None:
        await super()._open()
        addresses: dict[str, str] = {}
        for role, one in self.sandboxes.running.items():
            line = self.lines[role] = self._stack.enter_context(aside(make_url(one.url).port or 0, seed=len(role)))
            line.swarm(bad_line)
            addresses[one.name] = f"http://127.0.0.1:{line.port}"
        states.write_private(self.plan.state / "sandboxes.json", addresses)


async def shake(run: Shaken, cluster: Cluster, line: Aside, ended: asyncio.Event, *, rng: random.Random) -> int:
    """From when the platform is up until the play is over, kill, stop and cut the database; how often."""
    times = 0
    while not run.lines or await run.platform.pulse() is None:
        await asyncio.sleep(0.2)
    while not ended.is_set():
        await asyncio.sleep(rng.uniform(1.0, 3.0))
        match rng.randrange(4):
            case 0:
                await asyncio.to_thread(cluster.kill_and_start)
            case 1:
                await asyncio.to_thread(cluster.stop_and_start)
            case 2:
                await asyncio.to_thread(cluster.end_backends)
            case _:
                line.arm(rng.choice([Fault(cut_response_after=0, times=1), Fault(cut_request_after=9, times=1)]))
        times += 1
    return times


@pytest.mark.timeout(1500)
async def test_bad_lines_everywhere_and_a_database_that_dies_leave_the_same_four_systems(
    tmp_path: Path, mortal: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patient in (process, sandboxes):  # on a busy machine starting takes longer
        monkeypatch.setattr(patient, "_READY_WITHIN_S", 150.0)
    _export(tmp_path / "export")
    fixes = (parse_fix(FIX),)
    calm_plan = plan_of_export(tmp_path / "export", tmp_path / "calm")
    calm = await Run(msgspec.structs.replace(calm_plan, fixes=fixes), watch=lambda _, __: None).play()
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        url = databases.fresh_postgresql(mortal.url)
        line = stack.enter_context(aside(mortal.port, seed=5))
        far = make_url(url).set(port=line.port).render_as_string(hide_password=False)
        plan = plan_of_export(tmp_path / "export", tmp_path / "shaken")
        run = Shaken(msgspec.structs.replace(plan, fixes=fixes, database_url=far), stack=stack)
        ended = asyncio.Event()
        before = mortal.restarts
        shaking = asyncio.create_task(shake(run, mortal, line, ended, rng=random.Random(5)))
        try:
            shaken = await run.play()
        finally:
            ended.set()
            times = await shaking
        did = sum((one.did for one in run.lines.values()), start=line.did.copy())
        figures = {
            "database_interruptions": times,
            "database_restarts": mortal.restarts - before,
            "lines_cut": did["cut_request"] + did["cut_response"] + did["close_after_accept"],
            "lines_swallowed": did["swallowed"],
            "connections": did["connections"],
            "transactions": ACCOUNTS * DEALS_EACH,
            "wall_s": shaken["wall_s"],
        }
    for phase in ("first_pass", "final"):
        assert shaken[phase]["state_sha256"] == calm[phase]["state_sha256"], phase
        for promise in PROMISES:
            assert shaken[phase][promise] == 0, (phase, promise)
            figures[promise] = shaken[phase][promise]
    assert shaken["final"]["transactions"] == {"completed": ACCOUNTS * DEALS_EACH}
    drop("faults-whole-platform", figures, part="faults")
