"""The vendors' door: prove a delivery, keep it, and only then say that it arrived.

A bare ASGI route. It knows no meaning: a delivery that is authentic and malformed is kept like any other and parked
later, because refusing it would only make the vendor send it again or switch us off.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from accordant.backbone.inbox import WEBHOOK, Arrival, Inbox
from accordant.connector.capabilities import VerifyDelivery
from accordant.kernel.clock import Clock
from accordant.kernel.database import NotCommitted, NotRead, StorageLost
from accordant.kernel.errors import Unverified
from accordant.kernel.failpoints import around

BODY_MAX = 1024 * 1024
KEEP_WITHIN_S = 8.0
"""Zendesk stops waiting after ten seconds; a clear 503 before that tells it to come again. What is committed after it
is known when the delivery is repeated.

Source: https://developer.zendesk.com/api-reference/webhooks/introduction"""
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


def _refusal(code: str, detail: str, *, hint: str) -> bytes:
    return msgspec.json.encode({"code": code, "detail": detail, "hint": hint})


_UNKNOWN = _refusal(
    "connection.unknown",
    "no connection of this name takes deliveries; expected /hooks/<connection>",
    hint="use a name of connections.yaml whose vendor signs its webhooks",
)
_NOT_POST = _refusal("method.not_allowed", "deliveries come by POST", hint="send the event with POST")
_TOO_LARGE = _refusal(
    "body.too_large", f"the body is too large; at most {BODY_MAX} bytes are accepted", hint="send events one by one"
)
_NO_STORAGE = _refusal(
    "storage.unavailable", "the delivery was not stored; nothing of it is known here", hint="send it again later"
)


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries of one connection are proved."""

    verify: VerifyDelivery
    secrets: tuple[str, ...]


class Hooks:
    """`POST /hooks/<connection>`."""

    def __init__(self, inbox: Inbox, doors: Mapping[str, Door], *, clock: Clock) -> None:
        self._inbox = inbox
        self._doors = doors
        self._clock = clock
        self.refused = 0
        self.keep_within_s = KEEP_WITHIN_S

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        door = self._doors.get(scope["path"].removeprefix("/hooks/"))
        if door is None:
            await answer(send, 404, body=_UNKNOWN)
        elif scope["method"] != "POST":
            await answer(send, 405, body=_NOT_POST)
        else:
            await self._receive(scope, receive, send=send, door=door)

    async def _receive(self, scope: dict[str, Any], receive: Receive, *, send: Send, door: Door) -> None:
        body = await read_body(receive)
        if body is None:
            await answer(send, 413, body=_TOO_LARGE)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            delivery = door.verify(headers, body, door.secrets, self._clock.now_ms() // 1000)
        except Unverified as refusal:
            self.refused += 1
            hint = "sign the raw body with the secret of this connection, with a clock that is right"
            await answer(send, 401, body=_refusal(refusal.code, refusal.message[:200], hint=hint))
            return
        name = scope["path"].removeprefix("/hooks/")
        arrival = Arrival(connection=name, stream=WEBHOOK, delivery_id=delivery.delivery_id, body=body)
        try:
            async with asyncio.timeout(self.keep_within_s):
                with around("hooks.keep"):
                    kept = (await self._inbox.keep([arrival]))[0]
        except (NotCommitted, NotRead, StorageLost, TimeoutError):
            await answer(send, 503, body=_NO_STORAGE, headers=((b"retry-after", b"5"),))
            return
        new = kept.new or kept.conflict
        await answer(send, 202 if new else 200, body=b'{"new":true}' if new else b'{"new":false}')


async def read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is larger than allowed."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > BODY_MAX:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def answer(send: Send, status: int, *, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """One whole JSON answer."""
    fixed = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()))
    with around("hooks.answer"):
        await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers]})
        await send({"type": "http.response.body", "body": body})
