"""A real worker whose system calls are watched, or made to fail; and webhooks to send to it."""

import asyncio
import hmac
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import aiohttp
import msgspec
import pytest
from sqlalchemy import select

from accordant.backbone.rows import inbox_table
from accordant.kernel.database import Database
from accordant.launch import state as states
from accordant.wiring import VENDORS

STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed, so no system call can be watched")
ROOT = Path(__file__).parents[2]
_SECRET = VENDORS["stripe"].sandbox_seed.webhook_secrets[0]


class Door:
    """One worker at a time on one state folder; the vendors it would poll are not there."""

    def __init__(self, folder: Path, *, like: Path | None = None) -> None:
        self.state = folder / "state"
        if like is not None:
            shutil.copytree(like, self.state)
        states.prepare(self.state)
        dead = f"http://127.0.0.1:{states.free_port()}"
        names = ("salesforce", "stripe", "netsuite", "zendesk")
        states.write_private(self.state / "sandboxes.json", dict.fromkeys(names, dead))
        self.file = self.state / "accordant.db"
        self.wal = Path(f"{self.file}-wal")
        self.port = states.free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.acknowledged: set[str] = set()
        self.answers: list[tuple[str, int, str]] = []
        """Event id, status (0 where the line broke), and what `Retry-After` said."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *strace: str, module: str = "accordant.experience.cli.main") -> None:
        """Return when it answers; with arguments, under strace."""
        traced = [STRACE, "-f", "-qq", *strace] if strace and STRACE else []
        command = [*traced, sys.executable, "-m", module, "worker", "--state", str(self.state)]
        with (self.state / "platform.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                [*command, "--port", str(self.port)], stdout=log, stderr=log, cwd=ROOT, start_new_session=True
            )
        give_up_at = time.monotonic() + 120
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self.url}/pulse") as answer:
                        assert answer.status == 200
                        return
                except aiohttp.ClientError:
                    assert self.process.poll() is None, self.log()[-3000:]
                    assert time.monotonic() < give_up_at, self.log()[-3000:]
                    await asyncio.sleep(0.05)

    def log(self) -> str:
        return (self.state / "platform.log").read_text()

    @property
    def worker_pid(self) -> int:
        """The worker itself, whose parent may be strace."""
        return int(msgspec.json.decode((self.state / "api.json").read_bytes())["pid"])

    async def ended(self, *, within_s: float = 30) -> int:
        """The exit code of the worker, once it ended by itself."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, within_s)

    async def stop(self) -> None:
        """Ask it to stop; whatever state it is in, it is gone afterwards."""
        if self.process is None or self.process.poll() is not None:
            return
        with_strace = self.process.args[0] == STRACE if isinstance(self.process.args, list) else False
        try:
            os.kill(self.worker_pid if with_strace else self.process.pid, signal.SIGTERM)
            await asyncio.to_thread(self.process.wait, 20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            await asyncio.to_thread(self.process.wait, 20)

    async def deliver(self, ids: Iterable[str], *, at_once: int = 8, padding: int = 0) -> None:
        """Send one webhook for each id, each on a connection of its own; notes what was answered."""
        turn = asyncio.Semaphore(at_once)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

            async def one(name: str) -> None:
                async with turn:
                    await self._deliver(session, name, padding=padding)

            await asyncio.gather(*(one(name) for name in ids))

    async def _deliver(self, session: aiohttp.ClientSession, name: str, *, padding: int) -> None:
        event = {"id": name, "object": "event", "type": "nothing.we_know", "data": {"object": {"x": "y" * padding}}}
        body = msgspec.json.encode(event)
        at = str(int(time.time()))
        signature = hmac.new(_SECRET.encode(), at.encode() + b"." + body, sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signature}", "Content-Type": "application/json"}
        try:
            async with session.post(f"{self.url}/hooks/stripe", data=body, headers=headers) as answer:
                await answer.read()
                self.answers.append((name, answer.status, answer.headers.get("Retry-After", "")))
                if answer.status < 300:
                    self.acknowledged.add(name)
        except (aiohttp.ClientError, TimeoutError):
            self.answers.append((name, 0, ""))

    def statuses(self) -> set[int]:
        return {status for _, status, _ in self.answers}

    def kept(self) -> set[str]:
        """What the inbox holds, read afresh from the disk."""
        database = Database(f"sqlite:///{self.file}", readers=1)
        try:
            return set(database.read_now(lambda c: c.execute(select(inbox_table.c.delivery_id)).scalars().all()))
        finally:
            database.close()


@asynccontextmanager
async def door(folder: Path, *, like: Path | None = None) -> AsyncGenerator[Door]:
    """A worker's folder, new or like that of one that ran before; whatever runs on it at the end is stopped."""
    one = Door(folder, like=like)
    try:
        yield one
    finally:
        await one.stop()


def ids(first: int, count: int) -> list[str]:
    return [f"evt_{n:06d}x" for n in range(first, first + count)]


WATCHED = "fdatasync,fsync,pwrite64,pwritev,read,recvfrom,recvmsg,readv,write,writev,sendto,sendmsg"
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((\d+)<([^>]*(?:->[^>]*)?)>(.*))$")
_EVENT = re.compile(r"evt_\d{6}x")


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What a trace shows of each webhook that was answered with a 2xx."""

    proven: frozenset[str]
    """Written to the log file, and the log made durable, before the answer began."""
    unproven: frozenset[str]


class Reader:
    """Reads a trace in the order of events: a call's line stands where it ended, its first half where it began."""

    def __init__(self, wal: Path, trace: Path) -> None:
        self._wal = str(wal)
        self._trace = trace
        self._asked: dict[str, str] = {}
        self._written: set[str] = set()
        self._durable: set[str] = set()
        self._covered: dict[str, set[str]] = {}
        self._begun: dict[str, tuple[str, str, str]] = {}
        self._answered: dict[str, bool] = {}

    def read(self) -> Proof:
        for line in self._trace.read_text(errors="replace").splitlines():
            found = _LINE.match(line)
            if found is None:
                continue
            thread, resumed, rest, call, fd, where, arguments = found.groups()
            if resumed:
                begun = self._begun.pop(thread, None)
                if begun is not None:
                    self._end(thread, *begun, rest=begun[2] + rest)
            else:
                self._begin(thread, call, where=f"{fd}<{where}>", text=arguments)
                if line.endswith("<unfinished ...>"):
                    self._begun[thread] = (call, f"{fd}<{where}>", arguments)
                else:
                    self._end(thread, call, f"{fd}<{where}>", arguments, rest=arguments)
        proven = frozenset(name for name, was in self._answered.items() if was)
        return Proof(proven=proven, unproven=frozenset(self._answered) - proven)

    def _begin(self, thread: str, call: str, *, where: str, text: str) -> None:
        if call in {"fdatasync", "fsync"} and self._wal in where:
            self._covered[thread] = set(self._written)
        elif call in {"write", "writev", "sendto", "sendmsg"} and "HTTP/1.1 20" in text and where in self._asked:
            name = self._asked.pop(where)
            self._answered[name] = name in self._durable

    def _end(self, thread: str, call: str, where: str, _: str, *, rest: str) -> None:
        succeeded = " = -1 " not in rest and "= ?" not in rest
        if call in {"pwrite64", "pwritev"} and self._wal in where and succeeded:
            self._written.update(_EVENT.findall(rest))
        elif call in {"fdatasync", "fsync"} and self._wal in where and succeeded:
            self._durable |= self._covered.pop(thread, set())
        elif call in {"read", "readv", "recvfrom", "recvmsg"}:
            for name in _EVENT.findall(rest):
                self._asked[where] = name
