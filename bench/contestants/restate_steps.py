"""Restate: its own server, its Python SDK, a handler whose steps are journalled, 64 invocations at a time.

`options.server` is the path of restate-server; `options.folder` where it keeps its state; `options.web` is `granian`
or `hypercorn`, the servers that the SDK's manual names. Every invocation comes through the ingress and is waited for.
"""

import asyncio
import os
import subprocess
import sys
import time
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import restate
import uvloop

from bench.contestants.work import STEPS, Caller, Deal, Spec, await_go, events, finish, open_session, spec_of, validated

INGRESS, ADMIN, NODE, SERVICE = 18080, 19070, 15122, 19080
_here: dict[str, Any] = {}
bench = restate.Service("bench")


def caller() -> Caller:
    if not _here:
        _here["session"] = open_session(int(os.environ["BENCH_IN_FLIGHT"]))
        _here["caller"] = Caller(os.environ["BENCH_URL"], _here["session"])
    return _here["caller"]


@bench.handler()
async def won(ctx: restate.Context, event: dict[str, str]) -> str:
    """Five journalled steps: validation and the four calls."""

    async def validate() -> dict[str, Any]:
        return msgspec.to_builtins(validated(event["body"].encode()))

    deal = msgspec.convert(await ctx.run_typed("validate", validate), Deal)

    for step in STEPS:

        async def call(step: str = step) -> str:
            return await caller().call(step, deal)

        await ctx.run_typed(step, call, restate.RunOptions(max_duration=timedelta(seconds=30)))
    return deal.Id


app = restate.app([bench])


def _server(spec: Spec) -> "subprocess.Popen[bytes]":
    """The server with its own defaults, one node; only addresses and the folder are given."""
    environment = {
        **os.environ,
        "RESTATE_BASE_DIR": spec.options["folder"],
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{INGRESS}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{ADMIN}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{NODE}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{NODE}",
        "RESTATE_LOG_FILTER": "error",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    log = Path(spec.options["folder"]).with_suffix(".log").open("ab")
    return subprocess.Popen([spec.options["server"]], env=environment, stdout=log, stderr=log)


def _service(spec: Spec) -> "subprocess.Popen[bytes]":
    """The handler behind the web server, where the SDK wants HTTP/2 without TLS."""
    bind = f"127.0.0.1:{SERVICE}"
    module = "bench.contestants.restate_steps:app"
    if spec.options["web"] == "granian":
        tail = ["--interface", "asginl", "--http", "2", "--loop", "uvloop", "--port", str(SERVICE), module]
        command = [sys.executable, "-m", "granian", "--workers", "1", "--no-access-log", *tail]
    else:
        command = [sys.executable, "-m", "hypercorn", "--worker-class", "uvloop", "--bind", bind, module]
    environment = {**os.environ, "BENCH_URL": spec.url, "BENCH_IN_FLIGHT": str(spec.in_flight)}
    log = Path(spec.options["folder"]).with_suffix(".log").open("ab")
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _register() -> None:
    """Tell the server where the handler is, as soon as both are up."""
    body = msgspec.json.encode({"uri": f"http://127.0.0.1:{SERVICE}"})
    give_up_at = time.monotonic() + 60
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", ADMIN, timeout=10)
            connection.request("POST", "/deployments", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status < 300:
                return
        except OSError as later:
            said = str(later).encode()
        if time.monotonic() > give_up_at:
            raise SystemExit(f"the deployment was not taken: {said[:300]!r}")
        time.sleep(0.2)


async def _invoke(spec: Spec, bodies: list[bytes], session: aiohttp.ClientSession) -> list[float]:
    waiting = iter(bodies)
    latencies_ms: list[float] = []

    async def work() -> None:
        for body in waiting:
            at = time.perf_counter()
            url = f"http://127.0.0.1:{INGRESS}/bench/won"
            async with session.post(url, json={"body": body.decode()}) as answer:
                said = await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{answer.status}: {said[:200]!r}")
            latencies_ms.append((time.perf_counter() - at) * 1000)

    await asyncio.gather(*(work() for _ in range(spec.in_flight)))
    return latencies_ms


async def _main(spec: Spec) -> None:
    server, service = _server(spec), _service(spec)
    try:
        await asyncio.to_thread(_register)
        async with open_session(spec.in_flight) as session:
            await_go()
            began = time.perf_counter()
            latencies_ms = await _invoke(spec, events(spec), session)
            finish(began, latencies_ms)
    finally:
        for one in (service, server):
            one.terminate()
            one.wait()


if __name__ == "__main__":
    uvloop.run(_main(spec_of(sys.argv)))
