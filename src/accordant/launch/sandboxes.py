"""The four sandboxes as processes of their own: started, furnished, disturbed, asked what they hold, stopped."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from accordant.connector.settings import SANDBOX
from accordant.governance.connections import load_connections
from accordant.kernel.errors import Unavailable
from accordant.kernel.settings import child_environment
from accordant.launch import state as states
from accordant.sandboxes import FURNISH
from accordant.wiring import VENDORS

_READY_WITHIN_S = 90.0


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """One running sandbox."""

    name: str
    """The connection it stands for."""
    vendor: str
    role: str
    url: str
    process: Any


class Sandboxes:
    """All sandboxes of one state folder."""

    def __init__(self, state: Path, *, limits: str = "off", seed: int = 0) -> None:
        self._state = state
        self._limits = limits
        self._seed = seed
        self._token = states.command_token(state)
        self.running: dict[str, Sandbox] = {}
        """By role: crm, billing, erp, support."""

    async def start(self) -> None:
        """Start every sandbox that the estate's connections name, and write down where they listen."""
        for entry in load_connections(self._state / "estate"):
            if entry.base_url.startswith(SANDBOX):
                role = VENDORS[entry.vendor].role
                self.running[role] = self._spawn(entry.name, entry.vendor, role=role)
        states.write_private(self._state / "sandboxes.json", {one.name: one.url for one in self.running.values()})
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(self._ready(session, one) for one in self.running.values()))

    def _spawn(self, name: str, vendor: str, *, role: str) -> Sandbox:
        port = states.free_port()
        # The vendor's own entry point: it loads nothing of the platform, and starts in a third of the time.
        command = [sys.executable, "-m", f"accordant.systems.{vendor}.sandbox"]
        options = ["--state", str(self._state), "--port", str(port), "--limits", self._limits]
        environment = child_environment(ACCORDANT_SANDBOX_TOKEN=self._token)
        log = (self._state / f"sandbox-{name}.log").open("ab")
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            [*command, *options, "--seed", str(self._seed)], stdout=log, stderr=log, env=environment
        )
        return Sandbox(name=name, vendor=vendor, role=role, url=f"http://127.0.0.1:{port}", process=process)

    async def _ready(self, session: aiohttp.ClientSession, one: Sandbox) -> None:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _READY_WITHIN_S
        while loop.time() < give_up_at and one.process.poll() is None:
            try:
                await self._call(session, one, method="GET", action="health")
                return
            except (aiohttp.ClientError, Unavailable):
                await asyncio.sleep(0.05)
        raise Unavailable(f"the {one.vendor} sandbox did not start; see {self._state}/sandbox-{one.name}.log")

    async def furnish(self, hook_base: str) -> None:
        """Set up catalogues, legal entities and webhooks as the company would have done long ago."""
        for one in self.running.values():
            if one.vendor in FURNISH:
                secrets = VENDORS[one.vendor].sandbox_seed.webhook_secrets
                url, secret = f"{hook_base}/hooks/{one.name}", secrets[0] if secrets else ""
                world = states.world_of(self._state, hook_url=url, webhook_secret=secret)
                await self.ask(one.role, "POST", action="load", body=FURNISH[one.vendor](world))

    async def ask(self, role: str, method: str, *, action: str, body: object = None) -> dict[str, Any]:
        """Use a sandbox's admin door."""
        async with aiohttp.ClientSession() as session:
            return await self._call(session, self.running[role], method=method, action=action, body=body)

    async def _call(
        self, session: aiohttp.ClientSession, one: Sandbox, *, method: str, action: str, body: object = None
    ) -> dict[str, Any]:
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"X-Sandbox-Token": self._token}
        async with session.request(method, f"{one.url}/__sandbox__/{action}", data=data, headers=headers) as answer:
            raw = await answer.read()
            if answer.status != 200:
                raise Unavailable(f"the {one.vendor} sandbox answered {answer.status} to {action}: {raw[:300]!r}")
            return msgspec.json.decode(raw)

    async def states(self) -> dict[str, Any]:
        """What every system holds, in canonical words, by role."""
        return {role: await self.ask(role, "GET", action="state") for role in sorted(self.running)}

    async def counters(self) -> dict[str, Any]:
        """What happened in every sandbox, by role."""
        return {role: await self.ask(role, "GET", action="counters") for role in sorted(self.running)}

    def stop(self) -> None:
        """End them all."""
        for one in self.running.values():
            one.process.terminate()
        for one in self.running.values():
            try:
                one.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                one.process.kill()
