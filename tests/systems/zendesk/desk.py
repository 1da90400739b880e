"""A running sandbox, asked over real HTTP, and a look into its ledger."""

import asyncio
import base64
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.connector.sandbox import SandboxOptions, Serving, serve
from accordant.kernel.clock import SystemClock
from accordant.systems.zendesk import connector
from accordant.systems.zendesk.client import Zendesk
from accordant.systems.zendesk.sandbox import API_TOKEN, EMAIL
from accordant.systems.zendesk.sandbox.server import ZendeskSandbox

ADMIN = {"X-Sandbox-Token": "open"}
Start = Callable[..., Awaitable["Running"]]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Running:
    """One sandbox under test."""

    def __init__(self, serving: Serving, session: aiohttp.ClientSession) -> None:
        self.url = serving.url
        self.sandbox = serving.sandbox
        self._session = session

    async def call(self, method: str, path: str, **given: Any) -> tuple[int, Any, Mapping[str, str]]:
        """Status, decoded body and headers of one signed-in request."""
        given["headers"] = {"Authorization": basic(f"{EMAIL}/token", API_TOKEN), **given.get("headers", {})}
        async with self._session.request(method, self.url + path, **given) as answer:
            raw = await answer.read()
            return answer.status, msgspec.json.decode(raw) if raw else None, answer.headers

    async def admin(self, method: str, action: str, body: object = None) -> Any:
        sent = None if body is None else msgspec.json.encode(body)
        async with self._session.request(
            method, f"{self.url}/__sandbox__/{action}", data=sent, headers=ADMIN
        ) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fault(self, kind: str, **more: Any) -> None:
        await self.admin("PUT", "faults", {"faults": [{"kind": kind, **more}]})

    async def upsert(self, external_id: str, **organization: Any) -> tuple[int, Any]:
        body = {"organization": {"external_id": external_id, **organization}}
        status, answer, _ = await self.call("POST", "/api/v2/organizations/create_or_update", json=body)
        return status, answer

    def ledger(self) -> list[dict[str, Any]]:
        path: Path = self.sandbox.kit.ledger.path
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]

    def changes(self) -> list[tuple[str, str, str | None]]:
        return [(line["kind"], line["change"], line["business_id"]) for line in self.ledger()]

    async def deliveries_done(self) -> Any:
        """The counters of the webhooks once none is on its way."""
        report: Any = {"pending": 1}
        for _ in range(1000):
            report = await self.admin("GET", "webhooks")
            if not report["pending"]:
                break
            await asyncio.sleep(0.01)
        return report


class Desk:
    """Somebody who listens to webhooks and answers what the test tells."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        app = web.Application()
        app.router.add_post("/hook", self._receive)
        self.server = TestServer(app)

    async def _receive(self, request: web.Request) -> web.Response:
        self.received.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        return web.Response(status=status, headers=headers)

    async def register(self, zendesk: Running, *subscriptions: str) -> None:
        await self.server.start_server()
        webhook = {"endpoint": str(self.server.make_url("/hook")), "secret": "s3cret", "subscriptions": subscriptions}
        await zendesk.admin("POST", "load", {"webhooks": [webhook]})

    def types(self) -> list[str]:
        return [msgspec.json.decode(body)["type"].removeprefix("zen:event-type:") for _, body in self.received]


def settings_of(zendesk: Running, **changes: Any) -> ConnectionSettings:
    seed = connector.sandbox_seed
    plain = ConnectionSettings(
        name="zendesk", vendor="zendesk", base_url=zendesk.url, credentials=seed.credentials, timeout_s=0.5
    )
    return msgspec.structs.replace(plain, **changes)


@asynccontextmanager
async def connected(zendesk: Running, **changes: Any) -> AsyncGenerator[Zendesk]:
    """Our client, with settings changed."""
    async with open_session() as session:
        settings = settings_of(zendesk, **changes)
        deps = HttpDeps(session=session, clock=SystemClock(), rng=random.Random(1))
        yield Zendesk(settings, VendorHttp(settings, connector.manners(settings), deps=deps))


@asynccontextmanager
async def opened(state_dir: Path, **options: Any) -> AsyncGenerator[Running]:
    """A sandbox that serves until the block ends."""
    given = SandboxOptions(system="support", state_dir=state_dir, admin_token="open", **options)
    async with aiohttp.ClientSession() as session, serve(ZendeskSandbox, given) as serving:
        yield Running(serving, session)
