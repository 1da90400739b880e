"""The four sandboxes as objects that can be served, put away, copied by a fork and served again elsewhere."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from accordant.connector.sandbox import EffectLedger, Sandbox, SandboxClock, SandboxOptions
from accordant.connector.sandbox.admin import AdminDoor
from accordant.connector.sandbox.process import HOST, _kit
from accordant.connector.sandbox.server import Pipeline
from accordant.connector.sandbox.vendor import System
from accordant.kernel.clock import SystemClock
from accordant.launch import state as states
from accordant.sandboxes import FURNISH, SANDBOXES
from accordant.wiring import VENDORS

NO_HOOKS = frozenset({"webhooks", "webhook_endpoints"})


class Company:
    """One company's systems. `move` gives them another folder, so that each copy keeps a ledger of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vendors: dict[str, Sandbox] = {vendor: self._make(vendor) for vendor in SANDBOXES}
        world = states.world_of(folder, hook_url="http://127.0.0.1:1", webhook_secret="s")
        self.entities = world.legal_entities
        for vendor, furnish in FURNISH.items():
            body = {name: rows for name, rows in furnish(world).items() if name not in NO_HOOKS}
            if body:
                self.vendors[vendor].load(body)

    def _make(self, vendor: str) -> Sandbox:
        role: System = VENDORS[vendor].role  # pyright: ignore[reportAssignmentType]
        options = SandboxOptions(system=role, state_dir=self.folder)
        clock = SandboxClock(SystemClock())
        sandbox: Sandbox = SANDBOXES[vendor](_kit(options, clock=clock, ledger=self._ledger(role, clock)))
        sandbox.kit.limiter.adopt(sandbox.limits())
        return sandbox

    def _ledger(self, role: str, clock: SandboxClock) -> EffectLedger:
        return EffectLedger(self.folder, role, now=clock.now)

    def move(self, folder: Path) -> None:
        self.folder = folder
        for one in self.vendors.values():
            msgspec.structs.force_setattr(one.kit, "ledger", self._ledger(one.system, one.kit.clock))

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[None]:
        """Serve all four, and write down where, as the launcher does."""
        async with AsyncExitStack() as stack:
            urls = {vendor: await self._serve(stack, one) for vendor, one in self.vendors.items()}
            states.write_private(self.folder / "sandboxes.json", urls)
            yield

    async def _serve(self, stack: AsyncExitStack, sandbox: Sandbox) -> str:
        app = web.Application(client_max_size=sandbox.max_body_bytes)
        pipeline = Pipeline(sandbox)
        AdminDoor(sandbox, pipeline, token=states.command_token(self.folder)).add_to(app)
        pipeline.add_to(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, HOST, 0).start()
        return f"http://{HOST}:{runner.addresses[0][1]}"

    def held(self) -> dict[str, Any]:
        """What every system holds, in canonical words."""
        return {one.system: one.dump() for one in self.vendors.values()}


def applied(folder: Path) -> list[dict[str, Any]]:
    """Every line of the systems' ledgers, in each system's order."""
    files = sorted((folder / "ledger").glob("*.jsonl"))
    return [{**json.loads(line), "system": file.stem} for file in files for line in file.read_text().splitlines()]
