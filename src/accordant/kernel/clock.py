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


_BELIEVED_MS = 48 * 3_600_000


class SteadyClock:
    """Wall time that is never set back: what happened later bears a later instant, whatever the machine's clock does.

    Where the wall clock is set back, this one goes on from where it stood, at the pace of monotonic time, until the
    wall clock has come up with it. A wall clock that was wrong by more than two days is not followed that long: then
    the instants were nonsense, and the right ones count again.
    """

    def __init__(self, wall: Clock, *, not_before_ms: int = 0) -> None:
        """`not_before_ms`: the latest instant that an earlier process has written down."""
        self._wall = wall
        self._anchor_ms = not_before_ms
        self._anchor_s = wall.monotonic_s()

    def now_ms(self) -> int:
        wall_ms, passed_s = self._wall.now_ms(), self._wall.monotonic_s() - self._anchor_s
        steady_ms = self._anchor_ms + int(passed_s * 1000)
        if 0 < steady_ms - wall_ms <= _BELIEVED_MS:
            return steady_ms
        self._anchor_ms, self._anchor_s = wall_ms, self._anchor_s + passed_s
        return wall_ms

    def monotonic_s(self) -> float:
        return self._wall.monotonic_s()


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
