"""How long it takes from the start of the process to the first webhook that is accepted."""

import asyncio
import subprocess
import sys
import time
from statistics import median
from typing import Any

from accordant.kernel.settings import child_environment
from bench.control import ROOT
from bench.ground import Ground
from bench.parts.acknowledge import SECRET
from bench.platform import Measured
from bench.webhooks import Sender, signed_request

_GIVE_UP_S = 60


async def measure(ground: Ground) -> dict[str, Any]:
    """A new state folder and one that has records, `accordant worker` and `accordant up --no-sandboxes`."""
    found: dict[str, Any] = {}
    for kind in ("sqlite", "postgresql"):
        found[f"{kind}_worker_new"] = await _times(ground, kind, ["worker"], is_new=True)
        found[f"{kind}_worker_again"] = await _times(ground, kind, ["worker"], is_new=False)
    found["sqlite_up_again"] = await _times(ground, "sqlite", ["up", "--no-sandboxes"], is_new=False)
    return found


async def _times(ground: Ground, kind: str, verb: list[str], *, is_new: bool) -> dict[str, float]:
    times: list[float] = []
    for _ in range(ground.sizes.startups):
        platform = ground.seeds.empty(kind) if is_new else ground.seeds.copy(kind)
        try:
            times.append(await _time(platform, verb))
        finally:
            ground.seeds.remove(platform)
    return {"median_s": round(median(times), 3), "min_s": round(min(times), 3), "max_s": round(max(times), 3)}


async def _time(platform: Measured, verb: list[str]) -> float:
    port = int(platform.url.rpartition(":")[2])
    arguments = [*verb, "--state", str(platform.state), "--port", str(port)]
    environment = {"ACCORDANT_DATABASE_URL": platform.database.url.render_as_string(hide_password=False)}
    command = [sys.executable, "-m", "accordant.experience.cli.main", *arguments]
    with (platform.state / "platform.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs yet
            command, cwd=ROOT, stdout=log, stderr=log, env=child_environment(**environment)
        )
    try:
        await _first_accepted(port, process)
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


async def _first_accepted(port: int, process: "subprocess.Popen[bytes]") -> None:
    loop = asyncio.get_running_loop()
    request = signed_request(1, path="/hooks/stripe", secret=SECRET, at_s=int(time.time()))
    give_up_at = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            transport, sender = await loop.create_connection(Sender, "127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.002)
            continue
        status = await asyncio.wait_for(sender.send(request), 10)
        transport.close()
        if status == b"202":
            return
        raise ValueError(f"the first webhook was answered {status.decode()}")
    raise TimeoutError(f"no webhook was accepted; the process {'runs' if process.poll() is None else 'ended'}")
