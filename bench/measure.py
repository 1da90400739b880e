"""Reads what a process used: CPU, memory, bytes written; and sums up many readings."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")


def family_of(pid: int) -> list[int]:
    """A process and everything it started that still runs."""
    try:
        parent = psutil.Process(pid)
        return [pid, *(child.pid for child in parent.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def cpu_s(pid: int) -> float:
    """CPU of a process and everything it started, those that ended included."""
    total = 0.0
    for one in family_of(pid):
        fields = _stat(one)
        # own user and system time, and that of children that ended
        total += sum(map(int, fields[11:15])) if fields else 0
    return total / _TICKS


def main_thread_cpu_s(pid: int) -> float:
    """CPU of a process's first thread, which in Python is the one that runs the event loop."""
    fields = _stat(f"{pid}/task/{pid}")
    return sum(map(int, fields[11:13])) / _TICKS if fields else 0.0


def _stat(process: int | str) -> list[str]:
    """The fields of /proc/<pid>/stat after the name; none where the process is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def peak_rss_mb(pid: int) -> float:
    """Peak resident memory of a process and everything it started, added up."""
    return sum(_status_kb(one, "VmHWM:") for one in family_of(pid)) / 1024


def rss_mb(pid: int) -> float:
    """Resident memory of one process now."""
    return _status_kb(pid, "VmRSS:") / 1024


def _status_kb(pid: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def written_bytes(pid: int) -> int:
    """What a process and everything it started caused to be written to storage so far."""
    total = 0
    for one in family_of(pid):
        try:
            text = Path(f"/proc/{one}/io").read_text(encoding="ascii")
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("write_bytes:"))
    return total


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest, by rank; empty for no values."""
    if not values:
        return {}
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {"p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(ordered[-1], 3)}


def flat(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Every number of a nested record, by dotted name."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + name] = value
    return found


def summed_up(rounds: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Median, smallest and largest of every figure that all rounds have."""
    each = [flat(one) for one in rounds]
    names = [name for name in (each[0] if each else {}) if all(name in one for one in each)]
    return {
        name: {
            "median": round(median(one[name] for one in each), 4),
            "min": round(min(one[name] for one in each), 4),
            "max": round(max(one[name] for one in each), 4),
        }
        for name in names
    }
