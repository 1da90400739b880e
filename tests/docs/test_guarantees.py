"""The page of promises says what the code and the last campaign say, and names only proofs that exist."""

import re
from pathlib import Path

import pytest

from accordant.proving.guarantees import PAGE, filled, main, operations, read_results, result
from accordant.wiring import VENDORS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEXT = (DOCS / PAGE).read_text(encoding="utf-8")


def test_the_page_is_filled() -> None:
    assert filled(TEXT, read_results(DOCS)) == TEXT, "run `make docs` and commit docs/guarantees.md"


def test_every_operation_of_every_connector_is_in_the_table() -> None:
    table = operations(list(VENDORS.values()))
    for one in VENDORS.values():
        for able in one.capabilities:
            assert f"| {one.vendor} | {able.verb} | `{able.request}` | {able.effect_class.value} |" in table
    assert table in TEXT


def test_every_proof_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", TEXT)
    assert len(named) > 15
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_a_result_is_said_as_it_was() -> None:
    results = {"date": "2026-11-21", "rules": {"lost": {"judged": 12_345, "violations": 0}}}
    assert result("lost", results) == "Last campaign (2026-11-21): 12,345 judged, no violation."
    results["rules"]["lost"]["violations"] = 2
    assert "2 violations" in result("lost", results)
    assert result("stale", results) == "Not yet judged in a campaign."
    page = "a\n<!-- result: lost -->\n_old_\n\nb\n<!-- result: stale -->\n"
    once = filled(page, results)
    assert "_old_" not in once
    assert filled(once, results) == once


def test_a_missing_page_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "does not exist" in capsys.readouterr().err
