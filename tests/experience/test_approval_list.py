"""Whoever looks at what waits sees whose turn it is and until when, also on a narrow screen."""

from typing import Any

import pytest

from accordant.backbone.rows import ApprovalRow
from accordant.experience.cli import approval
from accordant.experience.cli.screen import Screen
from accordant.kernel.clock import ManualClock

HOUR_MS, NOW_MS = 3_600_000, 1_700_000_000_000
_PLAIN: dict[str, Any] = {
    **dict.fromkeys(ApprovalRow.__struct_fields__, ""),
    "approval_id": "apv-36f9150a827318383247",
    "what": "credit 12,400.00 USD for a wrong invoice on critical case 5158; 1,200.00 USD of 9,000.00 USD is overdue",
    "roles": '["finance reviewer","finance director"]',
    "amount_minor": 1_240_000,
    "counted_minor": 1_240_000,
    "currency": "USD",
    "estate_version": 1,
    "opened_at_ms": NOW_MS,
    "escalates_at_ms": NOW_MS + 24 * HOUR_MS,
    "expires_at_ms": NOW_MS + 72 * HOUR_MS,
}


@pytest.mark.parametrize(
    ("roles", "later_h", "turn", "until"),
    [
        ('["finance reviewer","finance director"]', 23, "finance reviewer", "2023-11-15 22:13:20 UTC"),
        ('["finance reviewer","finance director"]', 25, "finance director", "2023-11-17 22:13:20 UTC"),
        ('["finance director"]', 1, "finance director", "2023-11-17 22:13:20 UTC"),
    ],
)
def test_whose_turn_it_is_fits_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], roles: str, later_h: int, turn: str, until: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(approval, "SystemClock", lambda: ManualClock(NOW_MS + later_h * HOUR_MS))
    approval._show_many(Screen(), [ApprovalRow(**{**_PLAIN, "roles": roles})])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    place = lines[0].index("whose turn")
    shown = " ".join(" ".join(line[place:].split("  ")[0] for line in lines[1:]).split())
    assert shown == f"{turn} until {until}"
    assert "12,400.00 USD" in lines[1]
