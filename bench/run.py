"""Measures everything and writes the report: `make bench`, or `make bench QUICK=1` for the same in a few minutes.

python -m bench.run [--quick | --tiny] [--only NAME,…] [--no-report]
python -m bench.run --add PART,…      measures these parts alone and puts them into the stored run, marked as later
"""

import argparse
import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench import machine, report
from bench.environments import RIVALS, set_up
from bench.ground import FULL, HERE, QUICK, TINY, Ground, Sizes, ground
from bench.parts import acknowledge, backlog, burst, capacity, entitlement, growth, latency, proof, startup
from bench.ratios import ratios_of
from bench.throughput import Rounds, play_rounds, play_slow_vendors

RESULTS = HERE / "results" / "latest.json"
PARTS = {
    "backlog": backlog.measure,
    "capacity": capacity.measure,
    "latency": latency.measure,
    "acknowledge": acknowledge.measure,
    "startup": startup.measure,
    "proof": proof.measure,
    "entitlement": entitlement.measure,
    "burst": burst.measure,
    "growth": growth.measure,
}
NO_TIMES = ("backlog",)
"""Parts that measure memory alone; they come first, and the machine settles meanwhile."""
ABSENT: dict[str, str] = {}
"""What the report cannot tell, and why."""
_BUSY_LOAD = 0.5


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


async def measure(on: Ground, only: list[str]) -> tuple[Rounds, dict[str, Any], dict[str, Any]]:
    """The rounds, the run with slow vendors, and the parts."""
    for kind in ("sqlite", "postgresql"):
        say(f"letting the platform open {on.sizes.customers} customers on {kind} ...")
        await on.seeds.grow(kind)
    contestants = [name for name in only if name not in PARTS and name != "slow"]
    wanted = [name for name in PARTS if not only or name in only]
    parts = {name: await _part(on, name, PARTS[name]) for name in wanted if name in NO_TIMES}
    rounds, slow = Rounds(), dict[str, Any]()
    if not only or contestants:
        rounds = await play_rounds(on, say, only=contestants)
    if not only or "slow" in only:
        slow = await play_slow_vendors(on, say)
    parts |= {name: await _part(on, name, PARTS[name]) for name in wanted if name not in NO_TIMES}
    return rounds, slow, parts


async def _part(on: Ground, name: str, part: Any) -> dict[str, Any]:
    say(f"{name} ...")
    on.stub.ask(delay_ms=0, zero=True)
    try:
        found = await part(on)
    except Exception as failed:  # noqa: BLE001 - one part's trouble is told, and the others go on
        say(f"{name} failed: {failed!r}")
        return {"missing": f"{type(failed).__name__}: {failed}"}
    say(f"{name}: {json.dumps(found)[:400]}")
    return found


def _results(kind: str, rounds: Rounds, slow: dict[str, Any], parts: dict[str, Any]) -> dict[str, Any]:
    detail = ratios_of(rounds, parts)
    return {
        "kind": kind,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ratios": {name: one["value"] for name, one in detail.items()},
        "ratio_details": detail,
        "contestants": rounds.summary(),
        "missing": rounds.missing,
        "rounds": [{"void": one.void, "figures": one.figures} for one in rounds.rounds],
        "slow_vendors": slow,
        "parts": parts,
        "absent": ABSENT,
    }


def added(stored: dict[str, Any], parts: dict[str, Any], *, facts: dict[str, Any]) -> dict[str, Any]:
    """The stored run with these parts in place of its own; what was measured together stays as it was."""
    later = ratios_of(Rounds(), parts)
    detail = stored["ratio_details"] | {name: one for name, one in later.items() if one.get("value") is not None}
    mark = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": facts["commit"]}
    return {
        **stored,
        "ratios": {name: one["value"] for name, one in detail.items()},
        "ratio_details": detail,
        "parts": stored["parts"] | parts,
        "absent": ABSENT,
        "added": stored.get("added", {}) | {name: {**mark, "load_before": facts["load_before"]} for name in parts},
    }


def main() -> int:
    arguments = _arguments()
    sizes: Sizes = TINY if arguments.tiny else QUICK if arguments.quick else FULL
    kind = "tiny" if arguments.tiny else "quick" if arguments.quick else "full"
    only = [name for name in (arguments.add or arguments.only).split(",") if name]
    if arguments.add and not (RESULTS.exists() and all(name in PARTS for name in only)):
        say(f"--add takes parts ({', '.join(PARTS)}) and a stored run in {RESULTS}")
        return 2
    problems = [problem for rival in (*RIVALS, "report") if (problem := set_up(rival, say))]
    for problem in problems:
        say(problem)
    began = time.monotonic()
    facts = machine.facts()
    if facts["load_before"] > _BUSY_LOAD:
        say(f"the machine is busy (load {facts['load_before']}): these figures will not be good for much")
    with ground(sizes) as on:
        facts["postgresql"] = on.server.version()
        rounds, slow, parts = asyncio.run(measure(on, only))
    if arguments.add:
        results = added(json.loads(RESULTS.read_text(encoding="utf-8")), parts, facts=facts)
    else:
        results = {**_results(kind, rounds, slow, parts), "machine": facts, "took_s": round(time.monotonic() - began)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(f"figures: {RESULTS}")
    if not arguments.no_report:
        folder = RESULTS.parent if arguments.tiny else report.FOLDER
        say(f"report: {report.write(results, folder)}")
    for name, one in results["ratio_details"].items():
        said = one.get("reason") or f"{one['verdict']}, goal {one['goal']}"
        say(f"{name:<40} {one['value']!s:>8}  {said}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller sizes")
    parser.add_argument("--tiny", action="store_true", help="only to see that everything runs; figures mean nothing")
    parser.add_argument("--only", default="", help="contestants, parts, or 'slow', separated by commas")
    parser.add_argument("--add", default="", help="parts to measure now and put into the stored run")
    parser.add_argument("--no-report", action="store_true", help="leave docs/performance as it is")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
