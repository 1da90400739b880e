"""Sends a vendor's webhooks: signed its way, retried on its schedule, and disturbed when a fault says so."""

import asyncio
import heapq
from collections.abc import Callable, Mapping
from datetime import datetime

import aiohttp
import msgspec

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.exchange import NO_HEADERS
from accordant.connector.sandbox.faults import FaultInjector


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one address. Copies and retries carry the same body; `topic` is what webhook faults match."""

    url: str
    topic: str
    body: bytes
    headers: Mapping[str, str] = NO_HEADERS
    secret: str = ""
    """Of the endpoint, for vendors that keep one each."""


Sign = Callable[[Delivery, datetime, int], Mapping[str, str]]
"""(delivery, time of sending, attempt from 1) -> headers; called again for every attempt."""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a vendor insists: one retry after each of `delays_s`, then it gives up.

    Any answer but 2xx is retried, or only `retry_statuses` when given. A Retry-After of at most
    `retry_after_max_s` replaces the scheduled delay.
    """

    delays_s: tuple[float, ...] = ()
    timeout_s: float = 10.0
    concurrency: int = 8
    retry_statuses: frozenset[int] | None = None
    retry_timeouts: bool = True
    retry_after_max_s: float = 0.0


class WebhookSender:
    """Queues deliveries and sends them in the background, at most `policy.concurrency` at a time.

    Waits follow the sandbox's clock: advancing it makes retries due.
    """

    def __init__(self, policy: RetryPolicy, sign: Sign, *, clock: SandboxClock, faults: FaultInjector) -> None:
        self.delivered = 0
        self.failed = 0
        self.dropped = 0
        self.attempts = 0
        self._policy = policy
        self._sign = sign
        self._clock = clock
        self._faults = faults
        self._due: list[tuple[float, int, Delivery, int]] = []
        self._queued = 0
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        clock.on_advance(self._wake.set)

    @property
    def pending(self) -> int:
        """Deliveries not yet delivered or given up."""
        return len(self._due) + len(self._running)

    def send(self, delivery: Delivery) -> None:
        """Queue and return at once."""
        delays_s = self._faults.webhook_delays_s(delivery.topic)
        if not delays_s:
            self.dropped += 1
        for delay_s in delays_s:
            self._queue(delivery, attempt=1, delay_s=delay_s)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._policy.timeout_s))
        self._dispatcher = asyncio.create_task(self._dispatch(self._session))

    async def close(self) -> None:
        """Stop sending; what is pending is lost, as when a vendor is switched off."""
        tasks = [*self._running, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def report(self) -> dict[str, int]:
        return {
            "pending": self.pending,
            "delivered": self.delivered,
            "failed": self.failed,
            "dropped": self.dropped,
            "attempts": self.attempts,
        }

    def _queue(self, delivery: Delivery, *, attempt: int, delay_s: float) -> None:
        self._queued += 1
        heapq.heappush(self._due, (self._clock.now_s() + delay_s, self._queued, delivery, attempt))
        self._wake.set()

    async def _dispatch(self, session: aiohttp.ClientSession) -> None:
        while True:
            self._wake.clear()
            wait_s = self._start_due(session)
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _start_due(self, session: aiohttp.ClientSession) -> float | None:
        """Start what is due; returns the seconds until the next one, None when only an event can change anything."""
        while self._due and len(self._running) < self._policy.concurrency:
            wait_s = self._due[0][0] - self._clock.now_s()
            if wait_s > 0:
                return wait_s
            _, _, delivery, attempt = heapq.heappop(self._due)
            task = asyncio.create_task(self._attempt(session, delivery, attempt=attempt))
            self._running.add(task)
            task.add_done_callback(self._finished)
        return None

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._wake.set()

    async def _attempt(self, session: aiohttp.ClientSession, delivery: Delivery, *, attempt: int) -> None:
        self.attempts += 1
        headers = {"Content-Type": "application/json", **delivery.headers}
        headers |= self._sign(delivery, self._clock.now(), attempt)
        status: int | None = None
        asked_s: float | None = None
        try:
            async with session.post(delivery.url, data=delivery.body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                asked_s = _seconds(answer.headers.get("Retry-After"))
        except (aiohttp.ClientError, TimeoutError):
            pass  # status stays None: no answer
        if status is not None and 200 <= status < 300:
            self.delivered += 1
        elif attempt > len(self._policy.delays_s) or not self._retries(status):
            self.failed += 1
        else:
            delay_s = self._policy.delays_s[attempt - 1]
            if asked_s is not None and asked_s <= self._policy.retry_after_max_s:
                delay_s = asked_s
            self._queue(delivery, attempt=attempt + 1, delay_s=delay_s)

    def _retries(self, status: int | None) -> bool:
        if status is None:
            return self._policy.retry_timeouts
        return self._policy.retry_statuses is None or status in self._policy.retry_statuses


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
