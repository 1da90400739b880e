"""Whatever happens in whatever order, the platform's books end as a careful clerk would have kept them."""

from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests import databases
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


def play(fresh_url: databases.FreshUrl, chosen: settings) -> None:
    machine = type("Company", (PlatformMachine,), {"fresh_url": lambda _: fresh_url()})
    with structlog.testing.capture_logs():
        run_state_machine_as_test(machine, settings=chosen)


def test_the_books_are_as_the_clerk_would_have_them(sqlite_template: Path, tmp_path: Path) -> None:
    play(lambda: databases.fresh_sqlite(sqlite_template, tmp_path), DEFAULT)


@pytest.mark.postgres
def test_also_on_postgresql(postgresql: str, postgresql_template: str) -> None:
    play(
        lambda: databases.fresh_postgresql(postgresql, template=postgresql_template), settings(DEFAULT, max_examples=6)
    )
