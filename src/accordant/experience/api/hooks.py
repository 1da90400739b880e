"""The vendors' door: prove a delivery, keep it, and only then say that it arrived.

A bare ASGI route. It knows no meaning: a delivery that is authentic and malformed is kept like any other and parked
later, because refusing it would only make the vendor send it again or switch us off.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from accordant.backbone.inbox import WEBHOOK, Arrival, Inbox
from accordant.connector.capabilities import VerifyDelivery
from accordant.kernel.clock import Clock
from accordant.kernel.database.writer import NotCommitted, StorageLost
from accordant.kernel.errors import Unverified
from accordant.kernel.failpoints import around

BODY_MAX = 1024 * 1024
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


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

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        door = self._doors.get(scope["path"].removeprefix("/hooks/"))
        if door is None:
            await answer(send, 404, body=b'{"code":"connection.unknown"}')
        elif scope["method"] != "POST":
            await answer(send, 405, body=b'{"code":"method.not_allowed"}')
        else:
            await self._receive(scope, receive, send=send, door=door)

    async def _receive(self, scope: dict[str, Any], receive: Receive, *, send: Send, door: Door) -> None:
        body = await read_body(receive)
        if body is None:
            await answer(send, 413, body=b'{"code":"body.too_large","detail":"at most 1 MiB"}')
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            delivery = door.verify(headers, body, door.secrets, self._clock.now_ms() // 1000)
        except Unverified as refusal:
            self.refused += 1
            await answer(send, 401, body=msgspec.json.encode({"code": refusal.code, "detail": str(refusal)[:200]}))
            return
        name = scope["path"].removeprefix("/hooks/")
        arrival = Arrival(connection=name, stream=WEBHOOK, delivery_id=delivery.delivery_id, body=body)
        try:
            with around("hooks.keep"):
                kept = (await self._inbox.keep([arrival]))[0]
        except (NotCommitted, StorageLost):
            await answer(send, 503, body=b'{"code":"storage.unavailable"}', headers=((b"retry-after", b"5"),))
            return
        await answer(send, 202 if kept.new else 200, body=b'{"new":true}' if kept.new else b'{"new":false}')


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
