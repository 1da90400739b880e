"""A vendor that keeps failing is left alone for a while, then asked once whether it is back."""

from typing import Literal

from accordant.kernel.clock import Clock


class Breaker:
    """Circuit breaker of one connection."""

    def __init__(self, *, clock: Clock, failures_max: int = 5, open_s: float = 1.0, open_max_s: float = 10.0) -> None:
        raise NotImplementedError

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        raise NotImplementedError

    @property
    def reopen_in_s(self) -> float:
        """How long until a probe is let through; 0 when calls pass."""
        raise NotImplementedError
