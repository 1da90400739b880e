"""The days of disputes, run for real: every branch, by the systems' own ledgers, and how long each took."""

import json
from pathlib import Path
from typing import Any

from tests.experience.company import accordant

Json = dict[str, Any]
CREDITED = [3_000, 4_500, 5_000, 6_000, 7_000, 8_000, 25_000, 40_000]


def test_every_branch_ends_as_it_must_and_cycle_time_is_measured(tmp_path: Path) -> None:
    asked = ("demo", "--flow", "invoice_dispute", "--report", "report.json")
    ended = accordant(*asked, cwd=tmp_path, env={"COLUMNS": "140", "NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["holds"]
    assert all(one["found"] == one["must"] for one in report["branches"])
    assert len(report["branches"]) == 15
    notes, memos = lines(tmp_path, "billing", "credit_note"), lines(tmp_path, "erp", "credit_memo")
    assert sorted(one["amount_minor"] for one in notes) == CREDITED
    assert {one["business_id"]: one["amount_minor"] for one in memos} == {
        one["business_id"]: one["amount_minor"] for one in notes
    }
    state = ("--state", str(tmp_path / ".accordant" / "invoice_dispute"))
    open_items = json.loads(accordant("exception", "list", "--items", "--json", *state, cwd=tmp_path).stdout)["items"]
    codes = {"dispute.already_open", "dispute.invoice_unknown", "dispute.unanswered"}
    assert {one["code"] for one in open_items} == codes
    told = json.loads(accordant("dispute", "list", "--json", *state, cwd=tmp_path).stdout)
    over = [one for one in told["disputes"] if one["resolved_at_ms"]]
    assert {one["status"] for one in over} == {"credited", "confirmed"}
    took_ms = [one["resolved_at_ms"] - one["opened_at_ms"] for one in over]
    assert min(took_ms) > 0
    assert [one["hours"] for one in over] == [round(ms / 3_600_000, 3) for ms in took_ms]
    assert sum(month["resolved"] for month in told["months"]) == len(over) == 11
    assert sum(month["credited"] for month in told["months"]) == len(CREDITED)
    still_open = json.loads(accordant("dispute", "list", "--open", "--json", *state, cwd=tmp_path).stdout)["disputes"]
    assert {one["invoice_number"] for one in still_open} == {"D-0011", "D-0012"}
    shown = accordant("dispute", "list", *state, cwd=tmp_path, env={"COLUMNS": "140", "NO_COLOR": "1"}).stdout
    assert "median hours" in shown
    of_one_id = {one["dispute_id"] for one in told["disputes"]}
    assert {one["body"]["metadata"]["dispute_id"] for one in notes} <= of_one_id
    assert all(any(name in one["body"]["memo"] for name in of_one_id) for one in memos)


def lines(home: Path, system: str, kind: str) -> list[Json]:
    text = (home / ".accordant" / "invoice_dispute" / "ledger" / f"{system}.jsonl").read_text()
    return [one for one in map(json.loads, text.splitlines()) if one["kind"] == kind]
