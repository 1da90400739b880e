"""A queue users know: procrastinate on PostgreSQL, five tasks one after the other, each deferring the next.

Eight workers in one process, since each fetches one task at a time, and 64 tasks in hand. A chain of tasks gives no
more than at-least-once for each call, and nothing that shows the whole; it is here because many would build it.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec
import procrastinate
import uvloop

from bench.contestants.work import STEPS, Caller, Deal, Spec, await_go, events, finish, open_session, spec_of, validated

WORKERS = 8
_here: dict[str, Any] = {"done": 0, "latencies_ms": [], "began": {}}
app = procrastinate.App(connector=procrastinate.PsycopgConnector())


@app.task(name="validate")
async def validate(body: str) -> None:
    deal = msgspec.to_builtins(validated(body.encode()))
    _here["began"][deal["Id"]] = time.perf_counter()
    await call.defer_async(deal=deal, n=0)


@app.task(name="call")
async def call(deal: dict[str, Any], n: int) -> None:
    await _here["caller"].call(STEPS[n], msgspec.convert(deal, Deal))
    if n + 1 < len(STEPS):
        await call.defer_async(deal=deal, n=n + 1)
        return
    _here["latencies_ms"].append((time.perf_counter() - _here["began"].pop(deal["Id"])) * 1000)
    _here["done"] += 1
    if _here["done"] == _here["n"]:
        _here["all"].set()


async def _main(spec: Spec) -> None:
    connector = procrastinate.PsycopgConnector(conninfo=spec.database, min_size=4, max_size=32)
    with app.replace_connector(connector) as ours:
        async with ours.open_async(), open_session(spec.in_flight) as session:
            await ours.schema_manager.apply_schema_async()
            _here.update(caller=Caller(spec.url, session), n=spec.n, all=asyncio.Event())
            bodies = [body.decode() for body in events(spec)]
            each = max(1, spec.in_flight // WORKERS)
            workers = [
                asyncio.create_task(ours.run_worker_async(concurrency=each, install_signal_handlers=False, wait=True))
                for _ in range(WORKERS)
            ]
            await_go()
            began = time.perf_counter()
            for start in range(0, len(bodies), 500):
                await validate.batch_defer_async(*({"body": body} for body in bodies[start : start + 500]))
            await _here["all"].wait()
            finish(began, _here["latencies_ms"])
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(_main(spec_of(sys.argv)))
