"""A log that cannot be written is a gap in the log, and nothing else."""

import io
from collections.abc import Iterator

import pytest
import structlog

from accordant.telemetry.log import keep_on_logging


class Full(io.StringIO):
    full = True

    def flush(self) -> None:
        if self.full:
            self.seek(0)
            self.truncate()
            raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_what_could_not_be_said_is_counted_and_told_of() -> None:
    file = Full()
    keep_on_logging(file)
    log = structlog.get_logger("test")
    log.warning("pump.postponed")
    log.error("writer.refused")
    file.full = False
    log.info("storage.recovered")
    log.info("after")
    said = file.getvalue()
    assert "storage.recovered" in said
    assert "[2 lines before this came late or are lost]" in said
    assert said.count("are lost") == 1
    assert "pump.postponed" not in said
