"""The platform under measurement: a state folder whose four connections lead to the stub, and its process."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import text

from accordant.kernel.database import Database
from accordant.kernel.settings import child_environment, settings_for
from accordant.launch import state as states
from accordant.launch.process import PlatformProcess
from bench.control import ROOT, StubProcess
from bench.postgres import Server

CONNECTIONS = ("salesforce", "stripe", "netsuite", "zendesk")


class Measured(PlatformProcess):
    """`accordant worker`, with a window on its commit counter."""

    def __init__(self, state: Path, *, database_url: str | None, port: int, **environment: str) -> None:
        super().__init__(state, database_url=database_url, port=port)
        self.state = state
        self.counters_file = state / "counters.json"
        self._extra = {"BENCH_COUNTERS": str(self.counters_file), **environment}
        self.database_name = ""
        self.database = Database(settings_for(state, database_url=database_url).database_url)

    def _spawn(self, arguments: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "bench.contestants.product", *arguments]
        with (self.state / "platform.log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=child_environment(**environment, **self._extra)
            )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def counters(self) -> dict[str, float]:
        """Commits and rows so far."""
        self.counters_file.unlink(missing_ok=True)
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)
        while not self.counters_file.exists():
            self.require_alive()
            await asyncio.sleep(0.005)
        return json.loads(self.counters_file.read_text(encoding="ascii"))

    def scalar(self, query: str) -> int:
        """One number from its database."""
        return self.database.read_now(lambda connection: connection.execute(text(query)).scalar_one())

    async def until_idle(self, *, stub: StubProcess, crm_calls: int, within_s: float = 600) -> None:
        """So many deals were told to be in step, and nothing is being driven any more."""
        await _until(lambda: stub.ask()["counts"].get("crm", 0) >= crm_calls, within_s, every_s=0.1, of=self)
        give_up_at = time.monotonic() + 60
        while (pulse := await self.pulse()) is None or pulse.driving:
            if time.monotonic() > give_up_at:
                raise TimeoutError("the platform does not come to rest")
            await asyncio.sleep(0.02)

    async def until_verified(self, within_s: float = 600) -> None:
        """Every confirmed effect was read back."""
        query = "SELECT count(*) FROM effect WHERE state = 'confirmed' AND checked = ''"
        await _until(lambda: self.scalar(query) == 0, within_s, every_s=0.25, of=self)

    def close(self) -> None:
        self.stop()
        self.database.close()


async def _until(holds, within_s: float, *, every_s: float, of: Measured) -> None:
    give_up_at = time.monotonic() + within_s
    while not await asyncio.to_thread(holds):
        of.require_alive()
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {within_s:.0f} s; see {of.state / 'platform.log'}")
        await asyncio.sleep(every_s)


class Seeds:
    """A platform that knows all customers, once for each kind of database; every run begins with a copy of it."""

    def __init__(self, folder: Path, stub: StubProcess, server: Server, *, customers: int) -> None:
        self._folder = folder
        self._stub = stub
        self._server = server
        self.customers = customers
        self._states: dict[str, Path] = {}
        self._templates: dict[str, str] = {}
        self._copies = 0

    async def grow(self, kind: str) -> None:
        """Let the platform open every customer: a first deal for each, driven and read back."""
        state = self._folder / f"seed-{kind}"
        self._lay_out(state)
        name = self._server.fresh() if kind == "postgresql" else ""
        url = self._server.named(name) if name else None
        self._stub.ask(zero=True, release=(0, self.customers, self.customers))
        platform = Measured(state, database_url=url, port=states.free_port())
        try:
            await platform.start()
            await platform.until_idle(stub=self._stub, crm_calls=self.customers)
            await platform.until_verified()
            completed = platform.scalar("SELECT count(*) FROM business_transaction WHERE state = 'completed'")
            if completed != self.customers:
                raise ValueError(f"only {completed} of {self.customers} first deals ended well")
        finally:
            platform.close()
        self._states[kind], self._templates[kind] = state, name

    def _lay_out(self, state: Path) -> None:
        states.prepare(state)
        states.write_private(state / "sandboxes.json", dict.fromkeys(CONNECTIONS, self._stub.url))

    def copy(self, kind: str, **environment: str) -> Measured:
        """A platform of its own, not started yet."""
        self._copies += 1
        state = self._folder / f"run-{self._copies}"
        shutil.copytree(self._states[kind], state)
        name = self._server.fresh(template=self._templates[kind]) if kind == "postgresql" else ""
        url = self._server.named(name) if name else None
        measured = Measured(state, database_url=url, port=states.free_port(), **environment)
        measured.database_name = name
        return measured

    def remove(self, measured: Measured) -> None:
        """Stop it and take its folder and database away."""
        measured.close()
        if measured.database_name:
            self._server.drop(measured.database_name)
        shutil.rmtree(measured.state, ignore_errors=True)

    def empty(self, kind: str) -> Measured:
        """A platform that has never run."""
        self._copies += 1
        state = self._folder / f"run-{self._copies}"
        self._lay_out(state)
        name = self._server.fresh() if kind == "postgresql" else ""
        measured = Measured(state, database_url=self._server.named(name) if name else None, port=states.free_port())
        measured.database_name = name
        return measured
