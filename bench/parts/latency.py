"""How long one transaction takes when nothing else is going on, beside the hand-written loop."""

import sys
from typing import Any

from bench.ground import Ground
from bench.rounds import program_turn


async def measure(ground: Ground) -> dict[str, Any]:
    """Both databases; each time in milliseconds, from the event in hand to the last commit."""
    return {kind: await _on(ground, kind) for kind in ("sqlite", "postgresql")}


async def _on(ground: Ground, kind: str) -> dict[str, Any]:
    sizes = ground.sizes
    spec = {"first": sizes.customers, "n": sizes.latency_n, "customers": sizes.customers, "in_flight": 1}
    ground.stub.ask(release=(sizes.customers, 0, sizes.customers))
    name = ground.server.fresh() if kind == "postgresql" else ""
    database = ground.server.named(name) if name else str(ground.file("one.db"))
    hand = _program(ground, "group_commit", {**spec, "database": database})
    if name:
        ground.server.drop(name)
    platform = ground.seeds.copy(kind)
    try:
        url = ground.server.named(platform.database_name) if platform.database_name else ""
        options = {"state": str(platform.state)}
        product = _program(ground, "one_at_a_time", {**spec, "database": url, "options": options})
    finally:
        ground.seeds.remove(platform)
    return {"hand_ms": hand["latency_ms"], "product_ms": product["latency_ms"]}


def _program(ground: Ground, contestant: str, spec: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", f"bench.contestants.{contestant}"]
    return program_turn(command, spec, stub=ground.stub, log=ground.log)
