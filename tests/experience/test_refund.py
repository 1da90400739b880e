"""The day of refunds, run for real: every branch, by the systems' own ledgers."""

import json
from pathlib import Path
from typing import Any

from tests.experience.company import accordant

Json = dict[str, Any]
REFUNDED = [4_500, 6_000, 7_000, 8_000, 10_000, 12_000, 750_000]


def test_every_branch_ends_as_it_must_and_the_ledgers_say_the_same(tmp_path: Path) -> None:
    asked = ("demo", "--flow", "refund", "--report", "report.json")
    ended = accordant(*asked, cwd=tmp_path, env={"COLUMNS": "120", "NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["holds"]
    assert all(one["found"] == one["must"] for one in report["branches"])
    assert ended.stdout.count("holds") == len(report["branches"]) == 15
    assert "reviewer@finance is refused" in ended.stdout + ended.stderr
    made, posted = lines(tmp_path, "billing", "refund"), lines(tmp_path, "erp", "credit_memo")
    paid_out = lines(tmp_path, "erp", "customer_refund")
    ours = {one["business_id"]: one["amount_minor"] for one in made if one["business_id"]}
    assert sorted(ours.values()) == REFUNDED
    assert len(made) == len(ours) + 1  # the one that was made by hand
    assert {one["business_id"]: one["amount_minor"] for one in paid_out} == ours
    assert sorted(one["amount_minor"] for one in posted) == REFUNDED
    state = ("--state", str(tmp_path / ".accordant" / "refund"))
    listed = json.loads(accordant("exception", "list", "--items", "--json", *state, cwd=tmp_path).stdout)["items"]
    bypassed = [one for one in listed if one["code"] == "control.bypassed"]
    assert [(one["amount_minor"], one["currency"]) for one in bypassed] == [(2_500, "USD")]
    codes = {one["code"] for one in listed} - {"control.bypassed"}
    assert codes == {
        "refund.already_refunded",
        "refund.exceeds",
        "refund.invoice_unknown",
        "refund.paid_elsewhere",
        "refund.too_late",
        "refund.unpaid",
    }


def lines(home: Path, system: str, kind: str) -> list[Json]:
    text = (home / ".accordant" / "refund" / "ledger" / f"{system}.jsonl").read_text()
    return [one for one in map(json.loads, text.splitlines()) if one["kind"] == kind]
