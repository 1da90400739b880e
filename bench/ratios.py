"""The ratios by which the platform is judged, each from figures of one interleaved run, with its goal."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import msgspec

from bench.throughput import Rounds

Results = Mapping[str, Any]


class Goal(msgspec.Struct, frozen=True):
    """What a ratio should be, and what it may not pass."""

    goal: float | None = None
    limit: float | None = None
    is_ceiling: bool = False
    """The ratio should be at most the goal; otherwise at least."""

    def verdict(self, value: float) -> str:
        if self.goal is None or self.limit is None:
            return "no goal was set"
        better = value <= self.goal if self.is_ceiling else value >= self.goal
        within = value <= self.limit if self.is_ceiling else value >= self.limit
        return "met" if better else "within the limit" if within else "missed"


GOALS: Mapping[str, Goal] = {
    "product_sqlite_vs_calls": Goal(0.5, 0.4),
    "product_postgresql_vs_calls": Goal(0.5, 0.4),
    "product_sqlite_vs_group_commit": Goal(0.65, 0.5),
    "product_postgresql_vs_group_commit": Goal(0.65, 0.5),
    "product_vs_dbos_five_steps": Goal(12, 12),
    "product_vs_dbos_one_step": Goal(),
    "product_vs_restate": Goal(4, 4),
    "latency_p50_vs_hand_loop": Goal(2, 2, is_ceiling=True),
    "webhook_ack_vs_bare": Goal(0.5, 0.5),
    "cost_at_million_vs_ten_thousand": Goal(1.15, 1.15, is_ceiling=True),
}
_RATES = {
    "product_sqlite_vs_calls": ("product_sqlite", "calls"),
    "product_postgresql_vs_calls": ("product_postgresql", "calls"),
    "product_sqlite_vs_group_commit": ("product_sqlite", "group_commit_sqlite"),
    "product_postgresql_vs_group_commit": ("product_postgresql", "group_commit_postgresql"),
    "product_vs_dbos_five_steps": ("product_postgresql", "dbos_five_steps"),
    "product_vs_dbos_one_step": ("product_postgresql", "dbos_one_step"),
    "product_vs_restate": ("product_sqlite", "restate"),
}
"""Against DBOS the platform runs on the same PostgreSQL; Restate stores for itself, as the platform does on SQLite."""


def ratios_of(rounds: Rounds, parts: Results) -> dict[str, dict[str, Any]]:
    """Every ratio of `GOALS`: its value, spread and verdict, or null and the reason."""
    found = {name: _of_rounds(rounds, *pair) for name, pair in _RATES.items()}
    found["latency_p50_vs_hand_loop"] = _part(parts, "latency", _latency)
    found["webhook_ack_vs_bare"] = _part(parts, "acknowledge", _acknowledge)
    found["cost_at_million_vs_ten_thousand"] = _part(parts, "growth", _growth)
    return {name: _judged(found[name], goal) for name, goal in GOALS.items()}


def _judged(ratio: dict[str, Any], goal: Goal) -> dict[str, Any]:
    judged = {**ratio, "goal": goal.goal, "limit": goal.limit, "at_most": goal.is_ceiling}
    value = ratio.get("value")
    return judged if value is None else {**judged, "verdict": goal.verdict(value)}


def _of_rounds(rounds: Rounds, mine: str, other: str) -> dict[str, Any]:
    both = [one.figures for one in rounds.valid if mine in one.figures and other in one.figures]
    values = [one[mine]["tx_per_s"] / one[other]["tx_per_s"] for one in both if one[other]["tx_per_s"]]
    if not values:
        reason = next((rounds.missing[name] for name in (mine, other) if name in rounds.missing), "")
        voids = "; ".join(one.void for one in rounds.rounds if one.void)
        return {"value": None, "reason": reason or voids or f"{mine} and {other} were not measured in one round"}
    return {
        "value": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "rounds": len(values),
    }


def _part(parts: Results, name: str, ratio: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    part = parts.get(name) or {"missing": "not measured in this run"}
    if "missing" in part:
        return {"value": None, "reason": part["missing"]}
    return ratio(part)


def _latency(part: Any) -> dict[str, Any]:
    both = {kind: one["product_ms"]["p50"] / one["hand_ms"]["p50"] for kind, one in part.items()}
    return {"value": round(max(both.values()), 3), **{kind: round(value, 3) for kind, value in both.items()}}


def _acknowledge(part: Any) -> dict[str, Any]:
    bare = part["bare"]["cpu_ms_per_request"]
    both = {name: bare / one["cpu_ms_per_request"] for name, one in part.items() if name != "bare"}
    doors = [value for name, value in both.items() if name.endswith("_door")]
    return {"value": round(min(doors), 3), **{name: round(value, 3) for name, value in both.items()}}


def _growth(part: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, steps in part.items():
        if steps[-1]["transactions"] >= 900_000:
            found[kind] = round(steps[-1]["cost_cpu_ms_per_tx"] / steps[0]["cost_cpu_ms_per_tx"], 3)
    if not found:
        largest = max(step["transactions"] for steps in part.values() for step in steps)
        return {"value": None, "reason": f"the database was filled to {largest:,} transactions only in this run"}
    return {"value": max(found.values()), **found}
