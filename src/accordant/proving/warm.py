"""The platform as a process that starts within a moment, for drills that kill it hundreds of times."""

import os
import selectors
import subprocess
import sys
from pathlib import Path

import msgspec

from accordant.kernel.errors import Unavailable
from accordant.launch.process import PlatformProcess, Running
from accordant.proving.host import PROGRAM, Event, Order

LOADED = (
    PROGRAM,
    "accordant.experience.cli.worker",
    "accordant.experience.api.serving",
    "accordant.experience.api.operations",
)
"""What the host loads before the first fork."""
_READY_WITHIN_S = 60.0


class Host:
    """The forking process, seen from the drill that owns it."""

    def __init__(self, *, log: Path) -> None:
        command = [sys.executable, "-m", "accordant.proving.host", *LOADED]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        self._orders, self._events = self._process.stdin, self._process.stdout
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._events, selectors.EVENT_READ)
        os.set_blocking(self._events.fileno(), False)
        self._rest = b""
        self._codes: dict[int, int] = {}
        self._forked: list[int] = []
        self._is_loaded = False

    def fork(self, order: Order) -> "Forked":
        """Start one process; the first one waits until everything is loaded. Raises Unavailable without a host."""
        if not self._is_loaded:
            self._until_forked(what="to load the platform")
            self._is_loaded = True
        self._orders.write(msgspec.json.encode(order) + b"\n")
        self._orders.flush()
        return Forked(self, self._until_forked(what="to fork"))

    def code_of(self, pid: int, *, timeout_s: float | None = 0.0) -> int | None:
        """How a process ended; None while it runs. Waits so long for its end (None: for ever)."""
        self._read(0.0)
        if pid not in self._codes and timeout_s != 0.0:
            self._read(timeout_s)
        return self._codes.get(pid)

    def close(self) -> None:
        """End the host and whatever it forked."""
        self._orders.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._waiting.close()
        self._events.close()

    def _until_forked(self, *, what: str) -> int:
        if not self._forked:
            self._read(_READY_WITHIN_S)
        if not self._forked:
            raise Unavailable(f"the host did not manage {what}; it ended with {self._process.poll()}")
        return self._forked.pop(0)

    def _read(self, timeout_s: float | None) -> None:
        """Take in what the host has told; waits for the first line so long."""
        while self._waiting.select(timeout_s):
            data = os.read(self._events.fileno(), 65536)
            if not data:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                event = msgspec.json.decode(line, type=Event)
                if event.code is None:
                    self._forked.append(event.pid)
                else:
                    self._codes[event.pid] = event.code
            timeout_s = 0.0 if lines else timeout_s


class Forked:
    """One forked process; it is used as `subprocess.Popen` is."""

    def __init__(self, host: Host, pid: int) -> None:
        self._host = host
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._host.code_of(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self.returncode = self._host.code_of(self.pid, timeout_s=timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("accordant", timeout or 0.0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(15)

    def kill(self) -> None:
        self.send_signal(9)


class WarmPlatform(PlatformProcess):
    """The platform, forked from a host that has loaded it; every so often started cold, as on a machine of its own."""

    def __init__(self, state: Path, *, database_url: str | None, port: int, host: Host) -> None:
        super().__init__(state, database_url=database_url, port=port)
        self._host = host
        self._log = state / "platform.log"
        self.is_cold = False
        """Whether the next start loads everything anew."""

    @property
    def running(self) -> Running | None:
        """The process of this life."""
        return self._process

    def _spawn(self, arguments: list[str], environment: dict[str, str]) -> Running:
        if self.is_cold:
            return super()._spawn(arguments, environment)
        order = Order(arguments=tuple(arguments), environment=environment, log=str(self._log))
        return self._host.fork(order)
