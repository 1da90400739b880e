"""What a request for a refund means, and what stops it before any money moves."""

from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.canonical.refund import PaymentRefunded, RefundRequest
from accordant.canonical.settlement import Paid, Settlement
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError, Terminal
from accordant.kernel.money import Money
from accordant.process.refund import refund_of, still_left
from accordant.process.refund_outside import agreed_to
from tests.process.test_service_credit import estate, known

__all__ = ["estate"]

ASKED = RefundRequest(
    case_id="5158",
    source_id="5158",
    customer_source_id="88",
    subject="Billed twice",
    amount_text="120.00",
    invoice_number="ABC-0001",
    reason="overcharge",
    requested_by="7",
    requested_on=date(2026, 11, 21),
)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def paid(minor: int = 20_000, *, back: int = 0, on: date = date(2026, 11, 1), source_id: str = "pi_1") -> Paid:
    return Paid(source_id=source_id, amount=usd(minor), refunded=usd(back), paid_on=on)


def settled(*payments: Paid, status: str = "paid", currency: str = "USD") -> list[Settlement]:
    zero = Money(0, currency)
    total = sum((one.amount for one in payments), zero)
    return [
        Settlement(
            number="ABC-0001",
            source_id="in_1",
            status=status,
            total=total,
            remaining=zero,
            is_collected=False,
            payments=payments,
        )
    ]


def asked(**changed: Any) -> RefundRequest:
    return msgspec.structs.replace(ASKED, **changed)


def test_a_request_becomes_a_refund_its_memo_and_what_pays_it_out(estate: Estate) -> None:
    agreed = refund_of(ASKED, known(), settled(paid(back=3_000)), "tx-1", estate)
    assert agreed.refund.amount == agreed.memo.amount == agreed.entry.amount == usd(12_000)
    assert agreed.refund.payment_source_id == "pi_1"
    assert agreed.refund.refund_id == agreed.entry.refund_id != agreed.memo.credit_id == agreed.entry.credit_id
    assert (agreed.memo.item, agreed.before) == ("CREDIT-PRICE", usd(3_000))


def test_the_newest_payment_that_has_enough_left_is_given_back(estate: Estate) -> None:
    payments = paid(20_000, back=19_000, source_id="pi_new"), paid(12_000, source_id="pi_old")
    assert refund_of(ASKED, known(), settled(*payments), "tx-1", estate).refund.payment_source_id == "pi_old"


@pytest.mark.parametrize(
    ("request_changed", "found", "code"),
    [
        ({}, [], "refund.invoice_unknown"),
        ({}, settled(status="open"), "refund.unpaid"),
        ({}, settled(status="void"), "refund.unpaid"),
        ({}, settled(), "refund.paid_elsewhere"),
        ({}, settled(paid(back=20_000)), "refund.already_refunded"),
        ({"amount_text": "200.01"}, settled(paid()), "refund.exceeds"),
        ({"amount_text": "170.01"}, settled(paid(back=3_000)), "refund.exceeds"),
        ({"amount_text": "200"}, settled(paid(10_000), paid(10_000, source_id="pi_2")), "refund.several_payments"),
        ({}, settled(paid(on=date(2026, 5, 24))), "refund.too_late"),
        ({"amount_text": "120.001"}, settled(paid()), "money.too_many_decimals"),
        ({"reason": "weather"}, settled(paid()), "map.missing"),
    ],
)
def test_what_cannot_be_refunded_is_refused_by_name(
    estate: Estate, request_changed: dict[str, Any], found: list[Settlement], code: str
) -> None:
    with pytest.raises(AccordantError) as refused:
        refund_of(asked(**request_changed), known(), found, "tx-1", estate)
    assert refused.value.code == code
    assert refused.value.hint


def test_the_last_unit_and_the_last_day_are_given_back(estate: Estate) -> None:
    on_time = settled(paid(on=date(2026, 5, 25)))
    assert refund_of(asked(amount_text="200"), known(), on_time, "tx-1", estate).refund.amount == usd(20_000)


def test_what_went_back_while_it_was_in_review_is_seen(estate: Estate) -> None:
    refund = refund_of(ASKED, known(), settled(paid()), "tx-1", estate).refund
    still_left(ASKED, refund, settled(paid(back=8_000)), estate)
    for found, code in (
        (settled(paid(back=8_001)), "refund.exceeds"),
        (settled(paid(back=20_000)), "refund.already_refunded"),
        ([], "refund.invoice_unknown"),
    ):
        with pytest.raises(Terminal) as refused:
            still_left(ASKED, refund, found, estate)
        assert refused.value.code == code


def test_a_refund_made_by_hand_names_the_money(estate: Estate) -> None:
    made = PaymentRefunded(source_id="re_1", payment_source_id="pi_1", amount=usd(500), refunded_on=date(2026, 11, 21))
    with pytest.raises(Terminal, match=r"5\.00 USD") as shown:
        agreed_to(made, estate)
    assert (shown.value.code, shown.value.detail["record"]) == ("control.bypassed", "re_1")
