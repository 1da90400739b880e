"""The sandbox's time: the real clock plus what a test has advanced it by."""

from collections.abc import Callable
from datetime import UTC, datetime

from accordant.kernel.clock import Clock


class SandboxClock:
    """Wall time for tokens, keys, limits, lag and retries.

    `advance` moves this clock alone, not its source, and wakes whoever sleeps on it.
    """

    def __init__(self, source: Clock) -> None:
        self._source = source
        self._advanced_s = 0.0
        self._listeners: list[Callable[[], None]] = []

    def now_s(self) -> float:
        return self._source.now_ms() / 1000 + self._advanced_s

    def now_ms(self) -> int:
        return round(self.now_s() * 1000)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s(), UTC)

    def advance(self, seconds: float) -> None:
        """Move forward; time never goes back, records would change their order."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._advanced_s += seconds
        for wake in self._listeners:
            wake()

    def on_advance(self, wake: Callable[[], None]) -> None:
        self._listeners.append(wake)
