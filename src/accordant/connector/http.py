"""One polite conversation with one vendor: budget, breaker, sign-in, retries and honest outcomes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec

from accordant.canonical.operation import Attempt
from accordant.connector.breaker import Breaker
from accordant.connector.budget import Budget
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.manners import Manners
from accordant.kernel.clock import Clock
from accordant.kernel.priority import Priority


class Request(msgspec.Struct, frozen=True):
    """One call. `path` is percent-encoded already (see `segment`), `query` is not; `Authorization` is never set here."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""
    content_type: str | None = None
    accept: frozenset[int] = frozenset()
    """Statuses outside 2xx that are handed back instead of raised, such as 404."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor said. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request_sha256: str = ""
    response_sha256: str = ""
    wrote: bool = False
    """It answers a write: an unreadable body then means that the outcome is unknown."""

    def json(self) -> Any:
        """The decoded body; numbers with a fraction are `Decimal`. None for an empty body.

        Raises:
            Unknown: `vendor.not_json`, in answer to a write.
            Unavailable: the same in answer to a read.
        """
        raise NotImplementedError

    def json_or_none(self) -> Any:
        """The decoded body, or None where it is not JSON: for reading refusals, which proxies may have written."""
        raise NotImplementedError

    @property
    def excerpt(self) -> str:
        """At most 200 printable characters of the body, for messages to people."""
        raise NotImplementedError


class HttpDeps(msgspec.Struct, frozen=True, kw_only=True):
    """What the kit is given instead of taking it: the pool of sockets, time, randomness."""

    session: aiohttp.ClientSession
    clock: Clock
    rng: random.Random
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class VendorHttp:
    """The only way to a vendor: every call of a connection, from every flow, passes here."""

    budget: Budget
    breaker: Breaker

    def __init__(self, settings: ConnectionSettings, manners: Manners, *, deps: HttpDeps) -> None:
        raise NotImplementedError

    async def read(self, request: Request, *, priority: Priority = Priority.BACKGROUND) -> Answer:
        """Ask something that may safely be asked again; trouble that passes is retried here.

        Raises:
            RateLimited, Unavailable: still not answered after a few attempts.
            AccordantError: what `manners.explain` makes of a refusal.
        """
        raise NotImplementedError

    async def write(self, request: Request, *, attempt: Attempt) -> Answer:
        """Send a write once. The idempotency header, where the vendor has one, is the client's to set.

        Raises:
            RateLimited, Unavailable, Retryable: surely not applied.
            Unknown: sent, and nobody can say whether it was applied.
            AccordantError: what `manners.explain` makes of a refusal.
        """
        raise NotImplementedError


def open_session() -> aiohttp.ClientSession:
    """A pool of sockets as the kit needs it: no cookies, no proxies from the environment, no limit beside the budget's.

    One per connection keeps a slow vendor from slowing others. Call it inside the running event loop.
    """
    raise NotImplementedError


def segment(text: str) -> str:
    """One path segment, percent-encoded whatever it contains: an id can never leave its place in the path."""
    return quote(text, safe="")
