"""The platform with one transaction at a time, from the delivery handed to the inbox to the commit that ends it.

    python -m bench.contestants.one_at_a_time SPEC        (options.state: the state folder)

The platform runs whole in this process: pollers, read-back and all. The next delivery is handed over when the one
before has ended.
"""

import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop

from accordant.backbone.inbox import Arrival
from accordant.kernel.settings import settings_for
from accordant.launch.interpreter import settle_allocator, settle_collector, settle_threads
from accordant.wiring import Platform
from bench.contestants.work import Spec, await_go, events, finish, spec_of
from bench.deals import deal_id


async def _main(spec: Spec) -> None:
    settings = settings_for(Path(spec.options["state"]), database_url=spec.database or None)
    platform = Platform(settings)
    await platform.start()
    ended = asyncio.Event()
    commit = platform.writer.commit

    async def told(changes: Any, *, at: str) -> Any:
        committed = await commit(changes, at=at)
        if at == "drive.end":
            ended.set()
        return committed

    platform.writer.commit = told
    bodies = events(spec)
    latencies_ms: list[float] = []
    settle_collector()
    await_go()
    began = perf_counter()
    for n, body in enumerate(bodies):
        ended.clear()
        delivery = f"{deal_id(spec.first + n)}@bench"
        arrival = Arrival(connection="salesforce", stream="Opportunity", delivery_id=delivery, body=body)
        at = perf_counter()
        await platform.inbox.keep([arrival])
        await asyncio.wait_for(ended.wait(), 30)
        latencies_ms.append((perf_counter() - at) * 1000)
    finish(began, latencies_ms)


if __name__ == "__main__":
    settle_allocator()
    settle_threads()
    uvloop.run(_main(spec_of(sys.argv)))
