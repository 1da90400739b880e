"""What a transaction costs while the database grows."""

import time
from statistics import median
from typing import Any

from bench.filling import fill
from bench.ground import Ground
from bench.product_turn import Turn
from bench.rounds import Figures


async def measure(ground: Ground) -> dict[str, Any]:
    """Cost of a transaction, read-back and database server included, at each size of the database."""
    found = {"sqlite": await _grow(ground, "sqlite", ground.sizes.fill)}
    if ground.sizes.fill_postgresql:
        found["postgresql"] = await _grow(ground, "postgresql", ground.sizes.fill_postgresql)
    return found


async def _grow(ground: Ground, kind: str, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    platform = ground.seeds.copy(kind)
    n = ground.sizes.growth_n
    turn = Turn(ground, kind, n=n)
    steps: list[dict[str, Any]] = []
    try:
        first = ground.sizes.customers
        await turn.drive(platform, first=first)  # warms nothing: it makes the transactions that are copied
        platform.stop()
        for size in sizes:
            began = time.perf_counter()
            held = fill(platform.database, up_to=size, chosen=min(n, 500))
            filled_s = time.perf_counter() - began
            runs: list[Figures] = []
            for _ in range(ground.sizes.rounds):
                first += n
                runs.append(await turn.drive(platform, first=first))
                platform.stop()
            steps.append({"transactions": held, "filled_s": round(filled_s, 1), **_step(runs)})
    finally:
        ground.seeds.remove(platform)
    return steps


def _step(runs: list[Figures]) -> Figures:
    """The run in the middle by cost, and how far the others were from it."""
    costs = [one["cpu_ms_per_tx_with_read_back"] + one.get("server_cpu_ms_per_tx", 0.0) for one in runs]
    middle = runs[sorted(range(len(runs)), key=costs.__getitem__)[len(runs) // 2]]
    return {
        "cost_cpu_ms_per_tx": round(median(costs), 4),
        "cost_min": round(min(costs), 4),
        "cost_max": round(max(costs), 4),
        "tx_per_s": middle["tx_per_s"],
        "latency_ms": middle["latency_ms"],
        "peak_rss_mb": middle["peak_rss_mb"],
    }
