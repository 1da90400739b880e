"""Serves one vendor sandbox: a routing table and one pipeline for every request."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

from accordant.connector.sandbox.exchange import Call, Problem, ProblemKind, Refused, Reply, Route, Write
from accordant.connector.sandbox.faults import Fault, Stage
from accordant.connector.sandbox.vendor import Sandbox

log = structlog.get_logger()

LINGER_OFF = struct.pack("ii", 1, 0)
"""SO_LINGER with zero seconds: closing sends a reset instead of an orderly end."""


class Pipeline:
    """door → size → authentication → limits → fault before → handler → commit or not → fault after → answer."""

    def __init__(self, vendor: Sandbox) -> None:
        self.requests: Counter[str] = Counter()
        self.problems: Counter[ProblemKind] = Counter()
        self.handler_failures = 0
        self._vendor = vendor
        self._kit = vendor.kit
        self._ledger = vendor.kit.ledger
        self._limiter = vendor.kit.limiter
        self._faults = vendor.kit.faults

    def add_to(self, app: web.Application) -> None:
        """Register the vendor's routes, and a last one for all other paths."""
        for route in self._vendor.routes():
            app.router.add_route(route.method, route.path, self._endpoint(route))
        app.router.add_route("*", "/{path:.*}", self._unrouted)

    def _endpoint(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        operation = route.operation

        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests[operation] += 1
            if self._faults.active and (down := self._faults.draw("door", operation, key=lambda: "")) is not None:
                return await self._refuse_at_door(request, operation, down=down)
            try:
                body = await request.read() if request.body_exists else b""
            except web.HTTPRequestEntityTooLarge:
                too_large = Problem("too_large", 413)
                return self._problem(Call(request=request, operation=operation, body=b""), too_large)
            except web.RequestPayloadError:
                return self._problem(Call(request=request, operation=operation, body=b""), Problem("malformed", 400))
            call = Call(request=request, operation=operation, body=body)
            return await self._admit(call, route)

        return answer

    async def _admit(self, call: Call, route: Route) -> web.StreamResponse:
        if not route.public and (stranger := self._vendor.authenticate(call)) is not None:
            return self._problem(call, stranger)
        subject = self._vendor.limit_subject(call) if self._limiter.enforced else ""
        refusal = self._limiter.ask(call.operation, subject=subject)
        if refusal is not None:
            return self._problem(call, Problem("rate_limited", 429, refusal.retry_after_s, refusal.limit))
        try:
            if self._faults.active and (failure := await self._fault_before(call, route)) is not None:
                return self._problem(call, failure)
            outcome = await self._handled(call, route)
            return await self._settle(call, outcome)
        finally:
            self._limiter.release(call.operation, subject=subject)

    async def _fault_before(self, call: Call, route: Route) -> Problem | None:
        slow = self._faults.draw("slow", call.operation, key=lambda: self._request_key(call))
        if slow is not None:
            await asyncio.sleep(slow.wait_s)
        fault = self._faults.draw("before", call.operation, key=lambda: self._request_key(call))
        if fault is None:
            return None
        if fault.kind == "rate_limited":
            return Problem("rate_limited", fault.status or 429, fault.retry_after_s)
        if fault.kind == "token_expired":
            return None if route.public else Problem("token_expired", fault.status or 401)
        return Problem("unavailable", fault.status or 503)

    async def _handled(self, call: Call, route: Route) -> Reply | Write:
        try:
            return await route.handler(call)
        except Refused as refused:
            return refused.reply
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.problems["malformed"] += 1
            return self._vendor.render(Problem("malformed", 400))
        except Exception:
            self.handler_failures += 1
            log.exception("sandbox.handler_failed", operation=call.operation)
            return self._vendor.render(Problem("server_error", 500))

    async def _settle(self, call: Call, outcome: Reply | Write) -> web.StreamResponse:
        """Commit or not, answer or not. There is no await between the handler's return and the commit."""
        faulty = self._faults.active
        if isinstance(outcome, Reply):
            fault = self._draw_after("after_read", call) if faulty else None
            return self._respond(call, outcome) if fault is None else await self._truncate(call, outcome)
        if faulty and outcome.can_lie and self._draw_after("lie", call) is not None:
            return self._respond(call, outcome.reply)
        key = self._vendor.idempotency_key(call)
        reply = self._vendor.commit(outcome, operation=f"{call.method} {call.path}", key=key)
        fault = self._draw_after("after_write", call) if faulty else None
        return self._respond(call, reply) if fault is None else await self._fail_after(call, reply, fault=fault)

    async def _fail_after(self, call: Call, reply: Reply, *, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error_after_apply":
            self.problems["server_error"] += 1
            reply = self._vendor.render(Problem("server_error", fault.status or 500))
        self._vendor.after_fault(call, fault.kind, reply=reply)
        if fault.kind == "error_after_apply":
            return self._respond(call, reply)
        if fault.kind == "truncated_answer":
            return await self._truncate(call, reply)
        if fault.kind == "timeout_after_apply":
            await asyncio.sleep(fault.wait_s)
        return _reset(call.request)

    async def _refuse_at_door(self, request: web.Request, operation: str, *, down: Fault) -> web.StreamResponse:
        if down.status is None:
            return _reset(request)
        problem = Problem("unavailable", down.status, down.retry_after_s)
        return self._problem(Call(request=request, operation=operation, body=b""), problem)

    async def _truncate(self, call: Call, reply: Reply) -> web.StreamResponse:
        """Promise the whole body, send half of it, close."""
        payload = reply.payload()
        answer = web.StreamResponse(status=reply.status, headers=self._headers(call, reply, payload=payload))
        answer.content_length = max(2, len(payload))
        answer.force_close()
        await answer.prepare(call.request)
        await answer.write(payload[: len(payload) // 2])
        if call.request.transport is not None:
            call.request.transport.close()
        return answer

    async def _unrouted(self, request: web.Request) -> web.StreamResponse:
        """404, or 405 when the path is known under another method."""
        self.requests["(unrouted)"] += 1
        if self._faults.active and (down := self._faults.draw("door", "(unrouted)", key=lambda: "")) is not None:
            return await self._refuse_at_door(request, "(unrouted)", down=down)
        allowed: set[str] = set()
        for resource in request.app.router.resources():
            if resource.canonical != "/{path}":
                allowed |= (await resource.resolve(request))[1]
        problem = Problem("method_not_allowed", 405) if allowed else Problem("not_found", 404)
        answer = self._problem(Call(request=request, operation="(unrouted)", body=b""), problem)
        if allowed:
            answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer

    def _problem(self, call: Call, problem: Problem) -> web.Response:
        self.problems[problem.kind] += 1
        return self._respond(call, self._vendor.render(problem))

    def _respond(self, call: Call, reply: Reply) -> web.Response:
        payload = reply.payload()
        return web.Response(status=reply.status, body=payload, headers=self._headers(call, reply, payload=payload))

    def _headers(self, call: Call, reply: Reply, *, payload: bytes) -> dict[str, str]:
        headers = {"Content-Type": reply.content_type} if payload else {}
        headers.update(self._vendor.response_headers(call))
        headers.update(reply.headers)
        return headers

    def _draw_after(self, stage: Stage, call: Call) -> Fault | None:
        return self._faults.draw(stage, call.operation, key=lambda: self._request_key(call))

    def _request_key(self, call: Call) -> str:
        """What a client repeats when it retries: its key, else method, address and body."""
        key = self._vendor.idempotency_key(call)
        return key if key is not None else f"{call.method} {call.request.path_qs} {hash(call.body)}"


def _reset(request: web.Request) -> web.StreamResponse:
    """End the connection without an answer; what is returned never leaves."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_OFF)
        transport.abort()
    return web.Response(status=503)
