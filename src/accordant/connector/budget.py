"""How much a vendor may be asked, shared by all flows of a connection and served finance first."""

import asyncio
import heapq
import itertools

import msgspec

from accordant.kernel.clock import Clock
from accordant.kernel.errors import RateLimited
from accordant.kernel.priority import Priority, rank

LONG_PAUSE_S = 5.0
"""Longer pauses are not waited out here: the work is parked and its place in the engine goes to other work."""
BURST_S = 0.1
"""Unused rate is saved up for this long only, so that no second sees much more than its share."""
SHARE_WINDOW_S = 10.0
EXHAUSTED_PAUSE_S = 900.0
"""Until the vendor is asked again after it said that nothing is left, where it did not say when that changes."""
_DAY_MS = 86_400_000
_WHOLE = 1 - 1e-9
"""One token, whatever floating point made of it."""


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
    admitted_total: int
    used_today: int
    """Calls since 00:00 UTC or since the start, whichever is later."""
    busy_place_s: float
    """Places taken, integrated over time: 32 places busy for a second are 32."""
    share_used_pct: float
    """Of the tightest known limit: rate and places over the last ten seconds of work, quotas as of now."""
    paused_for_s: float


class Budget:
    """Rate, concurrency and daily quota of one connection."""

    def __init__(self, limits: Limits, *, clock: Clock, name: str = "the vendor") -> None:
        self._name = name
        self._limits = limits
        self._clock = clock
        self._free = limits.concurrency
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._rate = limits.rate_per_s
        self._burst = max(1.0, self._rate * BURST_S) if self._rate else 0.0
        self._tokens = self._burst
        self._refilled_s = clock.monotonic_s()
        self._paused_until_s = 0.0
        self._day: int = 0
        self._used_today = 0
        self._learned: Quota | None = None
        self._use = _Use(limits, clock.monotonic_s())

    def try_enter(self) -> bool:
        """Take a place at once, if nobody waits and nothing is exhausted."""
        if self._waiting or self._free <= 0:
            return False
        now_s = self._clock.monotonic_s()
        if self._delay_s(now_s) > 0 or self._quota_gone():
            return False
        self._take(now_s)
        return True

    async def enter(self, priority: Priority) -> None:
        """Take a place, waiting for it in the order of `kernel.priority.rank`.

        Raises:
            RateLimited: the quota is gone, or the vendor asked for a pause too long to wait for.
        """
        refusal = self._refusal()
        if refusal:
            raise refusal
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        arrived_ms = int(self._clock.monotonic_s() * 1000)
        heapq.heappush(self._waiting, (rank(priority, arrived_ms=arrived_ms), next(self._numbers), place))
        self._serve()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # the place was given in the moment its taker gave up
            else:
                self._serve()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self._use.changed(self._clock.monotonic_s(), self._limits.concurrency - self._free)
        self._free += 1
        if self._waiting:
            self._serve()

    def pause(self, for_s: float) -> None:
        """Nobody calls for so long; never shortens a pause."""
        until_s = self._clock.monotonic_s() + for_s
        if until_s > self._paused_until_s:
            self._paused_until_s = until_s
            self._tokens = min(self._tokens, 1.0)
            self._serve()

    def learn(self, quota: Quota) -> None:
        """Believe the vendor about what is left."""
        self._learned = quota
        if quota.remaining <= 0:
            self.pause(EXHAUSTED_PAUSE_S if quota.resets_in_s is None else max(0.0, quota.resets_in_s))

    def snapshot(self) -> BudgetSnapshot:
        now_s = self._clock.monotonic_s()
        in_flight = self._limits.concurrency - self._free
        self._use.changed(now_s, in_flight)
        shares = [self._use.share]
        if self._limits.daily_quota:
            shares.append(self._used_today / self._limits.daily_quota)
        if self._learned is not None and self._learned.limit > 0:
            shares.append(1 - self._learned.remaining / self._learned.limit)
        return BudgetSnapshot(
            in_flight=in_flight,
            waiting=sum(not place.done() for _, _, place in self._waiting),
            admitted_total=self._use.admitted,
            used_today=self._used_today,
            busy_place_s=self._use.busy_place_s,
            share_used_pct=round(100 * max(shares), 1),
            paused_for_s=max(0.0, self._paused_until_s - now_s),
        )

    def _take(self, now_s: float) -> None:
        self._use.changed(now_s, self._limits.concurrency - self._free)
        self._use.admitted += 1
        self._free -= 1
        if self._rate:
            self._tokens -= 1
        self._used_today += 1

    def _delay_s(self, now_s: float) -> float:
        """How long until a free place may be used; 0 now."""
        if self._paused_until_s:
            if self._paused_until_s > now_s:
                return self._paused_until_s - now_s
            self._paused_until_s = 0.0
            self._refilled_s = now_s  # nothing is saved up during a pause
        if not self._rate:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now_s - self._refilled_s) * self._rate)
        self._refilled_s = now_s
        return 0.0 if self._tokens >= _WHOLE else (1 - self._tokens) / self._rate

    def _quota_gone(self) -> bool:
        today = self._clock.now_ms() // _DAY_MS
        if today != self._day:
            self._day, self._used_today = today, 0
        return self._limits.daily_quota is not None and self._used_today >= self._limits.daily_quota

    def _refusal(self) -> RateLimited | None:
        """Why waiting here would take too long; None where it would not."""
        pause_s = self._paused_until_s - self._clock.monotonic_s() if self._paused_until_s else 0.0
        if pause_s > LONG_PAUSE_S:
            return RateLimited(f"{self._name} asked for a pause of another {pause_s:.0f} s", retry_after_s=pause_s)
        if self._quota_gone():
            rest_s = (_DAY_MS - self._clock.now_ms() % _DAY_MS) / 1000
            return RateLimited(f"the daily quota of {self._name} is used up", retry_after_s=rest_s)
        return None

    def _serve(self) -> None:
        """Give free places to those who waited, in order; refuse them where waiting would take too long."""
        while self._waiting:
            place = self._waiting[0][2]
            if not place.done():
                refusal = self._refusal()
                if refusal:
                    place.set_exception(refusal)
                elif self._free > 0:
                    now_s = self._clock.monotonic_s()
                    delay_s = self._delay_s(now_s)
                    if delay_s > 0:
                        self._wake_in(delay_s)
                        return
                    self._take(now_s)
                    place.set_result(None)
                else:
                    return
            heapq.heappop(self._waiting)

    def _wake_in(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(delay_s, 0.001), self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._serve()


class _Use:
    """How much of rate and places was used, over all time and over the last full window."""

    def __init__(self, limits: Limits, now_s: float) -> None:
        self.admitted = 0
        self.busy_place_s = 0.0
        self.share = 0.0
        self._limits = limits
        self._changed_s = self._window_s = now_s
        self._window_start = (0, 0.0)

    def changed(self, now_s: float, in_flight: int) -> None:
        """`in_flight` places were taken from the last change until now."""
        self.busy_place_s += in_flight * (now_s - self._changed_s)
        self._changed_s = now_s
        lasted_s = now_s - self._window_s
        if lasted_s < SHARE_WINDOW_S:
            return
        admitted, busy_place_s = self._window_start
        self.share = (self.busy_place_s - busy_place_s) / (lasted_s * self._limits.concurrency)
        if self._limits.rate_per_s:
            self.share = max(self.share, (self.admitted - admitted) / (lasted_s * self._limits.rate_per_s))
        self._window_s = now_s
        self._window_start = (self.admitted, self.busy_place_s)
