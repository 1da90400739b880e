"""The door for whoever runs the experiment: faults, outages, time, seeding, and what happened."""

import hmac
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from accordant.connector.sandbox.faults import Fault, FaultPlan
from accordant.connector.sandbox.server import Pipeline
from accordant.connector.sandbox.vendor import Sandbox

PREFIX = "/__sandbox__/"
TOKEN_HEADER = "X-Sandbox-Token"  # noqa: S105 - the name of a header
MAX_LOAD_BYTES = 256 * 1_048_576


class _Outage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: float
    status: int | None = None


class _Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    advance_s: float


Action = Callable[[bytes], Awaitable[dict[str, Any]]]


class AdminDoor:
    """`/__sandbox__/…` on the vendor's port, for callers that send the token; an empty token opens to nobody."""

    def __init__(self, vendor: Sandbox, pipeline: Pipeline, *, token: str) -> None:
        self._vendor = vendor
        self._kit = vendor.kit
        self._pipeline = pipeline
        self._token = token.encode()
        self._actions: dict[tuple[str, str], Action] = {
            ("GET", "health"): self._health,
            ("GET", "state"): self._state,
            ("GET", "counters"): self._counters,
            ("GET", "webhooks"): self._webhooks,
            ("GET", "faults"): self._armed,
            ("PUT", "faults"): self._set_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "down"): self._down,
            ("POST", "load"): self._load,
            ("POST", "clock"): self._clock,
            ("POST", "expire-tokens"): self._expire_tokens,
        }

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("*", PREFIX + "{action:.*}", self._answer)

    async def _answer(self, request: web.Request) -> web.Response:
        if not self._admits(request.headers.get(TOKEN_HEADER, "")):
            return _json(401, {"error": f"{TOKEN_HEADER} is missing or wrong"})
        action = self._actions.get((request.method, request.match_info["action"]))
        if action is None:
            return _json(404, {"error": "no such action"})
        try:
            body = await request.clone(client_max_size=MAX_LOAD_BYTES).read()
            return _json(200, await action(body))
        except (msgspec.DecodeError, ValueError) as error:
            return _json(400, {"error": str(error)})

    def _admits(self, token: str) -> bool:
        sent = token.encode("utf-8", "surrogateescape")
        return hmac.compare_digest(sent, self._token) and bool(self._token)

    async def _health(self, body: bytes) -> dict[str, Any]:
        return {"ok": True, "system": self._vendor.system, "now": self._kit.clock.now().isoformat()}

    async def _state(self, body: bytes) -> dict[str, Any]:
        return dict(self._vendor.dump())

    async def _counters(self, body: bytes) -> dict[str, Any]:
        return {
            "requests": dict(self._pipeline.requests),
            "problems": dict(self._pipeline.problems),
            "handler_failures": self._pipeline.handler_failures,
            "faults": dict(self._kit.faults.injected),
            "limits": self._kit.limiter.report(),
            "writes_applied": self._kit.ledger.applied,
            "webhooks": await self._webhooks(body),
        }

    async def _webhooks(self, body: bytes) -> dict[str, Any]:
        total = Counter[str]({"pending": 0})
        for sender in self._kit.senders:
            total.update(sender.report())
        return dict(total)

    async def _armed(self, body: bytes) -> dict[str, Any]:
        return {"faults": self._kit.faults.armed()}

    async def _set_faults(self, body: bytes) -> dict[str, Any]:
        self._kit.faults.set_plan(msgspec.json.decode(body, type=FaultPlan))
        return {"faults": self._kit.faults.armed()}

    async def _clear_faults(self, body: bytes) -> dict[str, Any]:
        self._kit.faults.clear()
        return {"faults": []}

    async def _down(self, body: bytes) -> dict[str, Any]:
        """Refuse everything for a while; without a status the connection is reset."""
        outage = msgspec.json.decode(body, type=_Outage)
        self._kit.faults.add(Fault(kind="down", lasts_s=outage.seconds, status=outage.status))
        return {"down_s": outage.seconds}

    async def _load(self, body: bytes) -> dict[str, Any]:
        return {"loaded": self._vendor.load(msgspec.json.decode(body, type=dict[str, Any]))}

    async def _clock(self, body: bytes) -> dict[str, Any]:
        self._kit.clock.advance(msgspec.json.decode(body, type=_Advance).advance_s)
        return {"now": self._kit.clock.now().isoformat()}

    async def _expire_tokens(self, body: bytes) -> dict[str, Any]:
        self._vendor.expire_tokens()
        return {"expired": True}


def _json(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
