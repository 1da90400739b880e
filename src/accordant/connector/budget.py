"""How much a vendor may be asked, shared by all flows of a connection and served finance first."""

import msgspec

from accordant.kernel.clock import Clock
from accordant.kernel.priority import Priority


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection may use; None is no limit."""

    concurrency: int = 32
    rate_per_s: float | None = None
    daily_quota: int | None = None


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor's own headers say. Without `resets_in_s` it is the daily quota."""

    limit: int
    remaining: int
    resets_in_s: float | None = None


class BudgetSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """For people and metrics."""

    in_flight: int
    waiting: int
    used_today: int
    share_used_pct: float | None
    """Of the tightest known limit; None where nothing is limited."""
    paused_for_s: float


class Budget:
    """Rate, concurrency and daily quota of one connection."""

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        raise NotImplementedError

    def try_enter(self) -> bool:
        """Take a place at once, if nobody waits and nothing is exhausted."""
        raise NotImplementedError

    async def enter(self, priority: Priority) -> None:
        """Take a place, waiting for it in the order of `kernel.priority.rank`.

        Raises:
            RateLimited: the quota is gone, or the vendor asked for a pause too long to wait for.
        """
        raise NotImplementedError

    def leave(self) -> None:
        """Give the place back."""
        raise NotImplementedError

    def pause(self, for_s: float) -> None:
        """Nobody calls for so long; never shortens a pause."""
        raise NotImplementedError

    def learn(self, quota: Quota) -> None:
        """Believe the vendor about what is left."""
        raise NotImplementedError

    def snapshot(self) -> BudgetSnapshot:
        raise NotImplementedError
