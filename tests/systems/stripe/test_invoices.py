"""Invoices as Stripe's own client sees them end, and what the events about them tell us."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import stripe

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.invoice import InvoiceFinalized, InvoiceVoided
from accordant.canonical.payment import PaymentReceived
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.systems.stripe.mapping import translate
from tests.systems.stripe.account import CUSTOMER, Running, terms

TODAY = datetime.now(UTC).date()
LINE = {"product": "GTXB", "description": "Seats", "quantity": 2, "amount": 10_000}
BILL: dict[str, Any] = {
    "id": "in_1",
    "number": "ACME-0001",
    "customer_id": "customer-1",
    "currency": "usd",
    "due_on": "2030-01-31",
    "issued_on": "2026-11-20",
    "lines": [LINE, {"description": "Set-up", "amount": 500}],
    "tax": 840,
    "auto_advance": True,
}


def message(event: Any) -> Message:
    return Message(
        message_id="m",
        tenant="t",
        connection="stripe",
        stream="webhook",
        delivery_id=event["id"],
        body=json.dumps(event).encode(),
        received_at_ms=1000 * int(datetime.now(UTC).timestamp()),
        correlation_id="c",
    )


async def events(running: Running, *types: str, version: str | None = None) -> list[Any]:
    """What was told, oldest first."""
    asked = "&".join(f"types[{place}]={one}" for place, one in enumerate(types))
    headers = {} if version is None else {"Stripe-Version": version}
    _, _, listed = await running.raw("GET", f"/v1/events?limit=100&{asked}", headers=headers)
    return list(reversed(listed["data"]))


async def billed(running: Running, act: Callable[[Any], Any] = lambda _: None, **changes: Any) -> None:
    await running.ask(lambda client: client.v1.customers.create(CUSTOMER))
    await running.admin("POST", "load", {"invoices": [{**BILL, **changes}]})
    await running.ask(act)


def told(event: Any) -> Told:
    found = translate(message(event))
    assert isinstance(found, list)
    (one,) = found
    return one


@pytest.mark.parametrize("version", [None, "2024-06-20"])
async def test_a_finalized_invoice_is_told_with_its_lines_tax_and_dates(running: Running, version: str | None) -> None:
    await billed(running)
    (event,) = await events(running, "invoice.finalized", version=version)
    found = told(event)
    assert isinstance(found.fact, InvoiceFinalized)
    invoice = found.fact.invoice
    assert (invoice.number, invoice.source_id, invoice.status) == ("ACME-0001", "in_1", "open")
    assert [(one.product_word, one.quantity, one.total.amount_minor) for one in invoice.lines] == [
        ("GTXB", 2, 10_000),
        ("", 1, 500),
    ]
    assert (invoice.tax, invoice.total, invoice.remaining) == (
        Money(840, "USD"),
        Money(11_340, "USD"),
        Money(11_340, "USD"),
    )
    assert (invoice.issued_on, invoice.due_on, invoice.covered) == (
        date(2026, 11, 20),
        date(2030, 1, 31),
        Money(0, "USD"),
    )
    assert (found.source_record, found.subject) == ("stripe/invoice/in_1#finalized", "ACME-0001")
    assert found.orderingkey == invoice.customer_source_id == event["data"]["object"]["customer"]


async def test_paying_by_card_tells_one_payment_by_two_types_of_event(running: Running) -> None:
    await billed(running, lambda client: client.v1.invoices.pay("in_1", {"payment_method": "pm_card_visa"}))
    both = [told(one) for one in await events(running, "invoice.paid", "invoice.payment_succeeded")]
    assert len(both) == 2
    assert both[0] == both[1]
    assert isinstance(both[0].fact, PaymentReceived)
    assert (both[0].fact.amount, both[0].fact.paid_on) == (Money(11_340, "USD"), TODAY)
    assert both[0].fact.invoice.remaining == Money(0, "USD")
    assert both[0].source_record == "stripe/invoice/in_1#paid"


async def test_what_credit_covers_wholly_is_paid_with_nothing(running: Running) -> None:
    def credited(client: Any) -> None:
        owner = client.v1.customers.list().data[0]
        client.v1.customers.balance_transactions.create(owner.id, {"amount": -11_340, "currency": "usd"})

    await billed(running, credited, auto_advance=False, status="draft")
    await running.admin("POST", "load", {"advance": ["in_1"]})
    closed, paid = [told(one).fact for one in await events(running, "invoice.finalized", "invoice.paid")]
    assert isinstance(closed, InvoiceFinalized)
    assert isinstance(paid, PaymentReceived)
    assert (closed.invoice.covered, closed.invoice.remaining) == (Money(11_340, "USD"), Money(0, "USD"))
    assert (paid.amount, paid.invoice.covered) == (Money(0, "USD"), Money(11_340, "USD"))


async def test_voiding_is_told_gives_the_balance_back_and_cannot_be_repeated(running: Running) -> None:
    def story(client: Any) -> None:
        owner = client.v1.customers.list().data[0]
        client.v1.customers.balance_transactions.create(owner.id, {"amount": -300, "currency": "usd"})
        done = client.v1.invoices.finalize_invoice("in_1")
        assert client.v1.customers.retrieve(owner.id).balance == 0
        assert (done.amount_due, done.status) == (11_040, "open")
        assert client.v1.invoices.void_invoice("in_1").status == "void"
        entries = client.v1.customers.balance_transactions.list(owner.id).data
        assert [(one.type, one.amount) for one in entries[:2]] == [
            ("unapplied_from_invoice", -300),
            ("applied_to_invoice", 300),
        ]
        assert client.v1.customers.retrieve(owner.id).balance == -300
        for act in (client.v1.invoices.void_invoice, client.v1.invoices.pay, client.v1.invoices.mark_uncollectible):
            with pytest.raises(stripe.InvalidRequestError, match="void"):
                act("in_1")

    await billed(running, story, auto_advance=False, status="draft")
    (event,) = await events(running, "invoice.voided")
    found = told(event)
    assert isinstance(found.fact, InvoiceVoided)
    assert (found.fact.voided_on, found.fact.invoice.status) == (TODAY, "void")
    assert found.source_record == "stripe/invoice/in_1#voided"


async def test_an_uncollectible_invoice_tells_nothing_and_may_still_be_voided(running: Running) -> None:
    def story(client: Any) -> None:
        assert client.v1.invoices.mark_uncollectible("in_1").status == "uncollectible"
        assert client.v1.invoices.void_invoice("in_1").status == "void"

    await billed(running, story)
    (event,) = await events(running, "invoice.marked_uncollectible")
    assert translate(message(event)) == Ignored(reason="not_used")


async def test_numbers_count_up_by_customer(running: Running) -> None:
    def story(client: Any) -> list[str]:
        customer = client.v1.customers.create(CUSTOMER)
        started = [client.v1.subscriptions.create(terms(customer.id)).latest_invoice for _ in range(2)]
        return [client.v1.invoices.finalize_invoice(one).number for one in started]

    first, second = await running.ask(story)
    assert first[:-4] == second[:-4]
    assert (first[-5:], second[-5:]) == ("-0001", "-0002")


async def test_of_many_lines_the_event_shows_ten_and_says_that_more_are_left(running: Running) -> None:
    await billed(running, lines=[{**LINE, "amount": n} for n in range(1, 26)])
    (event,) = await events(running, "invoice.finalized")
    invoice = told(event).fact.invoice  # pyright: ignore[reportAttributeAccessIssue]
    assert (len(invoice.lines), invoice.lines_left) == (10, True)

    def amounts(client: Any) -> list[int]:
        return [one.amount for one in client.v1.invoices.line_items.list("in_1", {"limit": 4}).auto_paging_iter()]

    assert await running.ask(amounts) == list(range(1, 26))


async def test_three_currencies_keep_their_own_smallest_unit(running: Running) -> None:
    await running.ask(lambda client: client.v1.customers.create(CUSTOMER))
    given = [("jpy", 15_000, Money(15_000, "JPY")), ("isk", 150_000, Money(1_500, "ISK")), ("kwd", 1_230, None)]
    for code, total, _ in given:
        lines = [{**LINE, "amount": total}]
        one = {**BILL, "id": f"in_{code}", "number": code, "currency": code, "lines": lines, "tax": 0}
        await running.admin("POST", "load", {"invoices": [one]})
    found = [told(one).fact for one in await events(running, "invoice.finalized")]
    totals = [one.invoice.total for one in found]  # pyright: ignore[reportAttributeAccessIssue]
    assert totals == [Money(15_000, "JPY"), Money(1_500, "ISK"), Money(1_230, "KWD")]


def a_record(**changes: Any) -> dict[str, Any]:
    line = {"id": "il_1", "amount": 100, "currency": "usd", "taxes": [{"amount": 7, "tax_behavior": "inclusive"}]}
    given: dict[str, Any] = {
        "id": "in_1",
        "number": "N-1",
        "customer": "cus_1",
        "currency": "usd",
        "created": 1_763_600_000,
        "lines": {"data": [{**line, "discount_amounts": [{"amount": 10}]}]},
        "total": 90,
        "amount_due": 90,
        "amount_paid": 0,
        "amount_remaining": 90,
        "total_taxes": [{"amount": 7, "tax_behavior": "inclusive"}],
    }
    return {**given, **changes}


def an_event(kind: str = "invoice.finalized", **changes: Any) -> dict[str, Any]:
    record = a_record(**changes)
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1_763_600_001, "data": {"object": record}}


def test_discounts_and_tax_within_the_price_leave_the_lines() -> None:
    invoice = told(an_event()).fact.invoice  # pyright: ignore[reportAttributeAccessIssue]
    assert ([one.total.amount_minor for one in invoice.lines], invoice.tax.amount_minor) == ([83], 7)


def test_a_payment_of_a_part_waits_for_the_rest() -> None:
    assert translate(message(an_event("invoice.payment_succeeded", status="open"))) == Ignored(reason="partly_paid")


@pytest.mark.parametrize(
    ("changes", "code", "at"),
    [
        ({"total": 91}, "invoice.sum", "/data/object/total"),
        ({"total": "90"}, "invoice.format", "/data/object/total"),
        ({"number": None}, "invoice.format", "/data/object/number"),
        ({"customer": None}, "invoice.format", "/data/object/customer"),
        ({"currency": "usx"}, "currency.mismatch", "/data/object/lines/data/0/currency"),
        ({"created": 32_503_680_000}, "time.out_of_range", "/data/object/effective_at"),
        ({"created": 4_000_000_000}, "time.future", "/data/object/effective_at"),
    ],
)
def test_what_cannot_be_read_is_named_at_its_place(changes: dict[str, Any], code: str, at: str) -> None:
    with pytest.raises(Malformed) as wrong:
        translate(message(an_event(**changes)))
    assert (wrong.value.code, wrong.value.detail["pointer"]) == (code, at)
