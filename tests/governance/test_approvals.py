"""Who may agree to how much: each border from both sides, and a file whose every fault is named with its place."""

from datetime import date
from pathlib import Path

import pytest

from accordant.governance.approval_files import read_approvals
from accordant.governance.approvals import (
    Approvals,
    Delegation,
    Kind,
    Person,
    Role,
    is_same_person,
    roles_on,
    route,
    why_not,
)
from accordant.governance.demo_estate import install
from accordant.governance.estate_files import load_estate
from accordant.governance.problems import Problems
from accordant.kernel.errors import Malformed, Misconfigured
from accordant.kernel.money import Money

TODAY = date(2026, 11, 20)
APPROVALS = Approvals(
    roles={
        "reviewer": Role(up_to={"USD": "500.00", "JPY": "75000"}),
        "director": Role(up_to={"USD": "5000", "KWD": "1.500"}),
    },
    people={
        "rita": Person(roles=("reviewer",), known_as=("support/8",)),
        "dora": Person(roles=("reviewer", "director")),
        "sam": Person(roles=()),
    },
    delegations=(Delegation(of="rita", to="sam", since=TODAY, until=date(2026, 11, 22)),),
    kinds={"credit": Kind(roles=("reviewer", "director"), automatic_up_to={"USD": "100", "JPY": "15000"})},
)
NOTHING = 0


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@pytest.mark.parametrize(
    ("amount", "recent", "automatic", "roles"),
    [
        (usd(100_00), NOTHING, True, ()),
        (usd(100_01), NOTHING, False, ("reviewer", "director")),
        (usd(99_99), 1, True, ()),
        (usd(99_99), 2, False, ("reviewer", "director")),
        (usd(500_00), NOTHING, False, ("reviewer", "director")),
        (usd(500_01), NOTHING, False, ("director",)),
        (usd(250_00), 250_01, False, ("director",)),
        (usd(5000_00), NOTHING, False, ("director",)),
        (usd(5000_01), NOTHING, False, ()),
        (Money(15_000, "JPY"), NOTHING, True, ()),
        (Money(15_001, "JPY"), NOTHING, False, ("reviewer",)),
        (Money(75_001, "JPY"), NOTHING, False, ()),
        (Money(1, "KWD"), NOTHING, False, ("director",)),
        (Money(1_501, "KWD"), NOTHING, False, ()),
        (Money(1, "CHF"), NOTHING, False, ()),
    ],
)
def test_each_side_of_every_limit(amount: Money, recent: int, automatic: bool, roles: tuple[str, ...]) -> None:
    routing = route(APPROVALS, "credit", amount=amount, recent=Money(recent, amount.currency))
    assert (routing.is_automatic, routing.roles) == (automatic, roles)


def test_a_split_is_said() -> None:
    routing = route(APPROVALS, "credit", amount=usd(60_00), recent=usd(60_00))
    assert "together they pass the limit" in routing.rule
    assert "60.00 USD of the last 30 days" in routing.rule


def test_what_the_file_does_not_know_is_never_automatic() -> None:
    routing = route(APPROVALS, "refund", amount=usd(1), recent=usd(0))
    assert (routing.is_automatic, routing.roles) == (False, ())
    assert "says nothing of refund" in routing.rule


def test_amounts_of_two_currencies_are_never_added() -> None:
    with pytest.raises(Malformed) as refused:
        route(APPROVALS, "credit", amount=usd(1), recent=Money(1, "EUR"))
    assert refused.value.code == "currency.mismatch"


@pytest.mark.parametrize(
    ("who", "on", "held"),
    [
        ("sam", date(2026, 11, 19), set[str]()),
        ("sam", date(2026, 11, 20), {"reviewer"}),
        ("sam", date(2026, 11, 22), {"reviewer"}),
        ("sam", date(2026, 11, 23), set[str]()),
        ("nobody", TODAY, set[str]()),
    ],
)
def test_a_delegation_holds_from_its_first_to_its_last_day(who: str, on: date, held: set[str]) -> None:
    assert roles_on(APPROVALS, who, on=on) == held


@pytest.mark.parametrize(
    ("who", "usd_minor", "why"),
    [
        ("rita", 500_00, ""),
        ("rita", 500_01, "500.01 USD is more than rita may decide as reviewer"),
        ("dora", 5000_00, ""),
        ("dora", 5000_01, "5,000.01 USD is more than dora may decide as director, reviewer"),
        ("sam", 1, ""),
        ("eve", 1, "eve is nobody whom approvals.yaml names"),
    ],
)
def test_who_may_and_why_not(who: str, usd_minor: int, why: str) -> None:
    assert why_not(APPROVALS, who, roles=("reviewer", "director"), amount=usd(usd_minor), on=TODAY) == why


@pytest.mark.parametrize(
    ("left", "right", "on", "same"),
    [
        ("rita", "rita", TODAY, True),
        ("rita", "support/8", TODAY, True),
        ("dora", "support/8", TODAY, False),
        ("sam", "support/8", TODAY, True),
        ("sam", "support/8", date(2026, 12, 1), False),
        ("sam", "rita", TODAY, True),
    ],
)
def test_one_person_under_several_names(left: str, right: str, on: date, same: bool) -> None:
    assert is_same_person(APPROVALS, left=left, right=right, on=on) is same
    assert is_same_person(APPROVALS, left=right, right=left, on=on) is same


def test_the_demo_estate_has_them(tmp_path: Path) -> None:
    assert install(tmp_path)
    kinds = load_estate(tmp_path).approvals.kinds
    assert set(kinds) == {"refund", "service_credit", "service_credit_in_arrears"}
    assert kinds["service_credit_in_arrears"].automatic_up_to == kinds["refund"].automatic_up_to == {}


def test_an_estate_without_the_file_lets_nobody_approve(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "approvals.yaml").unlink()
    assert load_estate(tmp_path).approvals == Approvals()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roles:\n  a: {up_to: {USD: 100}}\n", "2:20: approvals.amount"),
        ('roles:\n  a: {up_to: {USD: "1e3"}}\n', "2:20: money.format"),
        ('roles:\n  a: {up_to: {usd: "1"}}\n', "2:20: currency.case"),
        ('roles:\n  a: {up_to: {JPY: "1.5"}}\n', "2:20: money.too_many_decimals"),
        ("people:\n  x: {roles: [reviewr]}\n", "2:15: approvals.unknown_name"),
        ("kinds:\n  c: {roles: [a]}\n", "2:15: approvals.unknown_name"),
        ("kinds:\n  c: {roles: [], window_days: many}\n", "2:31: config.value"),
        ("delegations: {of: x}\n", "1:14: config.shape"),
        ("delegations:\n  - {of: x, to: y, since: 2026-01-02, until: 2026-01-03}\n", "2:10: approvals.unknown_name"),
        (
            "people:\n  x: {roles: []}\ndelegations:\n  - {of: x, to: x, since: 2026-01-02, until: 2026-01-01}\n",
            "4:5: approvals.days",
        ),
        ("approvers: {}\n", "1:1: config.unknown_key"),
    ],
)
def test_every_fault_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "approvals.yaml").write_text(text)
    problems = Problems()
    read_approvals(tmp_path, problems)
    with pytest.raises(Misconfigured) as refused:
        problems.raise_if_any("the estate")
    assert any(line.startswith(f"approvals.yaml:{said}") for line in refused.value.detail["problems"]), refused.value
