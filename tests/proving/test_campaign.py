"""The campaign goes on where it stopped, forgets nothing, and reports what was measured and nothing else."""

import json
from collections import Counter
from pathlib import Path

import pytest

from accordant.kernel.clock import ManualClock
from accordant.proving.campaign import Campaign, Outcome, Part, PartResult, extra_figures, fingerprint
from accordant.proving.campaign_report import page_of, results_of

PASSED = Outcome(state="passed")


class Tried:
    """Fake parts that count how often they ran."""

    def __init__(self, tmp_path: Path) -> None:
        self.ran: Counter[str] = Counter()
        self.code = tmp_path / "code.py"
        self.code.write_text("one")
        self.folder = tmp_path / "state"
        self.said: list[str] = []

    def part(self, name: str, outcome: Outcome = PASSED) -> Part:
        def run(extra: Path, budget_s: float) -> Outcome:
            self.ran[name] += 1
            (extra / "more.json").write_text(json.dumps({"part": "mutants", "figures": {"planted": 15, "caught": 15}}))
            return outcome

        return Part(name=name, budget_s=60, run=run, looks_at=(self.code,))

    def run(self, *parts: Part, again: bool = False) -> list[PartResult]:
        campaign = Campaign(self.folder, clock=ManualClock(), commit="abc", say=self.said.append)
        return campaign.run(parts, again=again, side_by_side=2)


@pytest.fixture
def tried(tmp_path: Path) -> Tried:
    return Tried(tmp_path)


def test_what_passed_stands_and_what_failed_runs_again(tried: Tried) -> None:
    parts = (tried.part("good"), tried.part("bad", Outcome(state="failed", said="boom")))
    tried.run(*parts)
    results = tried.run(*parts)
    assert tried.ran == {"good": 1, "bad": 2}
    assert [one.state for one in results] == ["passed", "failed"]
    assert results[1].said == "boom"


def test_changed_code_runs_again(tried: Tried) -> None:
    tried.run(tried.part("good"))
    tried.code.write_text("two")
    tried.run(tried.part("good"))
    assert tried.ran["good"] == 2


def test_asked_for_again_runs_again(tried: Tried) -> None:
    tried.run(tried.part("good"))
    tried.run(tried.part("good"), again=True)
    assert tried.ran["good"] == 2


def test_a_part_without_tests_is_absent_and_is_tried_again(tried: Tried) -> None:
    absent = tried.part("kills", Outcome(state="absent"))
    (result,) = tried.run(absent)
    tried.run(absent)
    assert result.state == "absent"
    assert tried.ran["kills"] == 2


def test_a_stopped_campaign_keeps_the_parts_that_were_done(tried: Tried) -> None:
    def stopped(extra: Path, budget_s: float) -> Outcome:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tried.run(tried.part("good"), Part(name="late", budget_s=60, run=stopped, looks_at=()))
    results = tried.run(tried.part("good"), tried.part("late"))
    assert [one.state for one in results] == ["passed", "passed"]
    assert tried.ran == {"good": 1, "late": 1}


def test_figures_that_tests_left_are_kept_and_those_of_the_last_run_are_not_mixed_in(tried: Tried) -> None:
    left = tried.folder / "figures" / "good"
    left.mkdir(parents=True)
    (left / "old.json").write_text('{"part": "old", "figures": {}}')
    (result,) = tried.run(tried.part("good"))
    assert result.figures == {"mutants": {"planted": 15, "caught": 15}}


def test_extra_figures_go_by_the_name_they_gave(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"part": "simulation", "figures": {"seeds": 20000}}')
    assert extra_figures(tmp_path) == {"simulation": {"seeds": 20000}}


def test_a_fingerprint_knows_every_byte_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.py").write_text("x")
    before = fingerprint([tmp_path])
    assert fingerprint([tmp_path]) == before
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "one.pyc").write_text("x")
    assert fingerprint([tmp_path]) == before
    (tmp_path / "a" / "one.py").write_text("y")
    assert fingerprint([tmp_path]) != before


DRILL = {
    "holds": True,
    "verdict": "The promises held.",
    "rules": [{"rule": "lost", "judged": 1200, "violations": 0}, {"rule": "stale", "judged": 7, "violations": 1}],
    "findings": [],
    "seed": 5,
    "transactions": 10_000,
    "kills": 300,
    "restarts": 301,
    "cold_starts": 15,
    "kills_during_recovery": 40,
    "kill_places": {"anywhere": 200, "inbox.keep:after": 100},
    "pauses": 9,
    "outages": 8,
    "ambiguities": 700,
    "faults": {"slow": 5},
    "deliveries": {"ok": 3, "failed": 2, "unknown": 1},
    "effects_redriven": 11,
    "resume_s": {"median": 0.7, "longest": 2.1},
    "rest_s": 12.5,
    "disturbed_s": 800.0,
    "durability": "SQLite, WAL",
    "versions": {"accordant": "0.1.0"},
}


def test_the_report_sums_rules_over_drills_and_names_what_did_not_run(tried: Tried) -> None:
    parts = [
        tried.part("transactions-sqlite", Outcome(state="passed", figures=DRILL)),
        tried.part("transactions-postgresql", Outcome(state="passed", figures=DRILL)),
        tried.part("kills", Outcome(state="absent")),
    ]
    results = results_of(tried.run(*parts), names=[*(part.name for part in parts), "mutants"])
    assert results["rules"]["lost"] == {"judged": 2400, "violations": 0}
    assert results["rules"]["stale"]["violations"] == 2
    assert (results["kills"], results["transactions"]) == (600, 20_000)
    assert results["mutants"] == {"planted": 15, "caught": 15}
    assert results["parts"]["mutants"] == {"state": "not run"}
    page = page_of(results)
    assert "| mutants | not run |" in page
    assert "| kills | no such tests yet |" in page
    assert "| stale | 14 | 2 |" in page
    assert "0.7 s, 2.1 s" in page


def test_a_report_before_any_part_says_that_nothing_was_judged() -> None:
    page = page_of(results_of([], names=["kills"]))
    assert "No drill has been judged yet." in page
    assert "passed" not in page
