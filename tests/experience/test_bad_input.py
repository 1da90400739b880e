"""Rows that no honest system can carry out: each is a named, counted, listed exception, and the rest goes on."""

import json
from pathlib import Path

from tests.experience.company import accordant, export, recount

GOOD = [
    "G1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,550",
    "G2,Kim,Gadget,Beta,Won,1/1/2017,2/29/2016,4800.50",
    "G3,Kim,Widget,Alpha,Lost,1/1/2017,3/1/2017,0",
    "G4,Kim,Widget,,Engaging,1/1/2017,,",
]
BAD = {
    "B1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017": "row.malformed",
    "B2,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,550,extra": "row.malformed",
    "B3,Kim,Widget,Alpha,Wonn,1/1/2017,3/1/2017,550": "stage.unknown",
    "B4,Kim,Widget,Alpha,Won,1/1/2017,13/45/2017,550": "date.format",
    "B5,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,-550": "money.negative",
    "B6,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,lots": "money.format",
    "B7,Kim,Widget,Nobody,Won,1/1/2017,3/1/2017,550": "account.missing",
    "B8,Kim,Wiget,Alpha,Won,1/1/2017,3/1/2017,550": "map.missing",
}


def test_each_bad_row_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    folder = export(tmp_path / "crm", [*GOOD[:2], *BAD, *GOOD[2:]])
    ended = accordant("demo", "--crm-export", "crm", "--state", "s", "--report", "r.json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "r.json").read_text())["first_pass"]
    counted: dict[str, int] = {}
    named: dict[str, list[str]] = {}
    for cause in report["exceptions"]:
        counted[cause["code"]] = counted.get(cause["code"], 0) + cause["count"]
        named.setdefault(cause["code"], []).extend(cause["records"])
        assert cause["owner"]
    assert counted == {code: list(BAD.values()).count(code) for code in BAD.values()}
    for row, code in BAD.items():
        assert row.split(",")[0] in named[code]
    assert report["transactions"] == {"completed": 2, "exception": 1}
    assert report["systems"]["billing"]["total_minor"] == report["systems"]["erp"]["total_minor"] == 535_050
    assert report["lost_events"] == 0
    assert "US dollars" in ended.stderr
    checked = recount("--ledgers", f"{tmp_path}/s/ledger", "--export", str(folder), "--report", f"{tmp_path}/r.json")
    assert checked.returncode == 0, checked.stdout


def test_a_duplicate_opportunity_is_the_loaders_error(tmp_path: Path) -> None:
    export(tmp_path / "crm", [GOOD[0], GOOD[0]])
    ended = accordant("demo", "--crm-export", "crm", "--state", "s", cwd=tmp_path)
    assert ended.returncode == 2
    said = " ".join(ended.stderr.split())
    assert "line 2 and on line 3" in said
    assert not (tmp_path / "s" / "ledger").exists()


def test_a_folder_with_a_run_is_left_alone(tmp_path: Path) -> None:
    export(tmp_path / "crm", GOOD)
    (tmp_path / "s" / "ledger").mkdir(parents=True)
    ended = accordant("demo", "--crm-export", "crm", "--state", "s", cwd=tmp_path)
    assert ended.returncode == 2
    assert "already holds a run" in ended.stderr
