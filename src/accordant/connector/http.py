"""One polite conversation with one vendor: budget, breaker, sign-in, retries and honest outcomes."""

import aiohttp

from accordant.canonical.operation import Attempt
from accordant.connector.breaker import Breaker
from accordant.connector.budget import LONG_PAUSE_S, Budget, Limits
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer, Request, segment
from accordant.connector.manners import Manners
from accordant.connector.retry import full_jitter_s, retry_after_s
from accordant.connector.verdict import Verdict
from accordant.connector.wire import HttpDeps, Line, Lost
from accordant.kernel.errors import AccordantError, RateLimited, Unavailable
from accordant.kernel.priority import Priority

__all__ = ["Answer", "HttpDeps", "Request", "VendorHttp", "open_session", "segment"]

READ_TRIES_MAX = 4
READ_TOTAL_S = 30.0
WRITE_TRIES_MAX = 4
"""How often a write is sent that the vendor did not take because of its rate limit."""


class VendorHttp:
    """The only way to a vendor: every call of a connection, from every flow, passes here."""

    def __init__(self, settings: ConnectionSettings, manners: Manners, *, deps: HttpDeps) -> None:
        limits = Limits(
            concurrency=settings.concurrency, rate_per_s=settings.rate_per_s, daily_quota=settings.daily_quota
        )
        self.budget = Budget(limits, clock=deps.clock, name=settings.name)
        self.breaker = Breaker(clock=deps.clock)
        self._name = settings.name
        self._deps = deps
        self._auth = manners.auth
        self._rate_headers = manners.rate_headers
        self._alive = manners.alive
        self._throttled = 0
        """Refusals for being too fast since the last answer that was none; each doubles the pause."""
        self._line = Line(settings, deps, headers=manners.headers)
        self._verdict = Verdict(settings.name, manners.explain)
        self._auth.attach(self._line)

    async def read(self, request: Request, *, priority: Priority = Priority.BACKGROUND) -> Answer:
        """Ask something that may safely be asked again; trouble that passes is retried here.

        Raises:
            RateLimited, Unavailable: still not answered after a few attempts.
            AccordantError: what `manners.explain` makes of a refusal.
        """
        clock = self._deps.clock
        deadline_s = clock.monotonic_s() + READ_TOTAL_S
        tries = 0
        while True:
            tries += 1
            wait_s = full_jitter_s(tries, self._deps.rng)
            try:
                answer = await self._call(request, priority, wrote=False)
            except Lost as lost:
                failure: AccordantError = self._verdict.unread(request, lost.what)
            else:
                if answer.status == 429 and 429 not in request.accept:
                    failure = self._slow_down(answer, tries)
                    wait_s = failure.retry_after_s or wait_s
                elif answer.status >= 500 and answer.status not in request.accept:
                    asked_s = retry_after_s(answer.headers, now_ms=clock.now_ms())
                    wait_s = max(wait_s, asked_s or 0.0)
                    what = f"answered {answer.status}"
                    failure = self._verdict.unread(request, what, answer=answer, retry_after_s=asked_s)
                else:
                    return self._settle(request, answer)
            if tries >= READ_TRIES_MAX or clock.monotonic_s() + wait_s > deadline_s:
                raise failure
            await self._deps.sleep(wait_s)

    async def write(self, request: Request, *, attempt: Attempt) -> Answer:
        """Send a write once. The idempotency header, where the vendor has one, is the client's to set.

        A write that the vendor's rate limit kept out is sent again here when the wait is short.

        Raises:
            RateLimited, Unavailable, Retryable: surely not applied.
            Unknown: sent, and nobody can say whether it was applied.
            AccordantError: what `manners.explain` makes of a refusal.
        """
        tries = 0
        while True:
            tries += 1
            try:
                answer = await self._call(request, attempt.priority, wrote=True)
            except Lost as lost:
                raise self._verdict.unwritten(request, lost) from None
            if answer.status != 429 or 429 in request.accept:
                return self._settle(request, answer)
            limited = self._slow_down(answer, tries)
            wait_s = limited.retry_after_s or 0.0
            if tries >= WRITE_TRIES_MAX or wait_s > LONG_PAUSE_S:
                raise limited
            # The budget is paused now: entering it again is the wait, and keeps the order of priorities.

    async def _call(self, request: Request, priority: Priority, *, wrote: bool) -> Answer:
        """Send it when it is our turn; the outcome goes to the breaker, what is left to the budget."""
        breaker = self.breaker
        if breaker.state == "open" and breaker.reopen_in_s > 0:
            raise self._shut()
        if not self.budget.try_enter():
            await self.budget.enter(priority)
        try:
            ticket = breaker.enter()
            if ticket is None:
                raise self._shut()
            try:
                answer = await self._signed(request, wrote=wrote)
            except Lost:
                breaker.failed(ticket)
                raise
            except BaseException:
                breaker.abandoned(ticket)
                raise
            if self._alive(answer):
                breaker.succeeded(ticket)
                self._throttled = self._throttled if answer.status == 429 else 0
            else:
                breaker.failed(ticket)
        finally:
            self.budget.leave()
        if self._rate_headers is not None:
            quota = self._rate_headers(answer.headers)
            if quota is not None:
                self.budget.learn(quota)
        return answer

    async def _signed(self, request: Request, *, wrote: bool) -> Answer:
        """Sign and send; an answer of 401 gets one more chance with new credentials, since nothing was applied."""
        line = self._line
        target = line.target(request)
        signed = await self._auth.headers(request.method, target.text, body=request.body)
        answer = await line.send(request, target, signed=signed, wrote=wrote)
        if answer.status != 401 or 401 in request.accept or not await self._auth.refused(signed):
            return answer
        signed = await self._auth.headers(request.method, target.text, body=request.body)
        return await line.send(request, target, signed=signed, wrote=wrote)

    def _settle(self, request: Request, answer: Answer) -> Answer:
        """Hand it back where the client asked for it; otherwise raise what it means."""
        if 200 <= answer.status < 300 or answer.status in request.accept:
            return answer
        error = self._verdict.of(request, answer)
        if isinstance(error, RateLimited):
            self.budget.pause(error.retry_after_s or 1.0)
        raise error

    def _slow_down(self, answer: Answer, tries: int) -> RateLimited:
        """Everybody on this connection waits, and a little apart from each other."""
        asked_s = retry_after_s(answer.headers, now_ms=self._deps.clock.now_ms())
        if asked_s is None:
            self._throttled += 1
            wait_s = 0.02 + full_jitter_s(max(tries, self._throttled), self._deps.rng, base_s=0.1, cap_s=4.0)
        else:
            wait_s = asked_s + self._deps.rng.uniform(0.01, 0.25)
        self.budget.pause(wait_s)
        detail: dict[str, object] = {"connection": self._name, "status": 429, "retry_after_s": wait_s}
        return RateLimited(f"{self._name} asked us to slow down", retry_after_s=wait_s, detail=detail)

    def _shut(self) -> Unavailable:
        wait_s = self.breaker.reopen_in_s
        message = f"{self._name} keeps failing and is left alone for {wait_s:.1f} s; nothing was sent"
        unavailable = Unavailable(message, retry_after_s=wait_s, detail={"connection": self._name})
        unavailable.code = "vendor.breaker_open"
        return unavailable


def open_session() -> aiohttp.ClientSession:
    """A pool of sockets as the kit needs it: no cookies, no proxies from the environment, no limit beside the budget's.

    One per connection keeps a slow vendor from slowing others. Call it inside the running event loop. Idle sockets are
    given up before servers usually do, because a write into a socket that is just being closed ends as unknown.
    """
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=4.0, ttl_dns_cache=60)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
