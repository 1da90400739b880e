"""Whatever happens in whatever order, the platform's books end as a careful clerk would have kept them."""

import time
from collections import Counter
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import databases
from tests.campaign_figures import drop
from tests.stateful.machine import PlatformMachine

_CHECKS = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
DEFAULT = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=_CHECKS,
)
CAMPAIGN = settings(
    max_examples=5,
    stateful_step_count=120,
    database=None,
    deadline=None,
    print_blob=True,
    phases=(Phase.generate,),  # a failure is told at once; making its example shorter can take longer than the budget
    suppress_health_check=_CHECKS,
)
CAMPAIGN_S = 300.0
CAMPAIGN_EXAMPLES = 2000
"""The long run ends with whichever comes first, after the five examples under way."""


def play(fresh_url: databases.FreshUrl, chosen: settings) -> Counter[str]:
    """What was played, counted."""
    counts: Counter[str] = Counter()

    class Company(PlatformMachine):
        def fresh_url(self) -> str:
            return fresh_url()

        def ended(self) -> None:
            counts["examples"] += 1
            counts["steps"] += self.steps
            counts["deaths"] += self.world.platform.lives - 1
            counts["answers"] += self.world.heard
            counts["transactions"] += len(self.world.books.tables()["transaction"])
            counts["effects"] += sum(len(one.ledger) for one in self.world.systems.all())

    with structlog.testing.capture_logs():
        run_state_machine_as_test(Company, settings=chosen)
    return counts


@pytest.mark.slow
def test_the_books_are_as_the_clerk_would_have_them(sqlite_template: Path, tmp_path: Path) -> None:
    counts = play(lambda: databases.fresh_sqlite(sqlite_template, tmp_path), DEFAULT)
    assert counts["deaths"] > 20, counts
    assert counts["transactions"] > 60, counts
    assert counts["effects"] > 100, counts
    assert counts["answers"] > 20, counts


@pytest.mark.postgres
def test_also_on_postgresql(postgresql: str, postgresql_template: str) -> None:
    chosen = settings(DEFAULT, max_examples=6)
    play(lambda: databases.fresh_postgresql(postgresql, template=postgresql_template), chosen)


@pytest.mark.campaign
@pytest.mark.timeout(0)
def test_the_books_in_the_long_run(sqlite_template: Path, tmp_path: Path) -> None:
    """A failure prints its example; it is then played by hand in `test_found`, for ever."""
    until_s, total = time.monotonic() + CAMPAIGN_S, Counter[str]()
    while time.monotonic() < until_s and total["examples"] < CAMPAIGN_EXAMPLES:
        total += play(lambda: databases.fresh_sqlite(sqlite_template, tmp_path), CAMPAIGN)
    drop("stateful", total, part="stateful")
    assert total["examples"] >= CAMPAIGN.max_examples
