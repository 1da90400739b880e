"""Refunds and disputed invoices, in the words of the official client and through ours."""

from datetime import date
from typing import Any

import pytest
import stripe

from accordant.canonical.dispute import Dispute
from accordant.canonical.operation import Attempt, ReadRef, Receipt
from accordant.canonical.refund import Refund
from accordant.canonical.settlement import Settlement
from accordant.kernel.errors import Malformed, Rejected, Unknown
from accordant.kernel.money import Money
from accordant.systems.stripe.client import StripeBilling
from tests.systems.stripe.account import Running, connected, opened, proved, send

DAY = "2026-11-20"
PAID: dict[str, Any] = {"currency": "usd", "due_on": "2026-11-30", "status": "paid", "paid_on": DAY}


async def billed(running: Running, number: str, *, total: int = 20_000, **more: Any) -> None:
    """A card paid it unless `more` says otherwise."""
    invoice = {**PAID, "customer_id": "customer-1", "number": number, "total": total, **more}
    await running.admin("POST", "load", {"invoices": [invoice]})


async def settled(billing: StripeBilling, number: str, account: Receipt) -> Settlement:
    found = await billing.settlement(number, account=account)
    assert found is not None
    return found


def a_refund(found: Settlement, minor: int, *, number: int = 1) -> Refund:
    return Refund(
        refund_id=f"refund-{number}",
        customer_id="customer-1",
        case_id="4711",
        invoice_number=found.number,
        payment_source_id=found.payments[0].source_id,
        amount=Money(minor, "USD"),
        reason="overcharge",
        refunded_on=date(2026, 12, 1),
    )


def a_dispute(found: Settlement, status: str = "open") -> Dispute:
    return Dispute(
        dispute_id="dispute-1",
        customer_id="customer-1",
        case_id="4711",
        invoice_number=found.number,
        invoice_source_id=found.source_id,
        disputed=found.remaining,
        status=status,
        opened_at_ms=1,
    )


async def test_the_official_client_refunds_in_parts_and_never_beyond_the_charge(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
    await billed(running, "INV-1")

    def story(client: Any) -> None:
        invoice = next(one for one in client.v1.invoices.list().data if one.number == "INV-1")
        (payment,) = client.v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).data
        intent = payment.payment.payment_intent
        first = client.v1.refunds.create({"payment_intent": intent, "amount": 5_000, "metadata": {"refund_id": "r"}})
        assert (first.status, first.amount, first.currency) == ("succeeded", 5_000, "usd")
        with pytest.raises(stripe.InvalidRequestError) as beyond:
            client.v1.refunds.create({"payment_intent": intent, "amount": 15_001})
        assert beyond.value.param == "amount"
        rest = client.v1.refunds.create({"charge": first.charge})
        assert rest.amount == 15_000
        with pytest.raises(stripe.InvalidRequestError) as again:
            client.v1.refunds.create({"charge": first.charge})
        assert again.value.code == "charge_already_refunded"
        charge = client.v1.charges.retrieve(first.charge)
        assert (charge.amount_refunded, charge.refunded, charge.customer) == (20_000, True, account.native_id)
        assert [one.id for one in client.v1.refunds.list({"payment_intent": intent}).data] == [rest.id, first.id]
        told = [event.type for event in reversed(client.v1.events.list().data)]
        assert told[-4:] == ["refund.created", "charge.refunded"] * 2

    await running.ask(story)


async def test_the_official_client_pays_by_card_and_stops_reminders(running: Running) -> None:
    async with connected(running) as billing:
        await opened(billing)
    await billed(running, "INV-2", status="open")

    def story(client: Any) -> None:
        (invoice,) = client.v1.invoices.list({"status": "open"}).data
        held = client.v1.invoices.update(invoice.id, {"auto_advance": False, "metadata": {"dispute_id": "d"}})
        assert (held.auto_advance, held.metadata["dispute_id"], held.status) == (False, "d", "open")
        paid = client.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        assert (paid.status, paid.amount_remaining) == ("paid", 0)
        (payment,) = client.v1.invoice_payments.list({"invoice": invoice.id}).data
        assert payment.amount_paid == 20_000
        assert client.v1.invoices.update(invoice.id, {"auto_advance": True}).auto_advance is False

    await running.ask(story)


async def test_a_refund_is_made_once_found_again_and_read_back(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        await billed(running, "INV-1")
        before = await settled(billing, "INV-1", account)
        assert before.payments[0].paid_on == date.fromisoformat(DAY)
        refund = billing.refund_payment(a_refund(before, 5_000))
        assert refund.look_up is not None
        assert await refund.look_up(Attempt(key="k")) is None
        first, again = await send(refund), await send(refund)
        assert first.receipt == again.receipt == (await _found(refund)).receipt
        assert await proved(billing, refund, first.receipt)
        after = await settled(billing, "INV-1", account)
        assert (after.payments[0].refunded, after.payments[0].left) == (Money(5_000, "USD"), Money(15_000, "USD"))
    assert [line["amount_minor"] for line in running.ledger("refund")] == [5_000]


async def test_a_lost_answer_is_found_by_our_id_not_by_amount(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        await billed(running, "INV-1")
        found = await settled(billing, "INV-1", account)
        await send(billing.refund_payment(a_refund(found, 5_000, number=7)), "other")
        await running.fault("error_after_apply", "refund.create", count=1)
        refund = billing.refund_payment(a_refund(found, 5_000))
        with pytest.raises(Unknown):
            await send(refund)
        assert (await _found(refund)).receipt.business_id == "refund-1"
    assert len(running.ledger("refund")) == 2


async def test_more_than_was_paid_is_refused_by_stripe_and_nothing_of_nothing_before(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        await billed(running, "INV-1")
        found = await settled(billing, "INV-1", account)
        with pytest.raises(Rejected, match="greater than unrefunded"):
            await send(billing.refund_payment(a_refund(found, 20_001)))
        with pytest.raises(Malformed) as nothing:
            billing.refund_payment(a_refund(found, 0))
        assert nothing.value.code == "refund.not_positive"


async def test_an_invoice_is_looked_for_among_its_customers_own(running: Running) -> None:
    async with connected(running) as billing:
        account, other = await opened(billing, 1), await opened(billing, 2)
        await billed(running, "INV-1")
        assert await billing.settlement("INV-1", account=other) is None
        assert await billing.settlement("INV-2", account=account) is None
        open_one = {"customer_id": "customer-1", "number": "INV-4", "total": 700, "currency": "usd"}
        await running.admin("POST", "load", {"invoices": [{**open_one, "status": "paid"}]})
        outside = await settled(billing, "INV-4", account)
        assert (outside.status, outside.payments) == ("paid", ())


async def test_a_disputed_invoice_is_not_asked_for_until_it_is_again(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        await billed(running, "INV-5", status="open")
        found = await settled(billing, "INV-5", account)
        assert found.is_collected
        stop = billing.stop_collecting(a_dispute(found))
        receipt = (await send(stop, "stop")).receipt
        assert receipt.business_id == "INV-5"
        assert await _shows(billing, stop, receipt)
        assert not (await settled(billing, "INV-5", account)).is_collected
        start = billing.collect_again(a_dispute(found, "confirmed"), owes=True)
        assert start.look_up is not None
        assert await start.look_up(Attempt(key="k")) is None
        await send(start, "start")
        assert await _shows(billing, start, receipt)
        assert not await _shows(billing, stop, receipt)
        assert (await settled(billing, "INV-5", account)).is_collected


async def _found(operation: Any) -> Any:
    found = await operation.look_up(Attempt(key="k"))
    assert found is not None
    return found


async def _shows(billing: StripeBilling, operation: Any, receipt: Receipt) -> bool:
    ref = ReadRef(kind=receipt.kind, native_id=receipt.native_id, business_id=receipt.business_id)
    facts = (await billing.read_back(receipt.kind, [ref]))[receipt.native_id]
    return all(facts[name] == value for name, value in operation.expected.items())
