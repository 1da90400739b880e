"""What a transaction costs while the database grows."""

import time
from typing import Any

from bench.filling import fill
from bench.ground import Ground
from bench.product_turn import Turn


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
            first += n
            figures = await turn.drive(platform, first=first)
            platform.stop()
            cpu_ms = figures["cpu_ms_per_tx_with_read_back"] + figures.get("server_cpu_ms_per_tx", 0.0)
            steps.append(
                {
                    "transactions": held,
                    "filled_s": round(filled_s, 1),
                    "cost_cpu_ms_per_tx": round(cpu_ms, 4),
                    "tx_per_s": figures["tx_per_s"],
                    "latency_ms": figures["latency_ms"],
                    "peak_rss_mb": figures["peak_rss_mb"],
                }
            )
    finally:
        ground.seeds.remove(platform)
    return steps
