"""The recount finds what a product would rather not say: tampered ledgers and reports never pass."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.experience.company import export, recount

Line = dict[str, Any]
DEALS = ["W1,Kim,Widget,Alpha,Won,1/1/2017,3/1/2017,550", "W2,Kim,Gadget,Beta,Won,1/1/2017,2/29/2016,4800.50"]


def line(kind: str, business_id: str, *, change: str = "create", amount_minor: int | None = None, **body: Any) -> Line:
    currency = None if amount_minor is None else "USD"
    money = {"amount_minor": amount_minor, "currency": currency}
    native = f"{kind}-{business_id}"
    return {"kind": kind, "change": change, "native_id": native, "business_id": business_id, **money, "body": body}


def subscription(number: str, amount_minor: int) -> Line:
    return line("subscription", f"s-{number}", amount_minor=amount_minor, metadata={"opportunity_id": number})


def sound() -> dict[str, list[Line]]:
    """What the four systems write down when two deals of a parent and its subsidiary went well."""
    amounts = {"W1": 55_000, "W2": 480_050}
    fields = {"Alpha": "2018-03-01", "Beta": "2017-02-28"}
    parent = {"parent_id": "c-Alpha"}
    return {
        "crm": [line("opportunity", one, change="update", Accordant_Status__c="in step") for one in amounts],
        "billing": [
            line("customer", "c-Alpha", metadata={}),
            line("customer", "c-Beta", metadata=parent),
            *(
                line("subscription", f"s-{n}", amount_minor=m, metadata={"opportunity_id": n})
                for n, m in amounts.items()
            ),
        ],
        "erp": [
            line("customer", "c-Alpha"),
            line("customer", "c-Beta", parent="1001"),
            *(line("order", f"o-{n}", amount_minor=m, otherRefNum=n, memo=f"s-{n}") for n, m in amounts.items()),
        ],
        "support": [
            line("customer", "c-Alpha", organization_fields={}),
            line("customer", "c-Beta", organization_fields={"parent_customer_id": "c-Alpha"}),
            *(
                line("entitlement", f"c-{name}", name=name, organization_fields={"entitlement_ends_on": day})
                for name, day in fields.items()
            ),
        ],
    }


def counted(folder: Path, ledgers: dict[str, list[Line]], *more: str) -> tuple[int, str]:
    (folder / "ledger").mkdir()
    for system, lines in ledgers.items():
        text = "".join(json.dumps({"n": n, **one}) + "\n" for n, one in enumerate(lines, 1))
        (folder / "ledger" / f"{system}.jsonl").write_text(text)
    crm = export(folder / "crm", DEALS)
    ended = recount("--ledgers", str(folder / "ledger"), "--export", str(crm), *more)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_sound_run_agrees(tmp_path: Path) -> None:
    code, said = counted(tmp_path, sound())
    assert code == 0, said
    assert "all agree" in said


def duplicate_order(ledgers: dict[str, list[Line]]) -> None:
    ledgers["erp"].append({**ledgers["erp"][-1], "native_id": "another"})


def missing_order(ledgers: dict[str, list[Line]]) -> None:
    ledgers["erp"].pop()


def wrong_amount(ledgers: dict[str, list[Line]]) -> None:
    for system in ("billing", "erp"):
        ledgers[system][-1]["amount_minor"] += 1


def swapped_amounts(ledgers: dict[str, list[Line]]) -> None:
    """The totals still agree."""
    for system in ("billing", "erp"):
        first, second = ledgers[system][-2:]
        first["amount_minor"], second["amount_minor"] = second["amount_minor"], first["amount_minor"]


def orphaned_order(ledgers: dict[str, list[Line]]) -> None:
    ledgers["erp"][-1]["body"]["memo"] = "s-nobody"


def subscription_of_no_won_deal(ledgers: dict[str, list[Line]]) -> None:
    ledgers["billing"].append(subscription("X", 1))


def lost_parent(ledgers: dict[str, list[Line]]) -> None:
    del ledgers["erp"][1]["body"]["parent"]


def stale_entitlement(ledgers: dict[str, list[Line]]) -> None:
    ledgers["support"][-1]["body"]["organization_fields"]["entitlement_ends_on"] = "2016-02-28"


def wrongly_in_step(ledgers: dict[str, list[Line]]) -> None:
    ledgers["crm"].append(line("opportunity", "W9", change="update", Accordant_Status__c="in step"))


def deleted_customer(ledgers: dict[str, list[Line]]) -> None:
    ledgers["billing"].append({**ledgers["billing"][0], "change": "delete"})


@pytest.mark.parametrize(
    ("tamper", "names"),
    [
        (duplicate_order, "order o-W2"),
        (missing_order, "W2"),
        (wrong_amount, "W2"),
        (swapped_amounts, "W1"),
        (orphaned_order, "o-W2"),
        (subscription_of_no_won_deal, "X"),
        (lost_parent, "erp: parents"),
        (stale_entitlement, "Beta"),
        (wrongly_in_step, "W9"),
        (deleted_customer, "billing: customers"),
    ],
)
def test_a_tampered_ledger_is_found(
    tmp_path: Path, tamper: Callable[[dict[str, list[Line]]], None], names: str
) -> None:
    ledgers = sound()
    tamper(ledgers)
    code, said = counted(tmp_path, ledgers)
    assert code == 1, said
    differing = [one for one in said.splitlines() if "DIFFERS" in one]
    assert any(names in one for one in differing), said


def report_of(one: dict[str, list[Line]]) -> Line:
    empty = {"customers": 2, "parents": 1, "subscriptions": 0, "orders": 0, "entitlements": 0}
    money = {"total_minor": 535_050, "currency": "USD"}
    none = {"total_minor": 0, "currency": None}
    return {
        "deals_won": 2,
        "transactions": {"completed": 2},
        "exceptions": [],
        "systems": {
            "crm": {**empty, **none},
            "billing": {**empty, **money, "subscriptions": 2},
            "erp": {**empty, **money, "orders": 2},
            "support": {**empty, **none, "entitlements": 2},
        },
        "duplicate_effects": 0,
        "lost_events": 0,
        "partial_without_exception": 0,
        "stale_overwrites": 0,
        "effects_applied": sum(map(len, one.values())),
    }


@pytest.mark.parametrize("wrong", [None, "deals_won", "effects_applied", "duplicate_effects", "lost_events"])
def test_the_report_is_compared_figure_by_figure(tmp_path: Path, wrong: str | None) -> None:
    told = report_of(sound())
    if wrong is not None:
        told[wrong] += 1
    (tmp_path / "report.json").write_text(json.dumps({"first_pass": told}))
    code, said = counted(tmp_path, sound(), "--report", str(tmp_path / "report.json"))
    assert code == (0 if wrong is None else 1), said
    assert wrong is None or f"report: {wrong}" in said


def test_what_cannot_be_read_is_said_and_is_no_verdict(tmp_path: Path) -> None:
    ended = recount("--ledgers", str(tmp_path))
    assert (ended.returncode, "cannot be read" in ended.stderr) == (2, True)
    for system in ("crm", "billing", "erp", "support"):
        (tmp_path / f"{system}.jsonl").write_text('{"kind": 1\n')
    ended = recount("--ledgers", str(tmp_path))
    assert (ended.returncode, "crm.jsonl:1" in ended.stderr) == (2, True)
    assert "Traceback" not in ended.stderr
