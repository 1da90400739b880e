"""A retailer's invoices played for real: file, billing and books say the same, and the ledgers alone say so too."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from accordant.experience.api.tie_out import days_of
from accordant.kernel.errors import Malformed
from tests.experience.company import accordant

DATA = os.environ.get("ACCORDANT_DATA", "")
RECOUNT = Path(__file__).parents[2] / "tools" / "recount_invoices.py"
HEADER = "InvoiceNo,InvoiceNo,InvoiceNo,InvoiceNo,InvoiceDate,UnitPrice,CustomerID,Country"
COUNTRIES = ("United Kingdom", "EIRE", "Germany")
CREDITS = (
    "C536400,85123A,HEART,-11,12-03-2010 09:00,2.55,17801,EIRE",  # of an invoice of the file
    "C536401,99999,OLD STOCK,-1,12-03-2010 09:05,7.10,17802,Germany",  # of an older one
    "C536402,22633,HAND WARMER,-4,12-03-2010 09:10,1.85,17800,United Kingdom",  # of several, so of none
)


def recount(ledgers: Path, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RECOUNT), "--ledgers", str(ledgers), "--invoices", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def a_file(folder: Path) -> Path:
    """Twelve invoices of three customers, one with more lines than an event shows; lines without customer or price."""
    lines = [HEADER]
    for n in range(12):
        of = f"17{800 + n % 3},{COUNTRIES[n % 3]}"
        rows = [f"85123A,HEART,{n + 1},12-01-2010 08:{n:02},2.55,{of}"]
        rows += [f"22633,HAND WARMER,4,12-01-2010 08:{n:02},1.85,{of}"] * (30 if n == 5 else 1 + (n % 3 == 0))
        lines += [f"{536365 + n},{row}" for row in rows]
    lines += ["536390,22752,BABUSHKA,1,12-02-2010 10:00,7.65,,United Kingdom"]
    lines += ["536391,22841,CAKE TIN,1,12-02-2010 14:02,0,17801,EIRE", *CREDITS]
    path = folder / "sales.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    home = tmp_path_factory.mktemp("retail")
    asked = ("demo", "--invoices", str(a_file(home)), "--report", "report.json")
    ended = accordant(*asked, cwd=home, env={"COLUMNS": "120", "NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return home, json.loads((home / "report.json").read_text()), ended.stdout


def ledger(home: Path, system: str) -> list[dict[str, Any]]:
    text = (home / ".accordant" / "retail" / "ledger" / f"{system}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_file_billing_and_books_say_the_same(played: tuple[Path, dict[str, Any], str]) -> None:
    _, report, shown = played
    told = report["file"]
    assert (told["invoices"], told["credits"], told["customers"]) == (12, 3, 3)
    assert told["rejected_lines"] == {"no customer": 1, "price of zero": 1}
    assert (told["credits_on_an_invoice"], told["credits_on_the_balance"]) == (1, 2)
    assert report["holds"]
    assert report["open_items"] == 0
    totals = {one["kind"]: (one["books_documents"], one["books_minor"]) for one in report["tie_out"]["totals"]}
    assert totals == {"invoice": (12, told["invoices_minor"]), "credit": (3, told["credits_minor"])}
    assert {one["legal_entity"] for one in report["tie_out"]["totals"]} == {"UK01"}
    assert "2 totals tie, document by document." in shown


def test_only_the_credit_of_a_known_invoice_pays_one(played: tuple[Path, dict[str, Any], str]) -> None:
    home, _, _ = played
    memos = {one["body"]["otherRefNum"]: one["body"] for one in ledger(home, "erp") if one["kind"] == "credit_memo"}
    assert {number: bool(body.get("apply")) for number, body in memos.items()} == {
        "C536400": True,
        "C536401": False,
        "C536402": False,
    }
    assert {body["tranDate"] for body in memos.values()} == {"2010-12-03"}


def test_each_document_is_made_once_in_the_books(played: tuple[Path, dict[str, Any], str]) -> None:
    home, _, _ = played
    made = Counter(
        one["body"]["otherRefNum"]
        for one in ledger(home, "erp")
        if one["kind"] in ("invoice", "credit_memo") and one["change"] == "create"
    )
    assert len(made) == 15
    assert set(made.values()) == {1}


def test_the_ledgers_alone_say_so_and_a_penny_is_noticed(played: tuple[Path, dict[str, Any], str]) -> None:
    home, _, _ = played
    ledgers, file = home / ".accordant" / "retail" / "ledger", home / "sales.csv"
    agreed = recount(ledgers, file)
    assert agreed.returncode == 0, agreed.stdout + agreed.stderr
    bent = home / "bent"
    bent.mkdir()
    (bent / "billing.jsonl").write_bytes((ledgers / "billing.jsonl").read_bytes())
    lines = ledger(home, "erp")
    last = next(one for one in reversed(lines) if one["kind"] == "invoice")
    last["amount_minor"] += 1
    (bent / "erp.jsonl").write_text("\n".join(map(json.dumps, lines)))
    noticed = recount(bent, file)
    assert noticed.returncode == 1
    assert last["body"]["otherRefNum"] in noticed.stdout
    assert recount(home / "nowhere", file).returncode == 2


def test_a_period_is_one_month() -> None:
    assert [f"{day}" for day in days_of("2028-02")] == ["2028-02-01", "2028-02-29"]
    for wrong in ("2028", "2028-13", "2028-02-01", "202802-", "soon"):
        with pytest.raises(Malformed) as refused:
            days_of(wrong)
        assert refused.value.code == "tie_out.period"


def test_what_makes_no_sense_is_refused_before_anything_starts(tmp_path: Path) -> None:
    asked = accordant("tie-out", "--json", cwd=tmp_path)
    assert asked.returncode == 4
    both = accordant("demo", "--invoices", "x.csv", "--flow", "service_credit", "--json", cwd=tmp_path)
    assert json.loads(both.stdout)["error"]["code"] == "command.flow_alone"
    missing = accordant("demo", "--invoices", "x.csv", "--json", cwd=tmp_path)
    assert json.loads(missing.stdout)["error"]["code"] == "export.file_missing"


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.skipif(not DATA, reason="ACCORDANT_DATA does not name a folder with online-retail")
def test_the_real_file_ties_out_to_the_penny(tmp_path: Path) -> None:
    file = Path(DATA) / "online-retail" / "online_retail_10k.csv"
    played = accordant("demo", "--invoices", str(file), "--state", "s", "--report", "r.json", cwd=tmp_path)
    assert played.returncode == 0, played.stderr + played.stdout
    report = json.loads((tmp_path / "r.json").read_text())
    told = report["file"]
    assert (told["lines"], told["documents"], told["documents_without_lines"]) == (10_000, 512, 68)
    assert told["rejected_lines"] == {"no customer": 2_291, "price of zero": 1}
    assert told["repeated_lines_kept"] == 196
    assert (told["invoices"], told["invoices_minor"]) == (401, 14_820_683)
    assert (told["credits"], told["credits_minor"]) == (43, -358_058)
    assert report["holds"]
    assert recount(tmp_path / "s" / "ledger", file).returncode == 0
