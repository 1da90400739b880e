"""The day of service credits, run for real: every branch, by the systems' own ledgers and by what can be looked at."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.experience.company import accordant

Json = dict[str, Any]
CREDITED = {
    "within the limit": 5_000,
    "split to stay below": 7_000,
    "reviewed and agreed": 40_000,
    "beyond the reviewer": 750_000,
    "changed while in review": 20_000,
    "in arrears": 2_000,
    "books down": 6_000,
    "period closed": 4_500,
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json, str, str]:
    home = tmp_path_factory.mktemp("credits")
    asked = ("demo", "--flow", "service_credit", "--report", "report.json")
    ended = accordant(*asked, cwd=home, env={"COLUMNS": "100", "NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return home, json.loads((home / "report.json").read_text()), ended.stdout, ended.stderr


def lines(home: Path, system: str, kind: str) -> list[Json]:
    text = (home / ".accordant" / "service_credit" / "ledger" / f"{system}.jsonl").read_text()
    return [one for one in map(json.loads, text.splitlines()) if one["kind"] == kind]


def test_every_branch_ends_as_it_must(played: tuple[Path, Json, str, str]) -> None:
    _, report, shown, _ = played
    assert report["holds"]
    for system in ("billing", "books"):
        found = {one["branch"]: one["found"][system] for one in report["branches"] if one["found"][system]}
        assert found == {name: [{"amount_minor": minor, "currency": "USD"}] for name, minor in CREDITED.items()}
    assert {one["found"]["support"] for one in report["branches"]} == {"credited", "rejected", "blocked"}
    assert all(one["found"] == one["must"] for one in report["branches"])
    assert shown.count("holds") == len(report["branches"]) == 11
    assert "does not hold" not in shown


def test_the_ledgers_alone_say_the_same(played: tuple[Path, Json, str, str]) -> None:
    """Each credit once in billing and once in the books, for the same money, of nobody that was refused."""
    home, _, _, _ = played
    granted, posted = lines(home, "billing", "credit"), lines(home, "erp", "credit_memo")
    assert sorted(one["amount_minor"] for one in granted) == sorted(CREDITED.values())
    assert {one["business_id"]: one["amount_minor"] for one in granted} == {
        one["business_id"]: one["amount_minor"] for one in posted
    }
    assert set(Counter(one["business_id"] for one in (*granted, *granted, *posted)).values()) == {3}
    assert lines(home, "billing", "credit_counter") == []


def test_everything_can_be_looked_at_and_proved_from_anywhere(
    played: tuple[Path, Json, str, str], tmp_path: Path
) -> None:
    home, _, _, said = played
    state = ("--state", str(home / ".accordant" / "service_credit"))
    listed = json.loads(accordant("tx", "list", "--flow", "service_credit", "--json", *state, cwd=tmp_path).stdout)
    states = Counter(one["state"] for one in listed["transactions"])
    assert states == {"completed": 10, "exception": 2}
    for one in listed["transactions"]:
        if one["state"] == "completed":
            proved = accordant("tx", "prove", one["transaction_id"], *state, cwd=tmp_path)
            assert proved.returncode == 0, proved.stdout
    approvals = re.findall(r"approval (?:approve|reject) (apv-[0-9a-f]+)", said)
    assert len(approvals) == len(set(approvals)) == 7
    shown = accordant("approval", "show", approvals[0], *state, cwd=tmp_path).stdout
    assert "approved by reviewer@finance" in shown
    assert "together they pass the limit" in shown.replace("\n", " ")
    assert "Nothing waits" in accordant("approval", "list", *state, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--flow", "nope"), "command.bad_choice"),
        (("--flow", "customer_onboarding"), "command.bad_choice"),
        (("--flow", "service_credit", "--kills", "1"), "command.flow_alone"),
        (("--flow", "service_credit", "--faults", "month-end"), "command.flow_alone"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_starts(
    arguments: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    ended = accordant("demo", *arguments, "--json", cwd=tmp_path)
    assert ended.returncode == 2
    assert json.loads(ended.stdout or ended.stderr)["error"]["code"] == code
    assert not (tmp_path / ".accordant").exists()


def test_the_flows_are_listed(tmp_path: Path) -> None:
    listed = json.loads(accordant("demo", "--list-flows", "--json", cwd=tmp_path).stdout)["flows"]
    assert "service_credit" in {one["flow"] for one in listed}
    assert all(one["story"] and one["owner"] for one in listed)
