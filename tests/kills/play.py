"""Gives an order to the stage and reads what came of it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.kills.case import Outcome
from tests.kills.matrix import place_of
from tests.kills.order import Order

ROOT = Path(__file__).parents[2]


def outcomes(order: Order) -> Iterator[Outcome]:
    """Outcomes as they come. Raises AssertionError when the stage itself fails."""
    log = Path(f"{order.folder}.log")
    with log.open("wb") as errors:
        stage = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
        )
        assert stage.stdin is not None
        assert stage.stdout is not None
        stage.stdin.write(msgspec.json.encode(order))
        stage.stdin.close()
        yield from (msgspec.json.decode(line, type=Outcome) for line in stage.stdout)
    assert stage.wait() == 0, log.read_text()[-4000:]


class Tally:
    """What all cases together came to."""

    def __init__(self) -> None:
        self.covered: dict[int, set[str]] = {1: set(), 2: set(), 3: set()}
        self.reached: set[str] = set()
        self.kills: Counter[str] = Counter()
        """By database and depth."""
        self.cases = 0
        self.missed: list[str] = []
        """Kills that were planned on the first run and never came, because the place was not reached so often."""
        self.violations: list[str] = []
        self.worst_resume_s = 0.0

    def add(self, outcome: Outcome) -> None:
        self.cases += 1
        self.reached |= set(outcome.reached)
        for depth, kill in enumerate(outcome.killed, start=1):
            self.covered[depth].add(place_of(kill))
            self.kills[f"{outcome.case.database} {depth}"] += 1
        if outcome.case.kills and not outcome.killed:
            self.missed.append(outcome.case.label)
        self.worst_resume_s = max([self.worst_resume_s, *outcome.resumes_s])
        self.violations += [f"{outcome.case.label}: {one}" for one in outcome.problems]
