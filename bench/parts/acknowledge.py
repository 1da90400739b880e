"""What it costs to acknowledge a signed webhook that is stored first, beside a route that stores nothing."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import aiohttp

from accordant.launch.state import free_port
from accordant.wiring import VENDORS
from bench.control import ROOT
from bench.ground import Ground
from bench.measure import cpu_s, percentiles

SECRET = VENDORS["stripe"].sandbox_seed.webhook_secrets[0]
CONNECTIONS, PACE = 64, 200
_PATH = "/hooks/stripe"


async def measure(ground: Ground) -> dict[str, Any]:
    """The bare route, the door alone (nobody reads the inbox meanwhile), and the door with everything behind it."""
    bare = await _bare(ground)
    found: dict[str, Any] = {"bare": bare}
    for kind in ("sqlite", "postgresql"):
        for name, pump in (("door", "off"), ("whole", "on")):
            found[f"{kind}_{name}"] = await _product(ground, kind, pump=pump)
    return found


async def _bare(ground: Ground) -> dict[str, Any]:
    port = free_port()
    command = [sys.executable, "-m", "bench.contestants.bare_hook", str(port), SECRET]
    with ground.log.open("ab") as log:
        server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: ASYNC220 - nothing else runs yet
    try:
        await _until_open(port)
        return await _both(ground, port, server.pid)
    finally:
        server.kill()
        server.wait()


async def _product(ground: Ground, kind: str, *, pump: str) -> dict[str, Any]:
    ground.stub.ask(release=(ground.sizes.customers, 0, ground.sizes.customers))
    platform = ground.seeds.copy(kind, BENCH_PUMP=pump)
    try:
        await platform.start()
        before = platform.scalar("SELECT count(*) FROM inbox")
        found = await _both(ground, int(platform.url.rpartition(":")[2]), platform.pid)
        kept = platform.scalar("SELECT count(*) FROM inbox") - before
        if kept != found["sent"]:
            raise ValueError(f"{found['sent']} webhooks were acknowledged, {kept} are in the inbox")
        return found
    finally:
        ground.seeds.remove(platform)


async def _both(ground: Ground, port: int, pid: int) -> dict[str, Any]:
    """First as fast as they are taken, then 200 a second."""
    sizes = ground.sizes
    await _send(port, max(100, sizes.webhooks_n // 20), rate=0)  # the first requests load what is loaded once
    await asyncio.sleep(1.1)  # so that no event id is used twice
    before = cpu_s(pid)
    flood = await _send(port, sizes.webhooks_n, rate=0)
    cpu_ms = (cpu_s(pid) - before) / sizes.webhooks_n * 1000
    await asyncio.sleep(1.1)
    paced_n = PACE * sizes.webhooks_paced_s
    paced = await _send(port, paced_n, rate=PACE)
    return {
        "sent": max(100, sizes.webhooks_n // 20) + sizes.webhooks_n + paced_n,
        "per_s": round(sizes.webhooks_n / flood["wall_s"], 1),
        "cpu_ms_per_request": round(cpu_ms, 4),
        "flood_ms": percentiles(flood["latencies_ms"]),
        "at_200_per_s_ms": percentiles(paced["latencies_ms"]),
    }


async def _send(port: int, n: int, *, rate: float) -> dict[str, Any]:
    arguments = [str(port), _PATH, SECRET, str(n), str(CONNECTIONS), str(rate)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.webhooks", *arguments, cwd=ROOT, stdout=subprocess.PIPE, limit=1 << 27
    )
    out, _ = await process.communicate()
    said = json.loads(out)
    if said["refused"]:
        raise ValueError(f"{said['refused']} of {n} webhooks were refused")
    return said


async def _until_open(port: int) -> None:
    give_up_at = time.monotonic() + 20
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.post(f"http://127.0.0.1:{port}{_PATH}", data=b"{}"):
                    return
            except aiohttp.ClientError:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(0.02)
