"""The platform as a process of its own: started, watched, killed and started again."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from accordant.kernel.errors import Unavailable
from accordant.kernel.settings import child_environment
from accordant.launch import state as states

_READY_WITHIN_S = 90.0


class Pulse(msgspec.Struct, frozen=True):
    """What is in flight at this moment."""

    driving: int
    between_send_and_commit: int


class Running(Protocol):
    """A process that was started, however it was started."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None:
        """None while it runs or nobody has looked; -9 where it was killed."""
        ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


class PlatformProcess:
    """One platform process at a time on one state folder."""

    def __init__(self, state: Path, *, database_url: str | None, port: int) -> None:
        self._state = state
        self._database_url = database_url
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._process: Running | None = None
        self.kills = 0
        self.peak_rss_kb = 0

    async def start(self, **environment: str) -> None:
        """Start it, with something added to its environment, and return when its doors are open.

        Raises Unavailable when it ended, or did not open them in time.
        """
        arguments = ["worker", "--state", str(self._state), "--port", str(self._port)]
        if self._database_url:
            environment["ACCORDANT_DATABASE_URL"] = self._database_url
        self._process = self._spawn(arguments, environment)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _READY_WITHIN_S
        while await self.pulse() is None:
            if self._process.poll() is not None or loop.time() > give_up_at:
                raise Unavailable(f"the platform did not start; see {self._state / 'platform.log'}")
            await asyncio.sleep(0.02)

    def _spawn(self, arguments: list[str], environment: dict[str, str]) -> Running:
        """Start `accordant` with these arguments; what it says goes to the log."""
        command = [sys.executable, "-m", "accordant.experience.cli.main", *arguments]
        with (self._state / "platform.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program
                command, stdout=log, stderr=log, env=child_environment(**environment)
            )

    async def pulse(self) -> Pulse | None:
        """What is in flight, or None while it cannot answer."""
        try:
            timeout = aiohttp.ClientTimeout(total=2)
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{self.url}/pulse") as answer:
                return msgspec.json.decode(await answer.read(), type=Pulse)
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return None

    async def command(self, method: str, path: str, *, body: object = None, actor: str = "demo") -> dict[str, object]:
        """Use the command API. Raises Unavailable with what it answered unless it agreed."""
        headers = {"Authorization": f"Bearer {states.command_token(self._state)}", "X-Actor": actor}
        data = msgspec.json.encode(body if body is not None else {})
        async with (
            aiohttp.ClientSession(headers={"Content-Type": "application/json", **headers}) as session,
            session.request(method, self.url + path, data=data) as answer,
        ):
            raw = await answer.read()
            if answer.status >= 300:
                raise Unavailable(f"{method} {path} answered {answer.status}: {raw[:300].decode(errors='replace')}")
            return msgspec.json.decode(raw)

    def measure(self) -> int:
        """Peak resident memory so far, over all its lives, in KiB."""
        if self._process is not None:
            try:
                status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
            except OSError:
                return self.peak_rss_kb
            line = next((one for one in status.splitlines() if one.startswith("VmHWM:")), "VmHWM: 0 kB")
            self.peak_rss_kb = max(self.peak_rss_kb, int(line.split()[1]))
        return self.peak_rss_kb

    async def kill_and_restart(self) -> None:
        """SIGKILL, no warning, and a new process on the same state."""
        assert self._process is not None  # noqa: S101 - only a started platform is killed
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        self.kills += 1
        await self.start()

    def require_alive(self) -> None:
        """Raises Unavailable when it ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise Unavailable(f"the platform ended with {self._process.returncode}; see {self._state / 'platform.log'}")

    def stop(self) -> None:
        """Ask it to finish what is in hand, and wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
