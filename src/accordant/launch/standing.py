"""The platform and its sandboxes, started together, watched together, stopped together."""

import asyncio
from pathlib import Path
from typing import Any

from accordant.kernel.errors import Unavailable
from accordant.launch import state as states
from accordant.launch.process import PlatformProcess
from accordant.launch.run import Plan
from accordant.launch.sandboxes import Sandboxes

_LOOK_EVERY_S = 0.5


class Standing:
    """Everything that `up` keeps running. Without a plan there are no sandboxes: connections name real systems."""

    def __init__(self, state: Path, *, database_url: str | None, port: int, plan: Plan | None) -> None:
        self.state = state
        self.plan = plan
        self.later: dict[str, list[dict[str, Any]]] = {}
        """Records that the CRM shows once the platform runs."""
        self.platform = PlatformProcess(state, database_url=database_url, port=port or states.free_port())
        self.sandboxes = Sandboxes(state, limits=plan.limits, seed=plan.seed) if plan else None

    async def start(self) -> None:
        """Start sandboxes, fill them, then the platform. Raises Unavailable when one of them does not start."""
        if self.plan is None:
            states.prepare(self.state)
        if self.plan is not None and self.sandboxes is not None:
            await self.sandboxes.start()
            await self.sandboxes.furnish(self.platform.url)
            await self.sandboxes.ask("crm", "POST", action="load", body=self.plan.records)
        await self.platform.start()
        if self.later and self.sandboxes is not None:
            await self.sandboxes.ask("crm", "POST", action="load", body=self.later)

    def addresses(self) -> list[tuple[str, str, str]]:
        """Connection, address and vendor of every sandbox."""
        running = self.sandboxes.running.values() if self.sandboxes else ()
        return [(one.name, one.url, one.vendor) for one in running]

    async def until(self, stop: asyncio.Event) -> None:
        """Wait. Raises Unavailable when a part ended by itself."""
        while not stop.is_set():
            self.platform.require_alive()
            for one in self.sandboxes.running.values() if self.sandboxes else ():
                if one.process.poll() is not None:
                    log = self.state / f"sandbox-{one.name}.log"
                    raise Unavailable(f"the {one.vendor} sandbox ended with {one.process.poll()}; see {log}")
            try:
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """The platform first, so that what is in hand can be finished."""
        self.platform.stop()
        if self.sandboxes is not None:
            self.sandboxes.stop()
