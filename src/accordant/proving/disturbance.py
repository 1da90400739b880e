"""Bad days, drawn by a seed: which faults each system shows for a while, and when it is not there at all."""

import random
from typing import Any

import msgspec

Json = dict[str, Any]

AMBIGUOUS = frozenset(
    {"error_after_apply", "timeout_after_apply", "reset_after_apply", "truncated_answer", "ok_without_apply"}
)
"""Faults after which a client cannot know whether its write was applied, or believes that it was."""
CLIENT_TIMEOUT_S = 2
"""How long the platform waits for an answer during a drill; a hang must last longer to be one."""
_ONE_OFF = {"max_per_key": 3}
_EVERYWHERE: tuple[Json, ...] = (
    {"kind": "rate_limited", "probability": 0.08, "retry_after_s": 0.2, **_ONE_OFF},
    {"kind": "rate_limited", "probability": 0.05, "retry_after_s": None, **_ONE_OFF},
    {"kind": "error_before_apply", "probability": 0.05, **_ONE_OFF},
    {"kind": "error_after_apply", "probability": 0.05, **_ONE_OFF},
    {"kind": "error_after_apply", "probability": 0.03, "status": 502, **_ONE_OFF},
    {"kind": "timeout_after_apply", "probability": 0.02, "delay_s": CLIENT_TIMEOUT_S + 1, **_ONE_OFF},
    {"kind": "reset_after_apply", "probability": 0.05, **_ONE_OFF},
    {"kind": "truncated_answer", "probability": 0.05, **_ONE_OFF},
    {"kind": "token_expired", "probability": 0.03, "max_per_key": 1},
    {"kind": "slow", "probability": 0.1, "delay_s": 0.3},
    {"kind": "index_lag", "delay_s": 1.0},
)
_OF_ROLE: dict[str, tuple[Json, ...]] = {
    "crm": (
        {"kind": "page_repeated", "probability": 0.3},
        {"kind": "page_overlap", "probability": 0.3},
        {"kind": "page_reordered", "probability": 0.5},
    ),
    "billing": (
        {"kind": "webhook_duplicate"},
        {"kind": "webhook_shuffle"},
        {"kind": "webhook_delay", "probability": 0.3},
        {"kind": "webhook_drop", "probability": 0.2},
    ),
    "support": (
        {"kind": "webhook_duplicate"},
        {"kind": "webhook_shuffle"},
        {"kind": "webhook_drop", "probability": 0.2},
    ),
    "erp": (),
}
_LIES = {"crm": "record.update", "erp": "record.update", "billing": "subscription.update"}
"""Writes that a system may confirm without applying: nothing else is built on them, so that one lie stays one."""
ROLES = tuple(_OF_ROLE)


class BadDay(msgspec.Struct, frozen=True, kw_only=True):
    """What one system shows until the next change."""

    role: str
    plan: Json
    """As the sandbox's door for faults takes it."""
    down: Json | None = None
    """An outage, as its door takes it."""
    expires_tokens: bool = False


def bad_day(rng: random.Random) -> BadDay:
    """A new mixture for one system."""
    role = rng.choice(ROLES)
    faults = rng.sample(_EVERYWHERE, k=rng.randint(1, 4))
    own = _OF_ROLE[role]
    faults += rng.sample(own, k=rng.randint(0, len(own)))
    if role in _LIES and rng.random() < 0.15:
        faults.append({"kind": "ok_without_apply", "operation": _LIES[role], "probability": 0.02, "count": 1})
    plan: Json = {"faults": faults}
    if rng.random() < 0.1:
        plan["preset"] = "month_end"
    down = None
    if rng.random() < 0.2:
        down = {"seconds": rng.uniform(0.3, 3.0), "status": rng.choice((None, 503))}
    return BadDay(role=role, plan=plan, down=down, expires_tokens=rng.random() < 0.1)


def ambiguities_in(faults: dict[str, int]) -> int:
    """How many answers were taken away after the write, or given without it."""
    return sum(n for kind, n in faults.items() if kind in AMBIGUOUS)
