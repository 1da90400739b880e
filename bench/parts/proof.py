"""How long `accordant tx prove` takes, from the shell."""

import subprocess
import sys
import time
from statistics import median
from typing import Any

from accordant.kernel.settings import child_environment
from bench.control import ROOT
from bench.ground import Ground

_TIMES = 5


async def measure(ground: Ground) -> dict[str, Any]:
    """On both databases, for a transaction that was read back, with the audit chain of all of them."""
    found: dict[str, Any] = {}
    for kind in ("sqlite", "postgresql"):
        platform = ground.seeds.copy(kind)
        try:
            url = platform.database.url.render_as_string(hide_password=False)
            transactions = platform.scalar("SELECT count(*) FROM business_transaction")
            entries = platform.scalar("SELECT count(*) FROM audit")
            times = [_prove(str(platform.state), url) for _ in range(_TIMES)]
        finally:
            ground.seeds.remove(platform)
        found[kind] = {"median_s": round(median(times), 3), "transactions": transactions, "audit_entries": entries}
    return found


def _prove(state: str, url: str) -> float:
    command = [sys.executable, "-m", "accordant.experience.cli.main", "tx", "prove", "D-00000001", "--state", state]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, check=False, env=child_environment(ACCORDANT_DATABASE_URL=url)
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"not proven: {done.stdout[-400:].decode()} {done.stderr[-400:].decode()}")
    return took
