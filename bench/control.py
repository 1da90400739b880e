"""Starts the stub and tells it what to do."""

import asyncio
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec

from accordant.launch.state import free_port

ROOT = Path(__file__).resolve().parents[1]
CALLS = ("billing", "erp", "support", "crm")
"""The four calls of one transaction, as the stub counts them."""


class StubProcess:
    """The stub, seen from the benchmark."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen([sys.executable, "-m", "bench.stub", str(self.port)], cwd=ROOT)
        self._until_up()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _until_up(self) -> None:
        give_up_at = time.monotonic() + 20
        while True:
            try:
                self.ask()
                return
            except OSError:
                if time.monotonic() > give_up_at or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give a command and read the state."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/_stub", msgspec.json.encode(command))
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()

    async def count(self, name: str) -> int:
        """How often something was asked for since counting began."""
        state = await asyncio.to_thread(self.ask)
        return state["counts"].get(name, 0)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def require_four_calls(counts: dict[str, int], n: int) -> None:
    """Raises ValueError unless each of the four systems was called once for each transaction."""
    wrong = {name: counts.get(name, 0) for name in CALLS if counts.get(name, 0) != n}
    if wrong:
        raise ValueError(f"{n} transactions should have made {n} calls of each system; counted {wrong}")
