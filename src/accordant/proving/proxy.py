"""A bad network on purpose: stands before a vendor or the database and slows, cuts or swallows what passes.

It knows nothing of what it carries; it counts bytes. What it does to a connection is armed at run time, for the
connections that are open and for those that come, so that a drill can break one exchange in the middle of a run.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

HOST = "127.0.0.1"
_LINGER_OFF = struct.pack("ii", 1, 0)
"""SO_LINGER with zero seconds: closing sends a reset instead of an orderly end."""
_CHUNK = 64 * 1024
_PIECE_S = 0.05
"""How much time the bytes of one piece take where the bandwidth is limited."""

Side = Literal["request", "response"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a connection. Bytes are counted from the moment the fault is armed; None means never."""

    latency_s: float = 0.0
    """Added to every piece that passes, in each direction."""
    bytes_per_s: int | None = None
    cut_request_after: int | None = None
    """Let so many bytes of the request through, then reset both sides."""
    cut_response_after: int | None = None
    half_open: bool = False
    """Accept everything and pass on nothing, in both directions, until healed."""
    close_after_accept: bool = False
    """Reset a new connection before anything of it is read."""
    times: int | None = None
    """How many connections it hits before the network is well again; None means all."""


NONE = Fault()
Draw = Callable[[random.Random], Fault]
"""Chooses the fault of one new connection."""


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, fault: Fault) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.drawn = fault
        self.swallowed = False
        self.armed_with: Fault | None = None
        self.passed: Counter[Side] = Counter()

    def cut(self) -> None:
        """Reset both sides: whoever waits learns it at once, and what was not passed on never will be."""
        for one in (self.client, self.server):
            if one is not None:
                _reset(one)


class ChaosProxy:
    """Relays TCP from a port of its own to a target: a port number on this machine, or the path of a socket."""

    def __init__(self, target: int | str, *, rng: random.Random) -> None:
        self._target = target
        self._rng = rng
        self._fault = NONE
        self._left: int | None = None
        self._draw: Draw | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.did: Counter[str] = Counter()
        """connections, request_bytes, response_bytes, and one count for each kind of fault that struck."""

    @property
    def url(self) -> str:
        """The address that stands for the target's."""
        return f"http://{HOST}:{self.port}"

    def arm(self, fault: Fault) -> None:
        """Do this from now on, to open connections too. May be called from any thread."""
        self._left = fault.times
        self._fault = fault

    def swarm(self, draw: Draw | None) -> None:
        """Choose a fault for each new connection; what is armed comes before it."""
        self._draw = draw

    def heal(self) -> None:
        """No more faults. Connections that lost bytes are reset: their two ends no longer agree on what was said."""
        self._fault, self._draw = NONE, None
        for link in list(self._links):
            if link.swallowed:
                self._cut(link, "half_open")

    def cut_all(self) -> None:
        """Reset every open connection."""
        for link in list(self._links):
            self._cut(link, "cut")

    async def open(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening and reset what is open: the target is not there any more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.did["refused"] += 1
        self.cut_all()

    async def close(self) -> None:
        """End for good."""
        await self.refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.did["connections"] += 1
        link = _Link(writer, self._draw(self._rng) if self._draw else NONE)
        self._links.add(link)
        try:
            if self._fault_of(link).close_after_accept:
                self._cut(link, "close_after_accept")
                return
            server_reader, link.server = await self._connect()
            await asyncio.gather(
                self._relay(link, reader, to=link.server, side="request"),
                self._relay(link, server_reader, to=writer, side="response"),
            )
        except OSError:
            self._cut(link, "broken")  # one of the two ends went away by itself
        finally:
            self._links.discard(link)
            for one in (writer, link.server):
                if one is not None:
                    one.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(HOST, self._target)

    async def _relay(self, link: _Link, reader: asyncio.StreamReader, *, to: asyncio.StreamWriter, side: Side) -> None:
        while data := await reader.read(_CHUNK):
            fault = self._fault_of(link)
            if fault.half_open:
                self.did["swallowed"] += 0 if link.swallowed else 1
                link.swallowed = True
                continue
            limit = fault.cut_request_after if side == "request" else fault.cut_response_after
            room = len(data) if limit is None else max(0, limit - link.passed[side])
            await self._pass_on(data[:room], to, fault=fault)
            link.passed[side] += len(data)
            self.did[f"{side}_bytes"] += min(room, len(data))
            if limit is not None and room < len(data):
                self._struck()
                self._cut(link, f"cut_{side}")
                return
        with contextlib.suppress(OSError):
            if to.can_write_eof():
                to.write_eof()

    async def _pass_on(self, data: bytes, to: asyncio.StreamWriter, *, fault: Fault) -> None:
        size = len(data) if fault.bytes_per_s is None else max(1, round(fault.bytes_per_s * _PIECE_S))
        for start in range(0, len(data), max(1, size)):
            pause_s = (fault.latency_s if start == 0 else 0.0) + (_PIECE_S if fault.bytes_per_s else 0.0)
            if pause_s:
                self.did["delayed"] += 1
                await asyncio.sleep(pause_s)
            to.write(data[start : start + size])
            await to.drain()

    def _fault_of(self, link: _Link) -> Fault:
        """What is armed, or else what was drawn for this connection; counting begins anew when it changes."""
        armed = self._fault
        if armed.times is not None and not self._left:
            armed = NONE
        fault = link.drawn if armed is NONE else armed
        if fault is not link.armed_with:
            link.armed_with = fault
            link.passed.clear()
        return fault

    def _struck(self) -> None:
        if self._left:
            self._left -= 1

    def _cut(self, link: _Link, kind: str) -> None:
        self.did[kind] += 1
        if kind == "close_after_accept":
            self._struck()
        link.cut()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_INET:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
    writer.transport.abort()


@asynccontextmanager
async def before(target: int | str, *, rng: random.Random) -> AsyncGenerator[ChaosProxy]:
    """A proxy that listens until the block ends."""
    proxy = ChaosProxy(target, rng=rng)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
