"""A vendor that answers what a test tells it to, over real HTTP on a free port."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from accordant.connector.auth import BearerToken
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer
from accordant.connector.http import HttpDeps, VendorHttp
from accordant.connector.manners import Manners
from accordant.kernel.clock import SystemClock
from accordant.kernel.errors import AccordantError, Rejected

Say = Callable[[web.Request], Awaitable[web.StreamResponse]]

SECRET = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


def say(status: int, body: bytes | str = b"{}", *, headers: Mapping[str, str] | None = None) -> Say:
    async def answer(request: web.Request) -> web.StreamResponse:
        raw = body.encode() if isinstance(body, str) else body
        return web.Response(status=status, body=raw, headers=headers, content_type="application/json")

    return answer


def say_raw(raw: bytes) -> Say:
    """Bytes as they are, then the connection is cut."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        assert request.transport is not None
        request.transport.write(raw)
        await asyncio.sleep(0.01)
        request.transport.close()
        return web.Response()

    return answer


def say_late(delay_s: float) -> Say:
    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay_s)
        return web.json_response({})

    return answer


class Vendor:
    """Plays its script one request at a time and repeats the last line for ever."""

    def __init__(self) -> None:
        self.script: list[Say] = [say(200)]
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.url = ""

    def will(self, *script: Say) -> None:
        self.script = list(script)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await line(request)


def explain(answer: Answer) -> AccordantError:
    said = answer.json_or_none()
    reason = said["error"] if isinstance(said, dict) and "error" in said else answer.excerpt
    return Rejected(f"refused: {reason}", detail={"status": answer.status, "said": str(reason)})


class Naps:
    """Remembers how long it was asked to sleep and does not."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    async def __call__(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)
        await asyncio.sleep(0)


class Kit:
    """Makes a `VendorHttp` for the vendor of this test."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.naps = Naps()

    def http(self, *, auth: Any = None, rate_headers: Any = None, **settings: Any) -> VendorHttp:
        connection = ConnectionSettings(
            **{"name": "acme", "vendor": "acme", "base_url": self.url, "credentials": {"key": SECRET}, **settings}
        )
        manners = Manners(auth=auth or BearerToken(SECRET), explain=explain, rate_headers=rate_headers)
        deps = HttpDeps(session=self.session, clock=SystemClock(), rng=random.Random(7), sleep=self.naps)
        return VendorHttp(connection, manners, deps=deps)
