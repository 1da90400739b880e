"""DBOS on PostgreSQL: a workflow of five steps, or of one, in two worker processes.

`options.steps` is 5 (validation and four calls, each a step) or 1 (the whole work in one step). `options.start` is
`queue` (enqueued, and taken by two workers) or `direct` (each worker starts its share itself, which saves DBOS the
queue). Tuned as its manual recommends: several workers, pool and threads of 8, polling every 0.1 s.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import Any

import aiohttp
import msgspec
import uvloop
from dbos import DBOS, DBOSConfig

from bench.contestants.work import STEPS, Caller, Deal, Spec, await_go, events, finish, open_session, spec_of, validated

WORKERS = 2
POOL = 8
_here: dict[str, Any] = {}


def caller() -> Caller:
    """The one of the loop on which steps run, whichever loop DBOS chose."""
    loop = asyncio.get_running_loop()
    if _here.get("loop") is not loop:
        _here["session"] = open_session(int(_here["in_flight"]))
        _here["caller"] = Caller(str(_here["url"]), _here["session"])
        _here["loop"] = loop
    return _here["caller"]


@DBOS.step()
async def validate(body: str) -> dict[str, Any]:
    return msgspec.to_builtins(validated(body.encode()))


@DBOS.step()
async def call(step: str, deal: dict[str, Any]) -> str:
    return await caller().call(step, msgspec.convert(deal, Deal))


@DBOS.step()
async def everything(body: str) -> list[str]:
    deal = validated(body.encode())
    return [await caller().call(step, deal) for step in STEPS]


@DBOS.workflow()
async def five_steps(body: str) -> None:
    deal = await validate(body)
    for step in STEPS:
        await call(step, deal)


@DBOS.workflow()
async def one_step(body: str) -> None:
    await everything(body)


def _launch(spec: Spec, worker: str) -> None:
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": spec.database,
        "sys_db_pool_size": POOL,
        "max_executor_threads": POOL,
        "application_version": "1",
        "executor_id": worker,
        "log_level": "ERROR",
        "enable_otlp": False,
        "notification_listener_polling_interval_sec": 0.1,
    }
    DBOS(config=config)
    DBOS.launch()


async def _share(spec: Spec, worker: int) -> None:
    """One worker process: its share of the events, started here or taken from the queue."""
    workflow = five_steps if spec.options["steps"] == 5 else one_step
    mine = [body.decode() for body in events(spec)[worker::WORKERS]]
    in_flight = max(1, spec.in_flight // WORKERS)
    _here.update(url=spec.url, in_flight=spec.in_flight)
    await asyncio.to_thread(_launch, spec, f"worker-{worker}")
    if spec.options["start"] == "queue":
        await DBOS.register_queue_async(
            "bench", worker_concurrency=in_flight, polling_interval_sec=0.1, on_conflict="always_update"
        )
    await_go()
    began = time.perf_counter()
    waiting, latencies_ms = iter(mine), []

    async def work() -> None:
        for body in waiting:
            at = time.perf_counter()
            if spec.options["start"] == "queue":
                handle = await DBOS.enqueue_workflow_async("bench", workflow, body)
            else:
                handle = await DBOS.start_workflow_async(workflow, body)
            await handle.get_result(polling_interval_sec=0.1)
            latencies_ms.append((time.perf_counter() - at) * 1000)

    # Twice as many are waited for as may run, so that the queue is never empty.
    hands = in_flight * 2 if spec.options["start"] == "queue" else in_flight
    await asyncio.gather(*(work() for _ in range(hands)))
    finish(began, latencies_ms)
    session: aiohttp.ClientSession | None = _here.get("session")
    if session is not None:
        await session.close()


def _lead(spec: Spec, encoded: str) -> None:
    """Start the workers, give the word, and add up what they say."""
    _here.update(url=spec.url, in_flight=spec.in_flight)
    _launch(spec, "lead")  # lays out the schema once
    DBOS.destroy()
    command = [sys.executable, "-m", "bench.contestants.dbos_steps", encoded]
    workers = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for n in range(WORKERS)
    ]
    for one in workers:
        assert one.stdout is not None
        while (line := one.stdout.readline()) != b"ready\n":
            if not line:
                raise SystemExit("a worker did not start")
    await_go()
    began = time.perf_counter()
    for one in workers:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    said: list[dict[str, Any]] = [{} for _ in workers]

    def listen(n: int) -> None:
        pipe = workers[n].stdout
        assert pipe is not None
        said[n] = json.loads(pipe.readline())

    threads = [threading.Thread(target=listen, args=(n,)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish(began, [latency for one in said for latency in one["latencies_ms"]])
    for one in workers:
        one.kill()
        one.wait()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        uvloop.run(_share(spec_of(sys.argv), int(sys.argv[2])))
    else:
        _lead(spec_of(sys.argv), sys.argv[1])
