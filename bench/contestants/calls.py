"""The floor: the four calls alone, no durability, as fast as one Python process makes them."""

import asyncio
import sys
from time import perf_counter

import uvloop

from accordant.launch.interpreter import settle_allocator, settle_collector, settle_threads
from bench.contestants.work import STEPS, Caller, Spec, await_go, events, finish, open_session, spec_of, validated


async def _main(spec: Spec) -> None:
    waiting = iter(events(spec))
    latencies_ms: list[float] = []
    async with open_session(spec.in_flight) as session:
        caller = Caller(spec.url, session)

        async def work() -> None:
            for body in waiting:
                at = perf_counter()
                deal = validated(body)
                for step in STEPS:
                    await caller.call(step, deal)
                latencies_ms.append((perf_counter() - at) * 1000)

        settle_collector()
        await_go()
        began = perf_counter()
        await asyncio.gather(*(work() for _ in range(spec.in_flight)))
        finish(began, latencies_ms)


if __name__ == "__main__":
    settle_allocator()
    settle_threads()
    uvloop.run(_main(spec_of(sys.argv)))
