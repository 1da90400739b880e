"""An invoice is posted once, paid or countered by entries of their own, and the books always say what is left of it."""

from collections.abc import AsyncGenerator
from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.canonical.invoice import CreditNote, Invoice, RevenueLine
from accordant.canonical.operation import Receipt
from accordant.canonical.payment import Payment
from accordant.kernel.errors import Rejected
from accordant.kernel.money import Money
from accordant.systems.netsuite.client import NetSuite
from tests.systems.netsuite.account import Account
from tests.systems.netsuite.connected import ATTEMPT, connected, verified
from tests.systems.netsuite.sold import customer

LINES = (
    RevenueLine(line_id="il_1", item="SKU-1", description="Seats", quantity=3, total=Money(10_000, "USD")),
    RevenueLine(line_id="il_2", item="SKU-2", description="", quantity=1, total=Money(-1_000, "USD")),
)
OURS: dict[str, Any] = {
    "invoice_id": "invoice-1",
    "number": "ACME-0001",
    "customer_id": "customer-1",
    "legal_entity": "US01",
    "erp_entity": "US01",
}
BILLED: dict[str, Any] = {**OURS, "lines": LINES, "tax": Money(742, "USD"), "tax_item": "SKU-2"}
INVOICE = Invoice(**BILLED, total=Money(9_742, "USD"), posted_on=date(2026, 10, 15), due_on=date(2026, 11, 14))
NOTE = CreditNote(
    **BILLED,
    note_id="credit_note-1",
    total=Money(9_742, "USD"),
    applied=Money(9_742, "USD"),
    reason="voided",
    posted_on=date(2026, 10, 20),
)
PAYMENT = Payment(**OURS, payment_id="payment-1", amount=Money(4_000, "USD"), paid_on=date(2026, 10, 20))


@pytest.fixture
async def erp(account: Account) -> AsyncGenerator[NetSuite]:
    async with connected(account) as client:
        await client.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
        yield client


async def posted(erp: NetSuite) -> Receipt:
    return (await erp.post_invoice(INVOICE).send(ATTEMPT)).receipt


async def left(account: Account) -> tuple[str, str, str]:
    """What SuiteQL says is unpaid, the status letter, and what REST says is left."""
    page = await account.query("SELECT foreignamountunpaid, status FROM transaction WHERE type = 'CustInvc'")
    (row,) = page.body["items"]
    shown = (await account.call("GET", "/record/v1/invoice/eid:invoice-1")).body
    return row["foreignamountunpaid"], row["status"], str(shown["amountRemaining"])


async def test_an_invoice_sent_twice_is_one_with_its_tax_as_a_line(account: Account, erp: NetSuite) -> None:
    operation = erp.post_invoice(INVOICE)
    first, second = await operation.send(ATTEMPT), await operation.send(ATTEMPT)
    assert first.receipt == second.receipt
    assert await verified(erp, operation, second)
    assert await operation.look_up(ATTEMPT) is not None  # pyright: ignore[reportOptionalCall]
    (held,) = (await account.admin("GET", "state"))["invoice"]
    assert [(one["product"], one["amount_minor"]) for one in held["lines"]] == [
        ("SKU-1", 10_000),
        ("SKU-2", -1_000),
        ("SKU-2", 742),
    ]
    assert (held["amount_minor"], held["number"], held["due"], held["status"]) == (
        9_742,
        "ACME-0001",
        "2026-11-14",
        "open",
    )


async def test_a_payment_settles_once_however_often_it_is_sent(account: Account, erp: NetSuite) -> None:
    invoice = await posted(erp)
    operation = erp.post_payment(PAYMENT, invoice=invoice)
    assert await left(account) == ("97.42", "A", "97.42")
    for _ in range(2):
        done = await operation.send(ATTEMPT)
        assert await left(account) == ("57.42", "A", "57.42")
    assert await verified(erp, operation, done)
    rest = msgspec.structs.replace(PAYMENT, payment_id="payment-2", amount=Money(5_742, "USD"))
    await erp.post_payment(rest, invoice=invoice).send(ATTEMPT)
    assert (await left(account))[:2] == ("0", "B")
    await posted(erp)  # the invoice sent once more forgets nothing of what was paid
    assert (await left(account))[:2] == ("0", "B")
    await account.call("DELETE", "/record/v1/customerPayment/eid:payment-2")
    assert (await left(account))[:2] == ("57.42", "A")


async def test_a_credit_note_counters_the_invoice_which_stays(account: Account, erp: NetSuite) -> None:
    operation = erp.post_credit_note(NOTE, invoice=await posted(erp))
    done = [await operation.send(ATTEMPT) for _ in range(2)][-1]
    assert await verified(erp, operation, done)
    assert (await left(account))[:2] == ("0", "B")
    state = await account.admin("GET", "state")
    assert [one["amount_minor"] for one in (*state["invoice"], *state["credit_memo"])] == [9_742, 9_742]
    assert state["credit_memo"][0]["unapplied"] == "0"


async def test_nothing_is_settled_beyond_what_is_left(account: Account, erp: NetSuite) -> None:
    invoice = await posted(erp)
    await erp.post_payment(PAYMENT, invoice=invoice).send(ATTEMPT)
    with pytest.raises(Rejected, match="cannot exceed"):
        await erp.post_credit_note(NOTE, invoice=invoice).send(ATTEMPT)
    nowhere = Receipt(kind="invoice", native_id="99999", business_id="invoice-9")
    other = msgspec.structs.replace(PAYMENT, payment_id="payment-3")
    with pytest.raises(Rejected, match="doc"):
        await erp.post_payment(other, invoice=nowhere).send(ATTEMPT)
    assert (await left(account))[0] == "57.42"
    assert (await account.admin("GET", "state"))["credit_memo"] == []


@pytest.mark.parametrize("verb", ["post_invoice", "post_payment", "post_credit_note"])
async def test_a_closed_period_is_named(account: Account, erp: NetSuite, verb: str) -> None:
    invoice = await posted(erp)
    period = {"starts_on": "2026-10-01", "ends_on": "2026-10-31"}
    await account.admin("POST", "load", {"periods": [period]})
    later = msgspec.structs.replace(INVOICE, invoice_id="invoice-2")
    asked = {
        "post_invoice": lambda: erp.post_invoice(later),
        "post_payment": lambda: erp.post_payment(PAYMENT, invoice=invoice),
        "post_credit_note": lambda: erp.post_credit_note(NOTE, invoice=invoice),
    }
    with pytest.raises(Rejected) as refused:
        await asked[verb]().send(ATTEMPT)
    assert refused.value.code == "netsuite.closed_period"
    assert refused.value.detail["closed_period"] == "2026-10"
