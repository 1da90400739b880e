"""A disputed invoice is lowered by one credit note, which our client finds again and reads back."""

from datetime import date
from typing import Any

import pytest

from accordant.canonical.dispute import InvoiceCredit
from accordant.canonical.operation import Attempt, Receipt
from accordant.canonical.settlement import Settlement
from accordant.kernel.errors import Malformed, Unknown
from accordant.kernel.money import Money
from accordant.systems.stripe.client import StripeBilling
from tests.systems.stripe.account import Running, connected, opened, proved, send
from tests.systems.stripe.test_refunds import a_dispute, billed, settled

_ATTEMPT = Attempt(key="k-note")


def a_credit(found: Settlement, minor: int, *, off_owed: int) -> InvoiceCredit:
    return InvoiceCredit(
        credit_id="credit-1",
        dispute_id="dispute-1",
        customer_id="customer-1",
        case_id="4711",
        invoice_number=found.number,
        invoice_source_id=found.source_id,
        amount=Money(minor, "USD"),
        off_owed=Money(off_owed, "USD"),
        granted_on=date(2026, 12, 1),
    )


async def opened_invoice(running: Running, billing: StripeBilling) -> tuple[Receipt, Settlement]:
    account = await opened(billing)
    await billed(running, "INV-5", status="open")
    return account, await settled(billing, "INV-5", account)


async def test_a_credit_note_lowers_what_is_owed_once(running: Running) -> None:
    async with connected(running) as billing:
        account, found = await opened_invoice(running, billing)
        crediting = billing.credit_invoice(a_credit(found, 8_000, off_owed=8_000))
        await running.fault("error_after_apply", "credit_note.create", count=1)
        with pytest.raises(Unknown):
            await send(crediting)
        assert crediting.look_up is not None
        again = await crediting.look_up(_ATTEMPT)
        assert again is not None
        assert await proved(billing, crediting, again.receipt)
        assert (await settled(billing, "INV-5", account)).remaining == Money(12_000, "USD")
        passed_over = await billing.settlement("INV-5", account=account, apart_from="credit-1")
        assert passed_over is not None
        assert passed_over.remaining == Money(20_000, "USD")
    (note,) = running.ledger("credit_note")
    assert (note["business_id"], note["amount_minor"]) == ("credit-1", 8_000)


async def test_what_was_paid_meanwhile_becomes_credit_for_the_next_invoice(running: Running) -> None:
    async with connected(running) as billing:
        account, found = await opened_invoice(running, billing)
        await billing.stop_collecting(a_dispute(found)).send(_ATTEMPT)

        def pays(client: Any) -> None:
            client.v1.invoices.pay(found.source_id, {"payment_method": "pm_card_visa"})

        await running.ask(pays)
        receipt = (await send(billing.credit_invoice(a_credit(found, 3_000, off_owed=0)))).receipt
        assert receipt.business_id == "credit-1"
        held = await running.ask(lambda client: client.v1.customers.retrieve(account.native_id))
        assert held.balance == -3_000
        over = billing.collect_again(a_dispute(found, "credited"), owes=False)
        await send(over, "over")
        after = await settled(billing, "INV-5", account)
        assert (after.status, after.is_collected) == ("paid", False)


async def test_a_credit_of_nothing_is_refused_before_it_is_sent(running: Running) -> None:
    async with connected(running) as billing:
        _, found = await opened_invoice(running, billing)
        with pytest.raises(Malformed) as refused:
            billing.credit_invoice(a_credit(found, 0, off_owed=0))
        assert refused.value.code == "credit.not_positive"
