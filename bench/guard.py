"""Says how the cost of a transaction has changed since the stored run: `python -m bench.guard`, half a minute.

The figure is CPU of the platform over CPU of its four calls alone, measured in one short run: a machine that is slow or
busy slows both. It prints the change and never fails over it; it fails when the measurement itself does.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.ground import TINY, ground
from bench.run import RESULTS, say
from bench.throughput import Rounds, play_rounds

PRODUCT, FLOOR = "product_sqlite", "calls"
_SIZES = msgspec.structs.replace(TINY, rounds=3, customers=150, floor_n=2000, product_n=500)
_TOLD_FROM = 0.10
"""Smaller changes are within what two runs on one machine differ by."""


def cost(figures: Mapping[str, Any]) -> float:
    """CPU of the platform for one transaction, in units of the four calls alone; of one round."""
    return figures[PRODUCT]["cpu_ms_per_tx"] / figures[FLOOR]["cpu_ms_per_tx"]


def cost_of(results: Mapping[str, Any]) -> float | None:
    """The same from the rounds of a stored run that count; None where it has none."""
    rounds = [one["figures"] for one in results.get("rounds", ()) if not one["void"]]
    costs = [cost(one) for one in rounds if PRODUCT in one and FLOOR in one]
    return median(costs) if costs else None


def sentence(now: float, before: float | None) -> str:
    """What changed, for the log of a build."""
    here = f"a transaction costs {now:.1f} times the CPU of its four calls alone"
    if before is None:
        return f"{here}; there is no stored run to compare with: make bench"
    change = now / before - 1
    word = "dearer" if change > _TOLD_FROM else "cheaper" if change < -_TOLD_FROM else "as before"
    return f"{here}; {before:.1f} in the stored run: {change:+.0%}, {word}"


async def _measure() -> float:
    with ground(_SIZES) as on:
        await on.seeds.grow("sqlite")
        rounds: Rounds = await play_rounds(on, say, only=[FLOOR, PRODUCT])
    if rounds.missing:
        raise SystemExit(f"nothing was measured: {rounds.missing}")
    return median(cost(one.figures) for one in rounds.valid)


def main(stored: Path = RESULTS) -> int:
    before = cost_of(json.loads(stored.read_text(encoding="utf-8"))) if stored.exists() else None
    print(sentence(asyncio.run(_measure()), before))
    return 0


if __name__ == "__main__":
    sys.exit(main())
