"""The harness counts right: calls, rows, percentiles, rounds that do not count, and ratios that are never made up."""

import sys
from pathlib import Path
from typing import Any

import pytest
from bench.control import StubProcess, require_four_calls
from bench.deals import account_name, deal_row
from bench.field import FIELD
from bench.measure import percentiles, summed_up
from bench.product_turn import TABLES, require_rows
from bench.ratios import GOALS, ratios_of
from bench.rounds import program_turn
from bench.run import added
from bench.throughput import Round, Rounds, expected_shares, void_because

from bench import report

NAMED_BY_THE_ISSUE = {
    "product_sqlite_vs_calls",
    "product_postgresql_vs_calls",
    "product_sqlite_vs_group_commit",
    "product_vs_dbos_five_steps",
    "product_vs_dbos_one_step",
    "product_vs_restate",
    "latency_p50_vs_hand_loop",
    "webhook_ack_vs_bare",
    "cost_at_million_vs_ten_thousand",
}


def test_a_missing_and_a_repeated_call_are_both_refused() -> None:
    right = {"billing": 3, "erp": 3, "support": 3, "crm": 3, "read back": 9}
    require_four_calls(right, 3)
    for wrong in ({**right, "erp": 2}, {**right, "crm": 4}):
        with pytest.raises(ValueError, match="3 transactions"):
            require_four_calls(wrong, 3)


def test_rows_are_counted_for_each_transaction() -> None:
    before: dict[str, int] = dict.fromkeys(TABLES, 10)
    left = {"inbox": 1, "event": 1, "business_transaction": 1, "effect": 4, "memo": 7, "audit": 13, "record": 3}
    after = {name: 10 + 5 * left.get(name, 1) for name in TABLES}
    assert require_rows(before, after, 5)["effect"] == 4
    for table, number in (("effect", 29), ("inbox", 14), ("memo", 46)):
        with pytest.raises(ValueError, match="5 transactions left"):
            require_rows(before, {**after, table: number}, 5)


def test_percentiles_are_by_rank() -> None:
    assert percentiles([float(n) for n in range(100, 0, -1)]) == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}
    assert percentiles([]) == {}


def test_rounds_are_summed_up_by_median_with_their_spread() -> None:
    found = summed_up([{"a": 1, "b": {"c": 5}}, {"a": 9, "b": {"c": 5}}, {"a": 2, "b": {"c": 6}}])
    assert found["a"] == {"median": 2, "min": 1, "max": 9}
    assert found["b.c"]["max"] == 6


def test_accounts_have_names_of_their_own_and_rows_are_the_same_every_time() -> None:
    assert len({account_name(n).lower() for n in range(20_000)}) == 20_000
    assert deal_row(7, customers=5) == deal_row(7, customers=5)
    assert deal_row(7, customers=5) != deal_row(7, customers=5, corrected_at=9)


def rates(**given: float) -> dict[str, dict[str, Any]]:
    return {name: {"tx_per_s": rate} for name, rate in given.items()}


def test_a_rival_far_below_what_is_known_of_it_voids_the_round() -> None:
    expected = expected_shares()
    known = rates(calls=3000, dbos_five_steps=80, dbos_one_step=240, restate=300)
    assert not void_because(known, expected)
    for rival in expected:
        assert rival in void_because({**known, **rates(**{rival: 10})}, expected)
    assert not void_because(rates(calls=3000), expected), "a rival that is missing voids nothing"
    assert void_because(rates(restate=300), expected), "without the floor nothing can be judged"


def test_ratios_come_from_rounds_that_count_and_pair_figures_of_one_round() -> None:
    rounds = Rounds(
        rounds=[
            Round(figures=rates(calls=3000, product_sqlite=1500)),
            Round(figures=rates(calls=1000, product_sqlite=400)),
            Round(figures=rates(calls=3000, product_sqlite=30), void="disturbed"),
        ]
    )
    found = ratios_of(rounds, {})["product_sqlite_vs_calls"]
    assert (found["value"], found["min"], found["max"], found["rounds"]) == (0.45, 0.4, 0.5, 2)
    assert found["verdict"] == "within the limit"


def test_every_ratio_is_there_and_null_with_a_reason_where_something_is_missing() -> None:
    rounds = Rounds(rounds=[Round(figures=rates(calls=3000))], missing={"restate": "no npm registry"})
    found = ratios_of(rounds, {"latency": {"missing": "TimeoutError: late"}})
    assert set(found) >= NAMED_BY_THE_ISSUE
    assert set(found) == set(GOALS)
    assert all(one["value"] is None and one["reason"] for one in found.values())
    assert found["product_vs_restate"]["reason"] == "no npm registry"
    assert found["latency_p50_vs_hand_loop"]["reason"] == "TimeoutError: late"


PARTS: dict[str, Any] = {
    "latency": {"sqlite": {"hand_ms": {"p50": 10.0}, "product_ms": {"p50": 15.0}}},
    "acknowledge": {
        "bare": {"cpu_ms_per_request": 0.06},
        "sqlite_door": {"cpu_ms_per_request": 0.1},
        "sqlite_whole": {"cpu_ms_per_request": 0.3},
    },
    "growth": {
        "sqlite": [
            {"transactions": 10_000, "cost_cpu_ms_per_tx": 1.0},
            {"transactions": 1_000_000, "cost_cpu_ms_per_tx": 1.1},
        ]
    },
}


def test_ratios_of_the_parts() -> None:
    found = ratios_of(Rounds(), PARTS)
    assert found["latency_p50_vs_hand_loop"]["value"] == 1.5
    assert found["webhook_ack_vs_bare"]["value"] == 0.6
    assert found["cost_at_million_vs_ten_thousand"]["value"] == 1.1
    small = [PARTS["growth"]["sqlite"][0], {"transactions": 50_000, "cost_cpu_ms_per_tx": 1.1}]
    quick = ratios_of(Rounds(), {**PARTS, "growth": {"sqlite": small}})["cost_at_million_vs_ten_thousand"]
    assert quick["value"] is None
    assert "50,000" in quick["reason"]


def test_a_program_is_run_and_its_calls_are_counted(tmp_path: Path) -> None:
    stub = StubProcess()
    try:
        spec = {"first": 100, "n": 40, "customers": 20, "in_flight": 8}
        command = [sys.executable, "-m", "bench.contestants.calls"]
        figures = program_turn(command, spec, stub=stub, log=tmp_path / "log")
        assert stub.ask()["counts"] == {"billing": 40, "erp": 40, "support": 40, "crm": 40}
    finally:
        stub.stop()
    assert figures["n"] == 40
    assert figures["tx_per_s"] > 0
    assert figures["cpu_ms_per_tx"] > 0
    assert figures["peak_rss_mb"] > 10
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]


def test_the_report_names_everybody_and_shows_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "HERE", tmp_path)  # no environment that draws
    monkeypatch.setattr(report, "_NOTES", tmp_path / "none.md")
    figures = {"tx_per_s": 3000.0, "cpu_ms_per_tx": 0.33, "peak_rss_mb": 50.0, "stub_busy_share": 0.2}
    rounds = Rounds(rounds=[Round(figures={"calls": figures})], missing={"restate": "no npm registry"})
    results: dict[str, Any] = {
        "kind": "quick",
        "at": "2026-11-21T12:00:00+00:00",
        "took_s": 100,
        "contestants": rounds.summary(),
        "missing": rounds.missing,
        "rounds": [{"void": "", "figures": {}}, {"void": "restate made 3 a second", "figures": {}}],
        "slow_vendors": {},
        "parts": PARTS,
        "absent": {"a_thing": "there is no such thing in this release"},
        "ratio_details": ratios_of(rounds, PARTS),
        "machine": dict.fromkeys("processor cores memory_gb system python load_before fsync_ms commit".split(), 1)
        | {"packages": {"accordant": "0.1.0"}, "rivals": {"dbos": {"dbos": "3.4.0"}}, "postgresql": "18"},
    }
    text = report.write(results, tmp_path).read_text(encoding="utf-8")
    for one in FIELD:
        assert one.title in text
    for said in (
        "no npm registry",
        "3,000",
        "quick run",
        "no such thing in this release",
        "round 2: restate made 3",
        *GOALS,
    ):
        assert said in text, said


def test_a_part_measured_later_says_so_and_leaves_the_rest_as_it_was() -> None:
    stored: dict[str, Any] = {
        "ratio_details": {"product_sqlite_vs_calls": {"value": 0.2}, "webhook_ack_vs_bare": {"value": None}},
        "parts": {"proof": {"median_s": 1.0}, "acknowledge": {"missing": "it failed"}},
        "added": {},
    }
    both = added(stored, {"acknowledge": PARTS["acknowledge"]}, facts={"commit": "abc", "load_before": 0.1})
    assert both["parts"] == {"proof": {"median_s": 1.0}, "acknowledge": PARTS["acknowledge"]}
    assert both["ratios"]["product_sqlite_vs_calls"] == 0.2
    assert both["ratios"]["webhook_ack_vs_bare"] is not None
    assert both["added"]["acknowledge"]["commit"] == "abc"
