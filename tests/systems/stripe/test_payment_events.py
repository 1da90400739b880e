"""A charge that failed is a fact for each time it was tried; an invoice becomes overdue once."""

from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Message, Told
from accordant.canonical.invoice import InvoiceOverdue
from accordant.canonical.payment import PaymentFailed
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.systems.stripe.mapping import translate

AT_S = 1_780_000_000
INVOICE: dict[str, Any] = {
    "id": "in_1",
    "object": "invoice",
    "number": "F-1",
    "customer": "cus_1",
    "currency": "usd",
    "created": AT_S - 100,
    "status": "open",
    "total": 5_000,
    "amount_due": 5_000,
    "amount_paid": 0,
    "amount_remaining": 5_000,
    "attempt_count": 2,
    "due_date": None,
    "lines": {"data": [{"id": "il_1", "amount": 5_000, "currency": "usd", "quantity": 1}], "has_more": False},
}


def told(kind: str, *, created: object = AT_S, **changes: Any) -> Told:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": created,
        "data": {"object": {**INVOICE, **changes}},
    }
    message = Message(
        message_id="msg-1",
        tenant="t",
        connection="stripe",
        stream="webhook",
        delivery_id="evt_1",
        body=msgspec.json.encode(event),
        received_at_ms=AT_S * 1000,
        correlation_id="c",
    )
    found = translate(message)
    assert isinstance(found, list)
    (one,) = found
    return one


def test_a_charge_that_failed_is_told_with_its_count() -> None:
    one = told("invoice.payment_failed")
    assert isinstance(one.fact, PaymentFailed)
    assert (one.fact.attempt, one.fact.failed_on.isoformat()) == (2, "2026-05-28")
    assert (one.fact.invoice.remaining, one.fact.invoice.due_on) == (Money(5_000, "USD"), None)
    assert (one.subject, one.orderingkey, one.happened_at_ms) == ("F-1", "cus_1", AT_S * 1000)


def test_each_charge_is_a_fact_of_its_own_and_the_same_one_is_none_again() -> None:
    second, third = told("invoice.payment_failed"), told("invoice.payment_failed", attempt_count=3)
    assert second.source_record != third.source_record
    again = told("invoice.payment_failed", amount_remaining=1, created=AT_S + 60)
    assert (again.source_record, again.content) == (second.source_record, second.content)


def test_an_invoice_is_overdue_once_whatever_is_left_of_it() -> None:
    one = told("invoice.overdue", due_date=AT_S - 86_400)
    assert isinstance(one.fact, InvoiceOverdue)
    assert one.fact.invoice.due_on is not None
    again = told("invoice.overdue", due_date=AT_S - 86_400, amount_remaining=10)
    assert (again.source_record, again.content) == (one.source_record, one.content)


@pytest.mark.parametrize("count", [None, 0, -1, True, "2", 1.5])
def test_a_count_that_is_none_is_named(count: object) -> None:
    with pytest.raises(Malformed) as wrong:
        told("invoice.payment_failed", attempt_count=count)
    assert (wrong.value.code, wrong.value.detail["pointer"]) == ("invoice.format", "/data/object/attempt_count")
    assert wrong.value.hint


@pytest.mark.parametrize("kind", ["invoice.payment_failed", "invoice.overdue"])
def test_an_event_without_its_instant_is_named(kind: str) -> None:
    with pytest.raises(Malformed) as wrong:
        told(kind, created=None)
    assert wrong.value.detail["pointer"] == "/created"
