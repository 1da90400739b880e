"""What it was measured on: processor, memory, disk, versions, and how busy the machine was."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.ground import HERE

_OURS = ("accordant", "aiohttp", "uvloop", "msgspec", "sqlalchemy", "psycopg", "uvicorn")
_RIVALS = {"dbos": ("dbos",), "restate": ("restate-sdk", "hypercorn"), "procrastinate": ("procrastinate",)}


def facts() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "load_before": round(os.getloadavg()[0], 2),
        "fsync_ms": _fsync_ms(),
        "commit": _commit(),
        "packages": {name: _version(name) for name in _OURS},
        "rivals": {rival: _pins(rival, names) for rival, names in _RIVALS.items()},
    }


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return next((line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line), "unknown")


def _fsync_ms() -> float:
    """What a commit costs at the least: 4 KiB appended and synchronised, in the middle of fifty."""
    times: list[float] = []
    with tempfile.NamedTemporaryFile(dir=HERE) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return round(median(times), 3)


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _pins(rival: str, names: tuple[str, ...]) -> dict[str, str]:
    lines = (HERE / "rivals" / rival / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return {name: pins.get(name) or pins.get(name.capitalize(), "unknown") for name in names}
