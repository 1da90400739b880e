"""Many seeds: what they came to, which rare states they reached, and the line that replays one."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.campaign_figures import drop
from tests.simulation.judge import judge, rare_states
from tests.simulation.world import World

REGRESSIONS = Path(__file__).with_name("regressions.txt")

SOMETIMES = (
    "a blocked deal took a correction up",
    "a commit was refused",
    "a compensation came to its end",
    "a delivery broke off",
    "a duplicate delivery was absorbed",
    "a failure was saved under the key",
    "a first sending was refused",
    "a key was left behind",
    "a lane was held behind an exception",
    "a lie was found by reading back",
    "a long downtime",
    "a look-up failed",
    "a payment came about its deadline",
    "a promise was broken",
    "a read failed",
    "a repeat was refused",
    "a second answer was refused",
    "a second process was refused",
    "a spent key's effect was found",
    "a stop was told to the source",
    "a system asked us to slow down",
    "a system was away",
    "a webhook was dropped",
    "a webhook was given up",
    "a webhook was refused",
    "an answer came late",
    "an effect was settled after a crash",
    "an older version came too late",
    "commit unknown, and applied",
    "commit unknown, and lost",
    "killed after an ambiguous answer",
    "killed between a commit and its answer",
    "killed during recovery",
    "killed while compensating",
    "nobody answered in time",
    "somebody was asked about a single try",
    "something else was asked than before",
    "the database was lost, and the process ended",
    "the disk was full",
    "the index hid what had been applied",
    "two answered at once",
)
"""States that a campaign must reach, or its faults are too tame."""


class Outcome(msgspec.Struct, kw_only=True):
    """What one seed came to."""

    seed: int
    findings: tuple[str, ...]
    transactions: int
    virtual_s: float
    crashes: int
    reached: frozenset[str]
    trace: tuple[tuple[float, int, str], ...]


def play(seed: int) -> Outcome:
    """One seed from its beginning to its judgement."""
    world = World(seed).run()
    findings = judge(world)
    rare_states(world)
    return Outcome(
        seed=seed,
        findings=findings,
        transactions=world.ask("SELECT count(*) FROM business_transaction")[0][0],
        virtual_s=world.loop.time(),
        crashes=world.crashes,
        reached=frozenset(world.reached),
        trace=tuple(world.trace),
    )


class Figures:
    """What many seeds came to."""

    def __init__(self) -> None:
        self.seeds = self.transactions = self.crashes = 0
        self.virtual_s = 0.0
        self.reached: Counter[str] = Counter()
        self.failed: dict[int, tuple[str, ...]] = {}

    def add(self, seeds: Iterable[int]) -> "Figures":
        with _collecting_seldom() as tidy:
            self._play_all(seeds, tidy)
        return self

    def _play_all(self, seeds: Iterable[int], tidy: Callable[[], None]) -> None:
        for seed in seeds:
            tidy()
            outcome = play(seed)
            self.seeds += 1
            self.transactions += outcome.transactions
            self.crashes += outcome.crashes
            self.virtual_s += outcome.virtual_s
            self.reached.update(outcome.reached)
            if outcome.findings:
                self.failed[seed] = outcome.findings

    @property
    def report(self) -> str:
        """Every failed seed, with the line that replays it."""
        return "\n".join(
            f"SEED={seed} .venv/bin/python -m pytest tests/simulation -k one_seed\n    " + "\n    ".join(findings)
            for seed, findings in self.failed.items()
        )

    def write(self, name: str) -> None:
        """Leave the figures where the campaign collects them."""
        figures = {
            "seeds": self.seeds,
            "transactions": self.transactions,
            "virtual hours": round(self.virtual_s / 3600, 1),
            "crashes": self.crashes,
            "violations": sum(map(len, self.failed.values())),
            "rare states reached": f"{sum(state in self.reached for state in SOMETIMES)} of {len(SOMETIMES)}",
            "sometimes": dict(sorted(self.reached.items())),
        }
        drop(name, figures, part="simulation")


@contextmanager
def _collecting_seldom() -> Iterator[Callable[[], None]]:
    """What a test process holds already is not looked through again and again for garbage."""
    played = 0

    def tidy() -> None:
        nonlocal played
        played += 1
        if played % 20 == 0:
            gc.collect()

    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield tidy
    finally:
        gc.enable()
        gc.unfreeze()


def regressions() -> list[int]:
    """Seeds that failed once, and run for ever."""
    lines = REGRESSIONS.read_text(encoding="utf-8").splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]
