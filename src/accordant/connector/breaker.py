"""A vendor that keeps failing is left alone for a while, then asked once whether it is back.

Of our own: the library at hand takes its time from the air and wraps each call in a context manager, while this costs a
fraction of a microsecond while closed. Each change of state begins a new generation; an outcome counts only in the
generation its call was let through in, so a late answer neither closes nor opens anything.
"""

from typing import Literal

from accordant.kernel.clock import Clock

PROBE_S = 0.25
"""What callers are told to wait while a probe is on its way."""


class Breaker:
    """Circuit breaker of one connection."""

    def __init__(self, *, clock: Clock, failures_max: int = 5, open_s: float = 1.0, open_max_s: float = 10.0) -> None:
        """Opens after `failures_max` failures in a row, for `open_s`, doubled up to `open_max_s` while probes fail."""
        self._clock = clock
        self._failures_max = failures_max
        self._first_open_s = open_s
        self._open_max_s = open_max_s
        self._state: Literal["closed", "open", "half_open"] = "closed"
        self._generation = 0
        self._failures = 0
        self._open_s = open_s
        self._reopen_at_s = 0.0

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        return self._state

    @property
    def reopen_in_s(self) -> float:
        """How long until a probe is let through; 0 when calls pass."""
        if self._state == "closed":
            return 0.0
        if self._state == "half_open":
            return PROBE_S
        return max(0.0, self._reopen_at_s - self._clock.monotonic_s())

    def enter(self) -> int | None:
        """A ticket for one call, to be handed back with its outcome; None: do not call."""
        if self._state == "closed":
            return self._generation
        if self._state == "open" and self._clock.monotonic_s() >= self._reopen_at_s:
            self._become("half_open")
            return self._generation
        return None

    def succeeded(self, ticket: int) -> None:
        """The vendor answered, whatever it said."""
        if ticket != self._generation:
            return
        self._failures = 0
        if self._state == "half_open":
            self._open_s = self._first_open_s
            self._become("closed")

    def failed(self, ticket: int) -> None:
        """No connection, no answer in time, or a 5xx."""
        if ticket != self._generation:
            return
        self._failures += 1
        if self._state == "half_open":
            self._open_s = min(self._open_s * 2, self._open_max_s)
        elif self._failures < self._failures_max:
            return
        self._reopen_at_s = self._clock.monotonic_s() + self._open_s
        self._become("open")

    def abandoned(self, ticket: int) -> None:
        """The call ended without telling anything about the vendor; a lost probe is sent anew by the next caller."""
        if ticket == self._generation and self._state == "half_open":
            self._become("open")

    def _become(self, state: Literal["closed", "open", "half_open"]) -> None:
        self._state = state
        self._generation += 1
        self._failures = 0
