"""The checker is checked: every planted defect is found by the rule that must find it, and by running it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.campaign_figures import drop
from tests.faults.traced import WATCHED, Reader, door, ids, needs_strace
from tests.mutants.mutants import MUTANTS, Mutant, named
from tests.mutants.planting import Change, NotPlanted, changed

ROOT = Path(__file__).resolve().parents[2]
WORLDS = [one for one in MUTANTS if one.drill == "world"]
CLERKS = [one for one in MUTANTS if one.drill == "clerk"]
PLATFORMS = [one for one in MUTANTS if one.drill == "verify"]
TRACED = [one for one in MUTANTS if one.drill == "trace"]
VERIFY = ("-m", "accordant.experience.cli.main", "verify", "--seconds", "4", "--seed", "3", "--json")


def _environment(mutant: str) -> dict[str, str]:
    """The mutant is planted in every Python process that is started with this."""
    path = os.pathsep.join([str(ROOT / "tests" / "mutants" / "site"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "ACCORDANT_TEST_MUTANT": mutant}


def _caught(mutant: Mutant, how: dict[str, Any]) -> None:
    """Leave for the report what was planted and what found it."""
    figures = {"planted": 1, "caught": 1, mutant.name: {"rule": mutant.rule, **how}}
    drop(f"mutant-{MUTANTS.index(mutant)}", figures, part="mutants")


def _id(mutant: Mutant) -> str:
    return mutant.name.replace(" ", "-")


def test_at_least_fifteen_are_planted_and_each_names_its_rule() -> None:
    assert len(MUTANTS) >= 15
    assert len({one.name for one in MUTANTS}) == len(MUTANTS)
    assert len({one.rule for one in MUTANTS}) >= 8


@pytest.mark.parametrize("mutant", MUTANTS, ids=_id)
def test_its_passage_is_in_the_source(mutant: Mutant) -> None:
    for module in {one.module for one in mutant.changes}:
        path = ROOT / "src" / (module.replace(".", "/") + ".py")
        mine = [one for one in mutant.changes if one.module == module]
        compile(changed(path.read_text(encoding="utf-8"), mine), str(path), "exec")


def test_a_passage_that_is_gone_is_said() -> None:
    with pytest.raises(NotPlanted, match="holds 0 times"):
        changed("x = 1\n", [Change("m", "y = 1", "y = 2")])
    with pytest.raises(NotPlanted, match="holds 2 times"):
        changed("x = 1\nx = 1\n", [Change("m", "x = 1", "x = 2")])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", WORLDS, ids=_id)
def test_its_rule_finds_it_in_a_simulated_world(mutant: Mutant) -> None:
    played = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.mutants.play", mutant.name],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
    )
    assert played.returncode == 0, played.stderr[-2000:]
    told = json.loads(played.stdout)
    assert told["seed"] is not None, f"no seed shows it by {mutant.rule!r}; other rules said {told['others']}"
    _caught(mutant, {"seed": told["seed"], "finding": told["finding"]})


@pytest.mark.parametrize("mutant", CLERKS, ids=_id)
def test_its_rule_finds_it_in_the_books_of_the_clerk(mutant: Mutant, tmp_path: Path) -> None:
    # A folder of its own: pytest closes the usual one to others, and this session's PostgreSQL is such another.
    own = f"--basetemp={tmp_path / 'inner'}"
    node = "tests/stateful/test_found.py::test_what_somebody_else_had_written_is_never_taken_back"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", own, node],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=_environment(mutant.name),
        timeout=120,
    )
    said = [line for line in ran.stdout.splitlines() if line.startswith("E ") and mutant.rule in line]
    assert ran.returncode == 1, ran.stdout[-2000:]
    assert said, ran.stdout[-2000:]
    _caught(mutant, {"finding": said[0].strip("E ")})


@pytest.mark.campaign
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", PLATFORMS, ids=_id)
def test_its_rule_finds_it_in_the_whole_platform(mutant: Mutant, tmp_path: Path) -> None:
    """The same command that users run against their own machine."""
    ran = subprocess.run(
        [sys.executable, *VERIFY, "--state", str(tmp_path / "evidence")],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_environment(mutant.name),
        timeout=280,
    )
    assert ran.returncode == 1, ran.stderr[-2000:]
    told = json.loads(ran.stdout)
    violations = {one["rule"]: one["violations"] for one in told["rules"]}
    assert violations[mutant.rule] > 0, violations
    # Findings are told up to a number in all; another rule may have used them up.
    finding = next((one["what"] for one in told["findings"] if one["rule"] == mutant.rule), told["verdict"])
    _caught(mutant, {"finding": finding})


@needs_strace
@pytest.mark.campaign
@pytest.mark.kills
@pytest.mark.parametrize("mutant", TRACED, ids=_id)
def test_its_system_calls_give_it_away(mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _environment(mutant.name).items():
        monkeypatch.setenv(name, value)

    async def run() -> None:
        async with door(tmp_path) as one:
            trace = one.state / "trace"
            await one.start("--seccomp-bpf", "-y", "-s", "5000", "-e", f"trace={WATCHED}", "-o", str(trace))
            await one.deliver(ids(0, 10))
            assert one.statuses() == {202}
            await one.stop()
            assert Reader(one.wal, trace).read().unproven == one.acknowledged

    asyncio.run(run())
    _caught(mutant, {"finding": "answered before the disk was asked to make it durable"})


def test_a_mutant_is_found_by_its_name() -> None:
    assert named(MUTANTS[0].name) is MUTANTS[0]
