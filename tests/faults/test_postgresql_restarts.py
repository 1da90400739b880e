"""PostgreSQL is killed, stopped, turned read-only and started again under load; every effect still happens once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from accordant.canonical.operation import EffectClass
from accordant.kernel.clock import SystemClock
from accordant.kernel.database import NotCommitted
from tests.backbone.conformance.rig import Rig
from tests.campaign_figures import drop
from tests.faults.cluster import Cluster

pytestmark = [pytest.mark.postgres, pytest.mark.kills]
CLASSES = (EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP)
RECOVERED_WITHIN_S = 10.0
LANES = 12
TURNS = ("killed", "read-only", "stopped at once", "backends ended", "stopped", "killed", "stopped at once")
"""In this order, again and again."""


async def three_classes(tx: Any, event: Any, *, vendor: Any) -> None:
    for kind in CLASSES:
        await tx.effect(kind.name, vendor.operation(f"{event.order}/{kind.name}", kind))


class Load:
    """Orders keep coming and a vendor keeps a ledger, whatever happens to the database."""

    def __init__(self, url: str, *, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rig = Rig("journal", url, steps=three_classes)
        self.rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
        self.rig.sleep = asyncio.sleep
        self.rig.ticking = False
        self.told: list[str] = []
        self.refused = 0
        self._stop = asyncio.Event()

    async def begin(self) -> None:
        await self.rig.start()
        real = self.rig.vendor._send

        async def slow(business_id: str, *rest: Any) -> Any:
            await asyncio.sleep(self.rng.uniform(0.0, 0.01))
            if self.rng.random() < 0.03:
                self.rig.vendor.plan[business_id] = ["timeout after"]
            return await real(business_id, *rest)

        self.rig.vendor._send = slow  # pyright: ignore[reportAttributeAccessIssue]
        self._telling = asyncio.create_task(self._tell_on())

    async def _tell_on(self) -> None:
        while not self._stop.is_set():
            n = len(self.told)
            lane, order = f"c{n % LANES}", f"c{n % LANES}:{n}"
            try:
                await self.rig.tell(order, customer=lane, at_ms=n + 1)
            except NotCommitted:
                self.refused += 1
                await asyncio.sleep(0.2)
                continue
            self.told.append(order)
            await asyncio.sleep(0.01)

    async def until_moving(self) -> float:
        """Seconds until the writer commits again."""
        began, commits = time.monotonic(), self.rig.writer.commits
        while self.rig.writer.commits < commits + 2:
            assert time.monotonic() - began < 60, "nothing is committed any more"
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def end(self) -> None:
        self._stop.set()
        await self._telling
        await self.rig.until(lambda: all(row.state == "completed" for row in self.rig.transactions()), within_s=120)

    async def check(self) -> None:
        assert len(self.rig.transactions()) == len(self.told)
        times = Counter(business_id for business_id, _ in self.rig.vendor.applied)
        expected = {f"{order}/{kind.name}": 1 for order in self.told for kind in CLASSES}
        assert {one: n for one, n in times.items() if expected.get(one) != n} == {}
        assert set(expected) - set(times) == set()
        for lane in range(LANES):
            mine = [int(one.partition(":")[2].partition("/")[0]) for one in times if one.startswith(f"c{lane}:")]
            assert mine == sorted(mine), f"lane c{lane} lost its order"
        self.rig.check()
        await self.rig.stop()


def ways(cluster: Cluster, rng: random.Random) -> dict[str, Callable[[], Awaitable[None]]]:
    """How the database goes away and comes back; each returns when it is back."""

    async def away(leave: Callable[[], None], come_back: Callable[[], None]) -> None:
        await asyncio.to_thread(leave)
        await asyncio.sleep(rng.choice([0.0, 0.3, 2.0]))
        await asyncio.to_thread(come_back)
        cluster.restarts += 1

    return {
        "killed": lambda: away(cluster.kill, cluster.start),
        "stopped at once": lambda: away(lambda: cluster.stop("immediate"), cluster.start),
        "stopped": lambda: away(lambda: cluster.stop("fast"), cluster.start),
        "read-only": lambda: away(lambda: cluster.read_only(on=True), lambda: cluster.read_only(on=False)),
        "backends ended": lambda: away(cluster.end_backends, lambda: None),
    }


@pytest.mark.parametrize(
    "restarts",
    [
        pytest.param(3, marks=pytest.mark.timeout(170)),
        pytest.param(84, marks=[pytest.mark.campaign, pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
async def test_a_database_that_comes_and_goes(mortal: Cluster, mortal_url: str, restarts: int) -> None:
    load = Load(mortal_url, seed=restarts)
    await load.begin()
    await load.until_moving()
    found = ways(mortal, load.rng)
    recovered: list[float] = []
    kinds: Counter[str] = Counter()
    for n in range(restarts):
        kind = TURNS[n % len(TURNS)]
        await found[kind]()
        kinds[kind] += 1
        recovered.append(await load.until_moving())
        await asyncio.sleep(load.rng.uniform(0.1, 0.6))
    await load.end()
    await load.check()
    assert max(recovered) < RECOVERED_WITHIN_S
    if restarts > 10:
        drop(
            "faults-postgresql-restarts",
            {
                "restarts": kinds["killed"] + kinds["stopped at once"] + kinds["stopped"],
                "interruptions": dict(kinds),
                "transactions": len(load.told),
                "effects_applied": len(load.rig.vendor.applied),
                "recovered_s_max": round(max(recovered), 2),
            },
            part="faults",
        )
