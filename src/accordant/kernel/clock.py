"""Time is an argument: everything that needs the time is given a clock."""

import time
from datetime import UTC, datetime
from typing import Protocol

from accordant.kernel.dates import read_instant_ms
from accordant.kernel.errors import Malformed


class Clock(Protocol):
    """Wall time for records, monotonic time for durations."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some fixed moment; never jumps."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved; for tests and simulations."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_s(self) -> float:
        return self._now_ms / 1000

    def advance(self, seconds: float) -> None:
        """Move forward; negative seconds move back, as real clocks sometimes do."""
        self._now_ms += round(seconds * 1000)


def utc_text(at_ms: int) -> str:
    """RFC 3339 text in UTC with milliseconds, such as `2026-11-21T12:00:00.000Z`."""
    instant = datetime.fromtimestamp(at_ms / 1000, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_utc_ms(text: str) -> int:
    """Milliseconds of an RFC 3339 text that names its offset; raises ValueError otherwise."""
    try:
        return read_instant_ms(text)
    except Malformed as wrong:
        raise ValueError(wrong.message) from None
