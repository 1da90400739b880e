"""Which faults a seed has, and how often they strike: a random subset of kinds, each for a random part of the run."""

import random
from collections import Counter

KINDS = (
    "crash",
    "crash at a boundary",
    "long downtime",
    "second process",
    "read fails",
    "write refused",
    "disk full",
    "commit refused",
    "commit unknown",
    "slow database",
    "request lost",
    "answer lost",
    "fails before",
    "fails after",
    "fails for ever",
    "rate limited",
    "refused by mistake",
    "away",
    "look-up fails",
    "index lags",
    "lies",
    "slow vendor",
    "duplicates",
    "reorders",
    "drops",
    "delays",
    "edits",
    "payment late",
    "hasty operator",
)
_RARE = {"commit unknown": 0.004, "commit refused": 0.03, "read fails": 0.01, "write refused": 0.02, "lies": 0.1}
STRIKES = 0.25


class Swarm:
    """One in four kinds is switched on, and strikes one time in four; the rarest strike less, or nothing would end."""

    def __init__(self, seed: str) -> None:
        chosen = random.Random(f"{seed}/swarm")
        bold = chosen.random() < 0.2
        self.on = frozenset(one for one in KINDS if chosen.random() < (0.6 if bold else 0.25))
        self.rng = random.Random(f"{seed}/strikes")
        self.healed = False
        self.struck: Counter[str] = Counter()

    def has(self, kind: str) -> bool:
        """Whether this kind is switched on, and nothing has healed yet."""
        return kind in self.on and not self.healed

    def strikes(self, kind: str) -> bool:
        if not self.has(kind) or self.rng.random() >= _RARE.get(kind, STRIKES):
            return False
        self.struck[kind] += 1
        return True
