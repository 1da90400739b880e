"""How the branches of a play are judged and shown: what differs is named beside what must be, at any width."""

import re
from typing import Any

import pytest

from accordant.experience.cli.flow_demo import show_branches
from accordant.experience.cli.screen import Screen
from accordant.kernel.money import Money
from accordant.launch.plays.play import Branch, judged

FIFTY = Money(5_000, "USD")
PAID = Branch(
    name="paid late, after the third reminder",
    subject="in_7",
    must={"books": [FIFTY], "billing": {"status": "paid", "amount": FIFTY}, "crm": None},
)
FOUND: dict[str, Any] = {"books": [FIFTY], "billing": {"status": "paid", "amount": FIFTY}, "crm": None}
NEVER = Branch(name="nothing begins", subject="in_8", must={}, state="")


@pytest.mark.parametrize(
    ("branch", "found", "ended", "holds"),
    [
        (PAID, FOUND, ["completed"], True),
        (PAID, FOUND, ["exception", "completed"], True),
        (PAID, FOUND, ["running", "completed"], False),
        (PAID, FOUND, ["completed", "exception"], False),
        (PAID, FOUND, [], False),
        (PAID, {**FOUND, "books": [FIFTY, FIFTY]}, ["completed"], False),
        (PAID, {**FOUND, "books": [Money(5_000, "EUR")]}, ["completed"], False),
        (PAID, {"books": [FIFTY]}, ["completed"], False),
        (NEVER, {}, [], True),
        (NEVER, {}, ["completed"], False),
    ],
)
def test_a_branch_holds_where_everything_is_as_it_must_be(
    branch: Branch, found: dict[str, Any], ended: list[str], holds: bool
) -> None:
    assert judged(branch, found, ended=ended)["holds"] is holds


@pytest.mark.parametrize("columns", [80, 100])
def test_what_differs_is_shown_beside_what_must_be(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    wrong = {**FOUND, "books": [], "billing": {"status": "open", "amount": FIFTY}}
    branches = [judged(PAID, wrong, ended=["exception"]), judged(NEVER, {}, ended=[])]
    show_branches(Screen(), {"flow": "payment_status", "branches": branches, "holds": False, "wall_s": 1.0})
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns
    assert re.search(r"^branch +(subject +)?crm +billing +books$", shown, re.MULTILINE)
    words = " ".join(shown.split())
    assert all(one in words for one in ("50.00 USD", "does not hold", "(in_7): exception; must be completed"))
    assert shown.count("must be") == 4  # heading, billing, books, how it ended
    assert re.search(r"must be status|status paid", words)
    assert shown.count("holds") == 1
