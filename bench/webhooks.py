"""Sends signed webhooks as fast as they are taken, or at a given pace, over kept-alive connections.

python -m bench.webhooks PORT PATH SECRET N CONNECTIONS RATE      (rate 0: as fast as they are taken)
"""

import asyncio
import hmac
import json
import sys
import time
from hashlib import sha256
from typing import cast

import uvloop


def signed_request(n: int, *, path: str, secret: str, at_s: int) -> bytes:
    """One delivery as Stripe sends it: an event of about a kilobyte, signed over its raw bytes."""
    invoice = {
        "id": f"in_{n:012}",
        "object": "invoice",
        "account_country": "US",
        "amount_due": 60000,
        "amount_paid": 60000,
        "billing_reason": "subscription_cycle",
        "collection_method": "send_invoice",
        "currency": "usd",
        "customer": f"cus_{n:08}",
        "customer_email": "accounts@customer.example",
        "customer_name": "A Customer",
        "lines": {"object": "list", "data": [{"id": f"il_{n}", "amount": 60000, "quantity": 1}], "has_more": False},
        "number": f"F-{n:08}",
        "period_end": 1780000000,
        "period_start": 1748464000,
        "status": "paid",
        "subtotal": 60000,
        "total": 60000,
        "metadata": {},
    }
    event = {
        "id": f"evt_{n:016}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": at_s,
        "data": {"object": invoice},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "invoice.paid",
    }
    body = json.dumps(event).encode()
    mac = hmac.new(secret.encode(), f"{at_s}.".encode() + body, sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Stripe-Signature: t={at_s},v1={mac}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Sender(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[bytes] | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self._got.lower().find(b"content-length: ")
        length = int(self._got[at + 16 : self._got.find(b"\r\n", at)])
        if len(self._got) >= head + 4 + length and self._answered is not None:
            self._answered.set_result(self._got[9:12])
            self._got = b""

    async def send(self, request: bytes) -> bytes:
        """The status."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered


async def flood(port: int, requests: list[bytes], *, connections: int) -> dict[str, object]:
    """All of them, as fast as they are taken."""
    loop = asyncio.get_running_loop()
    senders = [(await loop.create_connection(Sender, "127.0.0.1", port))[1] for _ in range(connections)]
    waiting, latencies_ms = iter(requests), []
    refused = 0

    async def work(sender: Sender) -> None:
        nonlocal refused
        for request in waiting:
            at = time.perf_counter()
            refused += (await sender.send(request))[:1] != b"2"
            latencies_ms.append((time.perf_counter() - at) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(work(one) for one in senders))
    return {"wall_s": time.perf_counter() - began, "latencies_ms": latencies_ms, "refused": refused}


async def paced(port: int, requests: list[bytes], *, connections: int, rate: float) -> dict[str, object]:
    """One every `1 / rate` seconds; a late answer delays nobody else, and waiting for a connection counts."""
    loop = asyncio.get_running_loop()
    free: asyncio.Queue[Sender] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait((await loop.create_connection(Sender, "127.0.0.1", port))[1])
    latencies_ms: list[float] = []
    refused = 0

    async def one(request: bytes, due: float) -> None:
        nonlocal refused
        sender = await free.get()
        refused += (await sender.send(request))[:1] != b"2"
        latencies_ms.append((time.perf_counter() - due) * 1000)
        free.put_nowait(sender)

    began = time.perf_counter()
    tasks: list[asyncio.Task[None]] = []
    for n, request in enumerate(requests):
        due = began + n / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(request, due)))
    await asyncio.gather(*tasks)
    return {"wall_s": time.perf_counter() - began, "latencies_ms": latencies_ms, "refused": refused}


async def _main(port: int, path: str, secret: str, n: int, connections: int, rate: float) -> None:
    at_s = int(time.time())
    first = at_s * 100_000
    requests = [signed_request(first + number, path=path, secret=secret, at_s=at_s) for number in range(n)]
    if rate:
        said = await paced(port, requests, connections=connections, rate=rate)
    else:
        said = await flood(port, requests, connections=connections)
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    _, port_, path_, secret_, n_, connections_, rate_ = sys.argv
    uvloop.run(_main(int(port_), path_, secret_, int(n_), int(connections_), float(rate_)))
