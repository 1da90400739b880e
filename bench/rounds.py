"""One turn of one contestant: started, told to begin, watched, and checked against what the stub counted."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

import msgspec

from bench.control import ROOT, StubProcess, require_four_calls
from bench.measure import cpu_s, main_thread_cpu_s, peak_rss_mb, percentiles, written_bytes

_TURN_S = 600
Figures = dict[str, Any]


class Watch:
    """Readings of a process and of the stub, taken before and after."""

    def __init__(self, pid: int, stub: StubProcess) -> None:
        self._pid, self._stub = pid, stub
        self._cpu_s, self._written = cpu_s(pid), written_bytes(pid)
        self._main_cpu_s = main_thread_cpu_s(pid)
        self._stub_cpu_s = stub.ask()["cpu_s"]

    def figures(self, n: int, wall_s: float) -> Figures:
        """What each transaction cost since the watch began."""
        stub_cpu_s = self._stub.ask()["cpu_s"] - self._stub_cpu_s
        return {
            "n": n,
            "wall_s": round(wall_s, 3),
            "tx_per_s": round(n / wall_s, 1),
            "cpu_ms_per_tx": round((cpu_s(self._pid) - self._cpu_s) / n * 1000, 4),
            "main_thread_cpu_ms_per_tx": round((main_thread_cpu_s(self._pid) - self._main_cpu_s) / n * 1000, 4),
            "written_bytes_per_tx": round((written_bytes(self._pid) - self._written) / n),
            "peak_rss_mb": round(peak_rss_mb(self._pid), 1),
            "stub_busy_share": round(stub_cpu_s / wall_s, 3),
        }


def program_turn(command: list[str], spec: Figures, *, stub: StubProcess, log: Path) -> Figures:
    """Run a contestant that is a program of its own; see `contestants/work.py` for what it is told and says."""
    stub.ask(zero=True)
    encoded = msgspec.json.encode({"url": stub.url, **spec}).decode()
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*command, encoded],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    give_up = threading.Timer(_TURN_S, _end, (process,))
    give_up.start()
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        _until_ready(process, log)
        watch = Watch(process.pid, stub)
        process.stdin.write(b"go\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[-1]} ended in the middle; see {log}")
        said = msgspec.json.decode(line)
        figures = watch.figures(spec["n"], said["wall_s"])
        require_four_calls(stub.ask()["counts"], spec["n"])
    finally:
        give_up.cancel()
        _end(process)
    latency = percentiles(said.pop("latencies_ms"))
    commits = {"commits_per_tx": round(said["commits"] / spec["n"], 4)} if "commits" in said else {}
    return {**figures, "latency_ms": latency, **commits}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop it and everything it started: they share a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _until_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    assert process.stdout is not None
    while (line := process.stdout.readline()) != b"ready\n":
        if not line:
            raise RuntimeError(f"the contestant did not start; see {log}")


def per_transaction(before: dict[str, float], after: dict[str, float], n: int) -> Figures:
    """What the database server spent and wrote for each transaction."""
    each = {name: (after[name] - before[name]) / n for name in before}
    return {
        "server_cpu_ms_per_tx": round(each["cpu_s"] * 1000, 4),
        "server_log_bytes_per_tx": round(each["log_bytes"]),
        "database_bytes_per_tx": round(each["database_bytes"]),
        "server_write_transactions_per_tx": round(each["write_transactions"], 4),
        "server_transactions_per_tx": round(each["all_transactions"], 4),
    }


def eventually(read: Callable[[], Any], wanted: Any, *, within_s: float = 10) -> Any:
    """What is read once it is what was wanted, or at the end of the time."""
    for _ in range(round(within_s / 0.1)):
        if (found := read()) == wanted:
            return found
        sleep(0.1)
    return read()
