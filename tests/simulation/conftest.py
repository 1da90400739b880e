"""The database template is made once for each process, and nothing the platform logs is printed."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation import storage


@pytest.fixture(scope="session", autouse=True)
def simulated(tmp_path_factory: pytest.TempPathFactory) -> None:
    storage.prepare(tmp_path_factory.mktemp("simulation"))


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Thousands of lives complain a lot; what must never be logged is looked for by the world."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
