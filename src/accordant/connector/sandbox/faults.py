"""Everything that goes wrong with a vendor, switched on by name: which operation, how often, for how long."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Literal

import msgspec

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.limits import covers
from accordant.connector.sandbox.pages import Mischief, PageFault

FaultKind = Literal[
    "down",
    "slow",
    "rate_limited",
    "token_expired",
    "error_before_apply",
    "error_after_apply",
    "timeout_after_apply",
    "reset_after_apply",
    "truncated_answer",
    "ok_without_apply",
    "page_repeated",
    "page_overlap",
    "page_reordered",
    "webhook_duplicate",
    "webhook_shuffle",
    "webhook_delay",
    "webhook_drop",
    "index_lag",
]
Stage = Literal["door", "slow", "before", "lie", "after_write", "after_read"]

STAGES: dict[Stage, frozenset[FaultKind]] = {
    "door": frozenset(["down"]),
    "slow": frozenset(["slow"]),
    "before": frozenset(["rate_limited", "token_expired", "error_before_apply"]),
    "lie": frozenset(["ok_without_apply"]),
    "after_write": frozenset(["error_after_apply", "timeout_after_apply", "reset_after_apply", "truncated_answer"]),
    "after_read": frozenset(["truncated_answer"]),
}
DEFAULT_DELAY_S: dict[FaultKind, float] = {
    "slow": 0.5,
    "timeout_after_apply": 30.0,
    "webhook_shuffle": 0.3,
    "webhook_delay": 1.0,
    "index_lag": 1.0,
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to fail.

    `operation` is an exact name, `prefix.*` or `*`; for webhook faults it matches the delivery's topic. It fires with
    `probability` on each request, at most `count` times in all and `max_per_key` times for the same request (same
    idempotency key, else same method, address and body), from `starts_in_s` after the plan was set, for `lasts_s`.
    `delay_s` is the wait of `slow` and `webhook_delay`, the hang of `timeout_after_apply`, the window that
    `webhook_shuffle` scatters over, and the lag of `index_lag`. `status` replaces the usual 429, 500 or 503; a `down`
    with a status answers, without one it resets the connection. `copies` bounds how often `webhook_duplicate` delivers.
    """

    kind: FaultKind
    operation: str = "*"
    probability: float = 1.0
    count: int | None = None
    max_per_key: int | None = None
    starts_in_s: float = 0.0
    lasts_s: float | None = None
    delay_s: float | None = None
    status: int | None = None
    retry_after_s: float | None = 1.0
    copies: tuple[int, int] = (1, 5)

    @property
    def wait_s(self) -> float:
        return DEFAULT_DELAY_S.get(self.kind, 0.0) if self.delay_s is None else self.delay_s


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults that are on together; `preset` adds a ready-made plan to them."""

    faults: tuple[Fault, ...] = ()
    preset: Literal["month_end"] | None = None


def month_end(*, hang_s: float = 30.0, max_per_key: int = 3) -> FaultPlan:
    """The worst regular day: every disturbance a vendor is known for, none of them lasting.

    Webhooks arrive one to five times and shuffled, pages repeat, overlap and lose their order, 5 % of requests are
    throttled, 2 % of writes answer 5xx and 1 % hang although they were applied.
    """
    return FaultPlan(
        faults=(
            Fault(kind="webhook_duplicate"),
            Fault(kind="webhook_shuffle"),
            Fault(kind="page_repeated", probability=0.2),
            Fault(kind="page_overlap", probability=0.3),
            Fault(kind="page_reordered", probability=0.5),
            Fault(kind="rate_limited", probability=0.05, max_per_key=max_per_key, retry_after_s=0.0),
            Fault(kind="error_after_apply", probability=0.02, max_per_key=max_per_key),
            Fault(kind="timeout_after_apply", probability=0.01, max_per_key=max_per_key, delay_s=hang_s),
        )
    )


class _Armed:
    """A fault with its counts and its window."""

    def __init__(self, fault: Fault, armed_at_s: float) -> None:
        self.fault = fault
        self.from_s = armed_at_s + fault.starts_in_s
        self.until_s = float("inf") if fault.lasts_s is None else self.from_s + fault.lasts_s
        self.left = fault.count
        self.by_key: Counter[str] = Counter()

    def is_on(self, now_s: float) -> bool:
        return self.from_s <= now_s < self.until_s and self.left != 0

    def fires(self, now_s: float, rng: Random, *, key: Callable[[], str]) -> bool:
        fault = self.fault
        if not self.is_on(now_s) or (fault.probability < 1 and rng.random() >= fault.probability):
            return False
        if fault.max_per_key is not None:
            name = key()
            if self.by_key[name] >= fault.max_per_key:
                return False
            self.by_key[name] += 1
        if self.left is not None:
            self.left -= 1
        return True


class FaultInjector:
    """Draws, from its own seeded sequence, whether and how each request fails; counts what it injected."""

    def __init__(self, *, clock: SandboxClock, rng: Random) -> None:
        self.injected: Counter[FaultKind] = Counter()
        self.active = False
        """False means that nothing is armed, so that the pipeline may skip every draw."""
        self._clock = clock
        self._rng = rng
        self._armed: list[_Armed] = []
        self._at: dict[tuple[Stage, str], list[_Armed]] = {}
        self._stood_still: set[tuple[str, int, PageFault]] = set()

    def set_plan(self, plan: FaultPlan) -> None:
        """Replace what is armed; the counts stay."""
        faults = plan.faults + (month_end().faults if plan.preset == "month_end" else ())
        now_s = self._clock.now_s()
        self._rearm([_Armed(fault, now_s) for fault in faults])

    def add(self, fault: Fault) -> None:
        """Arm one more fault beside the plan."""
        self._rearm([*self._armed, _Armed(fault, self._clock.now_s())])

    def clear(self) -> None:
        self._rearm([])

    def armed(self) -> list[Fault]:
        return [armed.fault for armed in self._armed]

    def draw(self, stage: Stage, operation: str, *, key: Callable[[], str]) -> Fault | None:
        """The fault, if any, that this request meets at `stage`; `key` names the request for `max_per_key`."""
        candidates = self._at.get((stage, operation))
        if candidates is None:
            candidates = [a for a in self._matching(operation) if a.fault.kind in STAGES[stage]]
            self._at[stage, operation] = candidates
        if not candidates:
            return None
        now_s = self._clock.now_s()
        for armed in candidates:
            if armed.fires(now_s, self._rng, key=key):
                self.injected[armed.fault.kind] += 1
                return armed.fault
        return None

    def lag_s(self, operation: str) -> float:
        """How far a search is behind now; the longest of the `index_lag` faults that are on."""
        if not self.active:
            return 0.0
        now_s = self._clock.now_s()
        lags = [a.fault.wait_s for a in self._matching(operation) if a.fault.kind == "index_lag" and a.is_on(now_s)]
        return max(lags, default=0.0)

    def page_mischief(self, operation: str, start: int) -> Mischief | None:
        """The page faults for one listing; none hits the same place twice running, or a poll would never end."""
        if not self.active:
            return None

        def drawn(kind: PageFault) -> bool:
            place = (operation, start, kind)
            if place in self._stood_still:
                self._stood_still.discard(place)
                return False
            fired = self._draw_kind(kind, operation) is not None
            if fired and kind != "page_reordered":
                self._stood_still.add(place)
            return fired

        return Mischief(rng=self._rng, drawn=drawn)

    def webhook_delays_s(self, topic: str) -> list[float]:
        """When the copies of one delivery leave, in seconds from now; empty when it is lost."""
        if not self.active:
            return [0.0]
        if self._draw_kind("webhook_drop", topic) is not None:
            return []
        duplicate = self._draw_kind("webhook_duplicate", topic)
        delay = self._draw_kind("webhook_delay", topic)
        shuffle = self._draw_kind("webhook_shuffle", topic)
        least_s = delay.wait_s if delay else 0.0
        scatter_s = shuffle.wait_s if shuffle else 0.0
        copies = self._rng.randint(*duplicate.copies) if duplicate else 1
        return [least_s + self._rng.uniform(0.0, scatter_s) for _ in range(copies)]

    def _draw_kind(self, kind: FaultKind, operation: str) -> Fault | None:
        now_s = self._clock.now_s()
        for armed in self._matching(operation):
            if armed.fault.kind == kind and armed.fires(now_s, self._rng, key=lambda: operation):
                self.injected[kind] += 1
                return armed.fault
        return None

    def _matching(self, operation: str) -> list[_Armed]:
        return [armed for armed in self._armed if covers((armed.fault.operation,), operation)]

    def _rearm(self, armed: list[_Armed]) -> None:
        self._armed = armed
        self._at = {}
        self._stood_still.clear()
        self.active = bool(armed)
