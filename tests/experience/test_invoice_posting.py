"""The day of invoices, run for real: every branch, by the systems' own ledgers and by what can be looked at."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.experience.company import accordant

Json = dict[str, Any]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json]:
    home = tmp_path_factory.mktemp("invoices")
    ended = accordant("demo", "--flow", "invoice_posting", "--report", "report.json", cwd=home)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return home, json.loads((home / "report.json").read_text())


def lines(home: Path, system: str, kind: str) -> list[Json]:
    text = (home / ".accordant" / "invoice_posting" / "ledger" / f"{system}.jsonl").read_text()
    return [one for one in map(json.loads, text.splitlines()) if one["kind"] == kind]


def test_every_branch_ends_as_it_must(played: tuple[Path, Json]) -> None:
    report = played[1]
    assert report["holds"]
    assert len(report["branches"]) == 13


def test_the_ledgers_alone_say_the_same(played: tuple[Path, Json]) -> None:
    """Each invoice was made once in the books, each payment and credit memo too, and none for nobody's customer."""
    home, report = played
    posted = [one for one in lines(home, "erp", "invoice") if one["change"] == "create"]
    must = [one["must"]["books"][0]["amount_minor"] for one in report["branches"] if one["must"]["books"]]
    assert sorted(one["amount_minor"] for one in posted) == sorted(must)
    assert set(Counter(one["business_id"] for one in posted).values()) == {1}
    paid = [one["amount_minor"] for one in lines(home, "erp", "payment") if one["change"] == "create"]
    assert sorted(paid) == [4_200, 9_900]
    countered = [one["amount_minor"] for one in lines(home, "erp", "credit_memo") if one["change"] == "create"]
    assert countered == [7_700]


def test_who_is_asked_about_a_stranger(played: tuple[Path, Json], tmp_path: Path) -> None:
    """`invoice.customer_unknown` stays open; nothing else does."""
    state = ("--state", str(played[0] / ".accordant" / "invoice_posting"))
    shown = accordant("exception", "list", "--json", *state, cwd=tmp_path).stdout
    assert "invoice.customer_unknown" in shown
    assert "netsuite.closed_period" not in shown
