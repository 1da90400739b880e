"""Writes docs/performance/report.md from the figures of one run: nothing in it is written by hand.

python -m bench.report        writes it again from bench/results/latest.json
"""

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.field import FIELD
from bench.ground import HERE

FOLDER = HERE.parent / "docs" / "performance"
_NOTES = HERE / "findings.md"
"""What was found by profiling, written by people; the report quotes it whole."""
_PLOTS = {
    "rates": "Transactions a second: median, smallest, largest",
    "cpu": "CPU of each transaction",
    "growth": "Cost while the database grows",
}
Results = dict[str, Any]


def write(results: Results, folder: Path = FOLDER) -> Path:
    """The report and its plots."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = _plots(results, folder)
    sections = [
        _head(results),
        _ratios(results),
        _contestants(results),
        *(f"![{_PLOTS[name]}]({name}.svg)" for name in plots),
        _voids(results),
        _slow(results),
        *_parts(results),
        _NOTES.read_text(encoding="utf-8").strip() if _NOTES.exists() else "",
        _how(results),
    ]
    file = folder / "report.md"
    file.write_text("\n\n".join(section for section in sections if section) + "\n", encoding="utf-8")
    return file


def _plots(results: Results, folder: Path) -> list[str]:
    """Names of the plots drawn; none where what draws them could not be set up."""
    python = HERE / ".env-report" / "bin" / "python"
    for name in _PLOTS:
        (folder / f"{name}.svg").unlink(missing_ok=True)
    if python.exists():
        figures = HERE / "results" / "drawn.json"
        figures.parent.mkdir(exist_ok=True)
        figures.write_text(json.dumps(results), encoding="utf-8")
        command = [str(python), "-m", "bench.plots", str(figures), str(folder)]
        subprocess.run(command, cwd=HERE.parent, check=False)
        figures.unlink()
    return [name for name in _PLOTS if (folder / f"{name}.svg").exists()]


def _head(results: Results) -> str:
    facts = results["machine"]
    rivals = ", ".join(f"{name} {pin}" for pins in facts["rivals"].values() for name, pin in pins.items())
    ours = ", ".join(f"{name} {pin}" for name, pin in facts["packages"].items())
    machine = f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gb']} GB, {facts['system']}"
    warning = (
        ""
        if results["kind"] == "full"
        else f"\n\n**This was a {results['kind']} run: fewer rounds and smaller sizes than the full one.**"
    )
    later = "".join(
        f"\n\n**Measured later, alone:** `{name}`, {one['at']}, commit {one['commit']}, load {one['load_before']}."
        for name, one in results.get("added", {}).items()
    )
    return (
        "# Performance\n\nWritten by `make bench`; every figure comes from one run, and every ratio from contestants "
        f"that took turns in it.{warning}{later}\n\n"
        + _table(
            ["what", "value"],
            [
                ["measured", f"{results['at']}, took {results['took_s'] // 60} min, commit {facts['commit']}"],
                [
                    "machine",
                    machine,
                ],
                ["load before", f"{facts['load_before']}"],
                ["one fdatasync", f"{facts['fsync_ms']} ms"],
                ["PostgreSQL", f"{facts['postgresql']}, defaults, fsync on, on this machine"],
                ["Python", facts["python"]],
                ["platform", ours],
                ["rivals", rivals],
            ],
        )
    )


def _ratios(results: Results) -> str:
    rows: list[list[str]] = []
    for name, one in results["ratio_details"].items():
        goal = "" if one["goal"] is None else f"{'at most' if one['at_most'] else 'at least'} {one['goal']:g}"
        value = "–" if one["value"] is None else f"{one['value']:g}"
        spread = f"{one['min']:g} … {one['max']:g}" if "min" in one else ""
        rows.append([f"`{name}`", value, spread, goal, one.get("verdict") or one.get("reason", "")])
    return "## Ratios\n\n" + _table(["ratio", "median", "spread", "goal", "verdict"], rows)


def _contestants(results: Results) -> str:
    header = "contestant, tx/s, min … max, CPU ms, server CPU ms, commits, bytes, p50 ms, p95 ms, p99 ms, peak MB"
    rows: list[list[str]] = []
    for one in FIELD:
        found = results["contestants"].get(one.name)
        if not found:
            why = results["missing"].get(one.name, "not in this run")
            rows.append([one.title, "–", why, *[""] * 8])
            continue
        rate = found["tx_per_s"]
        spread = f"{rate['min']:,.0f} … {rate['max']:,.0f}"
        commits = "commits_per_tx" if "commits_per_tx" in found else "server_write_transactions_per_tx"
        names = ("cpu_ms_per_tx", "server_cpu_ms_per_tx", commits, "database_bytes_per_tx")
        tail = [_median(found, f"latency_ms.{name}") for name in ("p50", "p95", "p99")]
        rows.append(
            [one.title, f"{rate['median']:,.0f}", spread]
            + [_median(found, name) for name in names]
            + [*tail, _median(found, "peak_rss_mb")]
        )
    busiest = max(
        (one["stub_busy_share"]["max"] for one in results["contestants"].values() if one and "stub_busy_share" in one),
        default=0,
    )
    return (
        "## One event, four calls\n\n"
        "Everybody reads the same event, validates it and makes the same four calls, 64 at a time. CPU, commits and "
        "bytes are for each transaction. The latency of a transaction is the time from its first call to its last "
        "commit, of a rival from start to end as its caller sees it. The platform reads its deals as pages of a poll, "
        "because the CRM sends no signed webhooks; the door for those is measured below. "
        f"The stub was busy for {busiest:.0%} of the time at most.\n\n" + _table(header.split(", "), rows)
    )


def _voids(results: Results) -> str:
    lines = [f"- round {n}: {one['void']}" for n, one in enumerate(results["rounds"], 1) if one["void"]]
    return "Rounds that do not count:\n\n" + "\n".join(lines) if lines else ""


def _slow(results: Results) -> str:
    slow = results["slow_vendors"]
    if not slow:
        return ""
    rows: list[list[str]] = []
    for in_flight in (64, 256):
        for name, one in slow[f"in_flight_{in_flight}"].items():
            if "missing" in one:
                rows.append([name, str(in_flight), "–", one["missing"][:120]])
            else:
                rows.append([name, str(in_flight), f"{one['tx_per_s']:,.0f}", f"{one['share_of_ceiling']:.0%}"])
    return (
        "## Vendors that take 50 ms\n\nFour calls of 50 ms each let no more than five transactions a second through "
        "for each one in flight; each connection of the platform makes 32 calls at a time at most.\n\n"
        + _table(["contestant", "in flight", "tx/s", "of what is possible"], rows)
    )


def _parts(results: Results) -> Iterable[str]:
    titles = {
        "capacity": "The stub alone",
        "latency": "One transaction at a time",
        "acknowledge": "Acknowledging a webhook",
        "startup": "From start to the first accepted webhook",
        "proof": "`accordant tx prove`",
        "entitlement": "May this customer ask for support? (goal: p95 at most 20 ms)",
        "burst": "A burst of ten times the usual",
        "backlog": "Memory with a backlog",
        "growth": "While the database grows",
    }
    for name, title in titles.items():
        if (part := results["parts"].get(name)) is not None:
            body = f"Missing: {part['missing']}" if "missing" in part else _nested(part)
            yield f"## {title}\n\n{body}"
    for name, why in results["absent"].items():
        yield f"## {name.replace('_', ' ').capitalize()}\n\nNot measured: {why}."


def _nested(part: dict[str, Any]) -> str:
    rows = [[name.replace("_", " "), f"{value:,}"] for name, value in _leaves(part, "")]
    return _table(["figure", "value"], rows)


def _leaves(value: Any, name: str) -> Iterable[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} · {key}" if name else key)
    elif isinstance(value, list):
        for n, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{name} · {n}")
    else:
        yield name, value


def _how(results: Results) -> str:
    flag = {"full": "", "quick": " QUICK=1"}.get(results["kind"], "")
    return (
        f"## To measure again\n\n```sh\nmake bench{flag}\n```\n\nEvery figure of every round is in "
        "`bench/results/latest.json`. What exactly is measured, and how the rivals are set up, is in `bench/README.md`."
    )


def _median(found: dict[str, Any], name: str) -> str:
    if name not in found:
        return ""
    value = found[name]["median"]
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    print(write(json.loads((HERE / "results" / "latest.json").read_text(encoding="utf-8"))))
