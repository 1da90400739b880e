"""A vendor's rate, concurrency and daily limits, and the count of what was used and refused."""

from collections.abc import Iterable
from typing import Any

import msgspec

from accordant.connector.sandbox.clock import SandboxClock

DAY_S = 86_400.0


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One published limit.

    `calls` per `window_s` seconds as a token bucket that starts full (`window_s=DAY_S` is a rolling daily quota), or
    `concurrent` calls at the same time. `operations` are exact names, `prefix.*` or `*`. `per_subject` counts each
    subject (a ticket, a subscription) on its own. `retry_after_s` overrides the time that a
    refusal names.
    """

    name: str
    calls: int | None = None
    window_s: float = 1.0
    concurrent: int | None = None
    operations: tuple[str, ...] = ("*",)
    per_subject: bool = False
    retry_after_s: float | None = None


class Refusal(msgspec.Struct, frozen=True):
    """The limit that ran out, and in how many seconds a call may be admitted again."""

    limit: str
    retry_after_s: float


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a limit stands: `remaining` of `allowed`; counts since start of calls admitted and refused."""

    allowed: int
    remaining: int
    resets_s: float
    used: int
    refused: int


class _Bucket:
    __slots__ = ("running", "stamp_s", "tokens")

    def __init__(self, tokens: float, stamp_s: float) -> None:
        self.tokens = tokens
        self.stamp_s = stamp_s
        self.running = 0


class Limiter:
    """Admits or refuses calls. With `enforced=False` it only counts them."""

    def __init__(self, *, clock: SandboxClock, enforced: bool) -> None:
        self.enforced = enforced
        self.used = 0
        self.refused = 0
        self._clock = clock
        self._limits: dict[str, Limit] = {}
        self._matching: dict[str, tuple[Limit, ...]] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._used: dict[str, int] = {}
        self._refused: dict[str, int] = {}

    def adopt(self, limits: Iterable[Limit]) -> None:
        """Take on the vendor's limits, once, before the first request."""
        self._limits = {limit.name: limit for limit in limits}
        self._used = dict.fromkeys(self._limits, 0)
        self._refused = dict.fromkeys(self._limits, 0)

    def ask(self, operation: str, *, subject: str = "") -> Refusal | None:
        """Take one call from every limit that covers `operation`, or from none; an admitted call is `release`d."""
        if not self.enforced:
            self.used += 1
            return None
        limits = self._covering(operation)
        for limit in limits:
            refusal = self._refusal(limit, self._bucket(limit, subject))
            if refusal is not None:
                self.refused += 1
                self._refused[limit.name] += 1
                return refusal
        for limit in limits:
            bucket = self._bucket(limit, subject)
            bucket.tokens -= 1
            bucket.running += 1
            self._used[limit.name] += 1
        self.used += 1
        return None

    def release(self, operation: str, *, subject: str = "") -> None:
        """The admitted call has been answered."""
        if self.enforced:
            for limit in self._covering(operation):
                self._bucket(limit, subject).running -= 1

    def usage(self, name: str, *, subject: str = "") -> Usage:
        """The standing of one limit, for headers and reports."""
        limit = self._limits[name]
        bucket = self._bucket(limit, subject)
        allowed = limit.calls if limit.calls is not None else limit.concurrent or 0
        remaining = int(bucket.tokens) if limit.calls is not None else allowed - bucket.running
        resets_s = (allowed - bucket.tokens) * limit.window_s / allowed if limit.calls else 0.0
        return Usage(
            allowed=allowed,
            remaining=max(0, remaining),
            resets_s=resets_s,
            used=self._used[name],
            refused=self._refused[name],
        )

    def report(self) -> dict[str, Any]:
        """Used and refused calls, in all and by limit."""
        by_limit = {
            name: {"allowed": limit.calls or limit.concurrent, "window_s": limit.window_s if limit.calls else None}
            | {"used": self._used[name], "refused": self._refused[name]}
            for name, limit in self._limits.items()
        }
        return {"enforced": self.enforced, "used": self.used, "refused": self.refused, "by_limit": by_limit}

    def _covering(self, operation: str) -> tuple[Limit, ...]:
        found = self._matching.get(operation)
        if found is None:
            found = tuple(limit for limit in self._limits.values() if covers(limit.operations, operation))
            self._matching[operation] = found
        return found

    def _bucket(self, limit: Limit, subject: str) -> _Bucket:
        """The limit's bucket, refilled up to now."""
        name = (limit.name, subject if limit.per_subject else "")
        bucket = self._buckets.get(name)
        now_s = self._clock.now_s()
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(float(limit.calls or 0), now_s)
        elif limit.calls is not None:
            bucket.tokens = min(limit.calls, bucket.tokens + (now_s - bucket.stamp_s) * limit.calls / limit.window_s)
            bucket.stamp_s = now_s
        return bucket

    def _refusal(self, limit: Limit, bucket: _Bucket) -> Refusal | None:
        if limit.concurrent is not None and bucket.running >= limit.concurrent:
            return Refusal(limit.name, limit.retry_after_s if limit.retry_after_s is not None else 1.0)
        if limit.calls is not None and bucket.tokens < 1:
            wait_s = (1 - bucket.tokens) * limit.window_s / limit.calls
            return Refusal(limit.name, limit.retry_after_s if limit.retry_after_s is not None else wait_s)
        return None


def covers(patterns: Iterable[str], operation: str) -> bool:
    """Whether one of `patterns` (`*`, `prefix.*` or an exact name) names the operation."""
    return any(
        pattern in ("*", operation) or (pattern.endswith(".*") and operation.startswith(pattern[:-1]))
        for pattern in patterns
    )
