"""The four systems in one process, as cheap as they can be in Python, so that they are never what is measured.

python -m bench.stub PORT
"""

import asyncio
import sys
from time import process_time, time
from typing import cast

import msgspec
import uvloop

from bench.vendors import Vendors

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
_PLACED = b"HTTP/1.1 204 No Content\r\nLocation: https://books.example/services/rest/record/v1/%b/%d\r\n\r\n"
_UPDATED = b"HTTP/1.1 204 No Content\r\nSforce-Limit-Info: api-usage=%d/100000000\r\n\r\n"
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_TOKEN = b'{"access_token":"00DBENCH!token","instance_url":"http://127.0.0.1","token_type":"Bearer","issued_at":"1"}'
_RECORD = b"/services/rest/record/v1/"
_DEAL = b"/services/data/v67.0/sobjects/Opportunity/"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What the benchmark tells the stub."""

    delay_ms: float | None = None
    release: tuple[int, int, int] | None = None
    """First deal, how many, how many customers there are."""
    burst: tuple[int, int, int, int] | None = None
    """First deal, half of how many, how many corrections between the halves, how many customers there are."""
    zero: bool = False
    """Begin counting anew."""


class Stub:
    """Vendors, and what was asked of them."""

    def __init__(self) -> None:
        self.vendors = Vendors()
        self.delay_s = 0.0
        self.requests = 0
        self.last_at = 0.0

    def obey(self, body: bytes) -> bytes:
        """Carry out a command; the answer is always the present state."""
        command = msgspec.json.decode(body or b"{}", type=Command)
        if command.delay_ms is not None:
            self.delay_s = command.delay_ms / 1000
        if command.zero:
            self.vendors.counts.clear()
            self.requests = 0
        if command.release is not None:
            first, n, customers = command.release
            self.vendors.release(first, n, customers=customers)
        if command.burst is not None:
            first, half, corrections, customers = command.burst
            self.vendors.burst(first, half, corrections, customers=customers)
        return msgspec.json.encode(
            {
                "counts": dict(self.vendors.counts),
                "requests": self.requests,
                "first_read_at": self.vendors.first_read_at,
                "last_at": self.last_at,
                "cpu_s": process_time(),
            }
        )

    def answer(self, method: bytes, target: bytes, body: bytes) -> bytes:
        """The whole answer to one request."""
        if target == b"/_stub":
            return _ok(self.obey(body))
        self.requests += 1
        self.last_at = time()
        if target.startswith(b"/v1/"):
            return self._billing(method, target, body)
        if target.startswith(_RECORD):
            return self._books(target, body)
        if target.startswith(_DEAL):
            self.vendors.standing(target[len(_DEAL) :], body)
            return _UPDATED % self.vendors.counts["crm"]
        return self._rest(target, body)

    def _billing(self, method: bytes, target: bytes, body: bytes) -> bytes:
        if method == b"GET":
            return _ok(self.vendors.billing_list(target))
        if target == b"/v1/subscriptions":
            return _ok(self.vendors.subscribe(body))
        return _ok(self.vendors.open_customer(body))

    def _books(self, target: bytes, body: bytes) -> bytes:
        kind, _, rest = target[len(_RECORD) :].partition(b"/")
        external_id = rest.partition(b"?")[0].removeprefix(b"eid%3A").removeprefix(b"eid:")
        name = "erp" if kind == b"salesOrder" else "open customer in erp"
        return _PLACED % (kind, self.vendors.keep_record(name, external_id, body))

    def _rest(self, target: bytes, body: bytes) -> bytes:
        if target.startswith(b"/api/v2/organizations/create_or_update"):
            status, text = self.vendors.keep_organization(body)
            return (_CREATED if status == 201 else _OK) % (len(text), text)
        if target.startswith(b"/api/v2/organizations/show_many"):
            return _ok(self.vendors.organizations(target))
        if target.startswith(b"/services/data/v67.0/query"):
            return _ok(self.vendors.query(target))
        if target.startswith(b"/services/rest/query/v1/suiteql"):
            return _ok(self.vendors.suiteql(body))
        if target.startswith(b"/services/oauth2/token"):
            return _ok(_TOKEN)
        return _MISSING


def _ok(body: bytes) -> bytes:
    return _OK % (len(body), body)


class Line(asyncio.Protocol):
    """One kept-alive connection: reads requests by hand, one after the other."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        while data:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                break
            end = head + 4 + _length(data, head)
            if len(data) < end:
                break
            method, target, _ = data[: data.find(b"\r\n")].split(b" ", 2)
            self._reply(self._stub.answer(method, target, data[head + 4 : end]))
            data = data[end:]
        self._rest = data

    def _reply(self, answer: bytes) -> None:
        if self._transport is None:
            return
        if self._stub.delay_s:
            asyncio.get_running_loop().call_later(self._stub.delay_s, self._write, answer)
        else:
            self._transport.write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)


def _length(data: bytes, head: int) -> int:
    at = data.find(b"ontent-Length: ", 0, head)
    if at < 0:
        at = data[:head].lower().find(b"ontent-length: ")
        if at < 0:
            return 0
    return int(data[at + 15 : data.find(b"\r\n", at)])


async def serve(port: int, stub: Stub) -> asyncio.Server:
    """Listen on a port of this machine."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Line(stub), "127.0.0.1", port)


async def _main(port: int) -> None:
    server = await serve(port, Stub())
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
