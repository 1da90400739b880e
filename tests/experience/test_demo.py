"""The seeded demo, run for real: what it reports, what the ledgers say, and what can be looked at afterwards."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.experience.company import accordant, recount

Json = dict[str, Any]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Json, str, str]:
    home = tmp_path_factory.mktemp("demo")
    ended = accordant("demo", "--report", "report.json", cwd=home, env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert ended.returncode == 0, ended.stderr
    return home, json.loads((home / "report.json").read_text()), ended.stdout, ended.stderr


def lines(home: Path, system: str) -> list[Json]:
    text = (home / ".accordant" / "demo" / "ledger" / f"{system}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def by_code(one: Json) -> dict[str, Json]:
    return {cause["code"] + "/" + cause["owner"]: cause for cause in one["exceptions"]}


def test_the_report_has_the_keys_that_programs_read(played: tuple[Path, Json, str, str]) -> None:
    _, report, _, _ = played
    keys = "deals_won transactions exceptions systems duplicate_effects lost_events partial_without_exception"
    keys += " stale_overwrites effects_applied state_sha256"
    for one in (report["first_pass"], report["final"]):
        assert set(keys.split()) <= one.keys()
        assert set(one["systems"]) == {"crm", "billing", "erp", "support"}
        assert one["systems"]["support"]["currency"] is None
        assert one["systems"]["billing"]["currency"] == "USD"
    top = "wall_s transactions_per_s kills effects_redriven faults_injected peak_rss_mb_at_500 peak_rss_mb"
    assert set(top.split()) <= report.keys()
    assert report["faults_injected"].keys() >= {"webhook_duplicate", "webhook_shuffle", "down"}


def test_one_cause_stays_open_and_everything_else_is_in_step(played: tuple[Path, Json, str, str]) -> None:
    _, report, _, _ = played
    final = report["final"]
    assert final["deals_won"] == 62
    assert final["transactions"] == {"completed": 61, "exception": 1}
    for promise in ("duplicate_effects", "lost_events", "partial_without_exception", "stale_overwrites"):
        assert final[promise] == 0, promise
    systems = final["systems"]
    assert {role: counts["customers"] for role, counts in systems.items()} == dict.fromkeys(systems, 14)
    assert {role: counts["parents"] for role, counts in systems.items()} == dict.fromkeys(systems, 3)
    assert systems["billing"]["subscriptions"] == systems["erp"]["orders"] == 54
    assert systems["billing"]["total_minor"] == systems["erp"]["total_minor"]
    assert systems["support"]["entitlements"] == 14


def test_e01_a_missing_legal_entity_stops_before_any_effect(played: tuple[Path, Json, str, str]) -> None:
    home, report, _, _ = played
    cause = by_code(report["final"])["map.missing/finance operations"]
    assert (cause["count"], cause["candidates"][0], cause["records"]) == (1, "AP02", ["X-007"])
    pacific = next(one["business_id"] for one in lines(home, "support") if one["body"]["name"] == "Ironbark Mining")
    amended = [one for one in lines(home, "billing") if one["change"] == "update" and one["kind"] == "subscription"]
    assert pacific not in {one["body"]["metadata"]["customer_id"] for one in amended}
    told = [one["body"]["Accordant_Status__c"] for one in lines(home, "crm") if one["business_id"] == "X-007"]
    assert told == ["blocked"]


def test_e01_a_posting_refused_after_billing_stands_and_is_finances(played: tuple[Path, Json, str, str]) -> None:
    home, report, _, _ = played
    first = report["first_pass"]
    cause = next(one for one in first["exceptions"] if one["records"] == ["X-003"])
    assert cause["owner"] == "finance operations"
    assert first["systems"]["billing"]["total_minor"] > first["systems"]["erp"]["total_minor"]
    told = [one["body"]["Accordant_Status__c"] for one in lines(home, "crm") if one["business_id"] == "X-003"]
    assert told == ["blocked", "in step"]
    # One effect in each system: the retry did not amend billing a second time.
    orders = [one for one in lines(home, "erp") if one["kind"] == "order" and one["change"] == "update"]
    subscriptions = [one for one in lines(home, "billing") if one["kind"] == "subscription"]
    amended = {one["native_id"] for one in subscriptions if one["change"] == "update"}
    assert len(amended) == len(orders) == 7


def test_the_ledgers_agree_with_the_report(played: tuple[Path, Json, str, str]) -> None:
    home, _, _, _ = played
    checked = recount("--ledgers", f"{home}/.accordant/demo/ledger", "--report", f"{home}/report.json")
    assert checked.returncode == 0, checked.stdout


def test_what_it_prints_fits_and_tells_what_to_do_next(played: tuple[Path, Json, str, str]) -> None:
    home, _, out, err = played
    assert "\x1b" not in out + err
    table = [line for line in out.splitlines() if line.startswith(("system", "CRM", "billing", "ERP", "support"))]
    assert len(table) == 10
    assert max(map(len, table)) <= 80
    assert "owner: finance operations" in out
    assert "The ERP goes down" in err
    commands = re.findall(r"^  accordant (.*--state .*)$", out, flags=re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        shown = accordant(*command.split(), cwd=home)
        assert shown.returncode == 0, (command, shown.stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limits", "some"], "expected off or real"),
        (["--faults", "all"], "expected none or month-end"),
        (["--kills", "2"], "--crm-export"),
        (["--fix", "product:A=B"], "--crm-export"),
        (["--crm-export", "."], "accounts.csv"),
        (["--crm-export", "nowhere"], "is no folder"),
        (["--crm-export", ".", "--fix", "product"], "TABLE:VALUE=TARGET"),
        (["--report", "missing/report.json"], "does not exist"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    ended = accordant("demo", *arguments, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert says in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
