"""One-off invoices and credit notes as made by Stripe's own Python client, which none of us wrote."""

from typing import Any

import pytest
import stripe

from tests.systems.stripe.account import CUSTOMER, Running

DECEMBER_2010 = 1_291_192_000


def an_invoice(client: Any, *, number: str | None = None, prices: tuple[tuple[int, int], ...] = ((255, 6),)) -> Any:
    """Finalized, with a line for each unit price and quantity."""
    customer = client.v1.customers.create(CUSTOMER)
    named = {"number": number} if number else {}
    draft = client.v1.invoices.create(
        {
            "customer": customer.id,
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "currency": "gbp",
            "effective_at": DECEMBER_2010,
            **named,
        }
    )
    lines = [
        {"price_data": {"currency": "gbp", "product": "GTXB", "unit_amount": unit}, "quantity": quantity}
        for unit, quantity in prices
    ]
    client.v1.invoices.add_lines(draft.id, {"lines": lines})
    return client.v1.invoices.finalize_invoice(draft.id)


def a_note(client: Any, invoice: Any, **given: Any) -> Any:
    return client.v1.credit_notes.create({"invoice": invoice.id, **given})


def events(running: Running) -> list[dict[str, Any]]:
    sandbox: Any = running.sandbox
    return sandbox.books.events.values()


async def test_an_invoice_is_made_line_by_line_and_finalized_under_its_own_number(running: Running) -> None:
    def story(client: Any) -> None:
        invoice = an_invoice(client, number="536365", prices=((255, 6), (339, 6)))
        assert (invoice.number, invoice.status, invoice.total) == ("536365", "open", 6 * 255 + 6 * 339)
        assert (invoice.amount_remaining, invoice.effective_at) == (invoice.total, DECEMBER_2010)
        assert [(line.quantity, line.amount) for line in invoice.lines.data] == [(6, 1530), (6, 2034)]
        assert invoice.lines.data[0].pricing.price_details.product == "GTXB"
        listed = client.v1.invoices.line_items.list(invoice.id, {"limit": 1})
        assert [line.amount for line in listed.auto_paging_iter()] == [1530, 2034]
        with pytest.raises(stripe.InvalidRequestError, match="draft"):
            client.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1}]})
        with pytest.raises(stripe.InvalidRequestError, match="used before"):
            an_invoice(client, number="536365")
        assert an_invoice(client).number.endswith("-0001")

    await running.ask(story)
    told = events(running)
    assert [one["type"] for one in told if one["data"]["object"].get("number") == "536365"] == [
        "invoice.created",
        "invoice.updated",
        "invoice.finalized",
    ]
    assert running.ledger("invoice")[2]["amount_minor"] == 3564


async def test_a_note_lowers_what_is_owed_and_what_it_lowers_wholly_is_paid(running: Running) -> None:
    def story(client: Any) -> None:
        invoice = an_invoice(client)
        lines = [{"type": "custom_line_item", "description": "Broken", "quantity": 2, "unit_amount": 255}]
        note = a_note(client, invoice, lines=lines, reason="product_unsatisfactory", metadata={"document_number": "C1"})
        assert (note.total, note.type, note.status, note.pre_payment_amount) == (510, "pre_payment", "issued", 510)
        assert note.number == f"{invoice.number}-CN-01"
        left = client.v1.invoices.retrieve(invoice.id)
        assert (left.amount_remaining, left.pre_payment_credit_notes_amount, left.status) == (1020, 510, "open")
        assert left.total == 1530
        second = a_note(client, invoice, amount=1020)
        assert client.v1.invoices.retrieve(invoice.id).status == "paid"
        listed = client.v1.credit_notes.list({"invoice": invoice.id})
        assert [one.id for one in listed.data] == [second.id, note.id]
        with pytest.raises(stripe.InvalidRequestError, match="exceeds"):
            a_note(client, invoice, amount=1)

    await running.ask(story)
    assert [line["amount_minor"] for line in running.ledger("credit_note")] == [510, 1020]


async def test_what_was_paid_goes_back_to_the_balance(running: Running) -> None:
    def story(client: Any) -> None:
        invoice = an_invoice(client)
        client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})
        with pytest.raises(stripe.InvalidRequestError, match="post payment amount"):
            a_note(client, invoice, amount=100)
        note = a_note(client, invoice, amount=100, credit_amount=100)
        assert (note.type, note.post_payment_amount) == ("post_payment", 100)
        held = client.v1.customers.retrieve(invoice.customer)
        assert held.balance == -100
        (entry,) = client.v1.customers.balance_transactions.list(invoice.customer).data
        assert (entry.type, entry.credit_note, entry.id) == ("credit_note", note.id, note.customer_balance_transaction)

    await running.ask(story)


async def test_a_note_is_void_only_while_its_invoice_is_open(running: Running) -> None:
    def story(client: Any) -> None:
        invoice = an_invoice(client)
        note = a_note(client, invoice, amount=500)
        void = client.v1.credit_notes.void_credit_note(note.id)
        assert (void.status, void.total) == ("void", 500)
        assert void.voided_at
        assert client.v1.invoices.retrieve(invoice.id).amount_remaining == 1530
        with pytest.raises(stripe.InvalidRequestError, match="already"):
            client.v1.credit_notes.void_credit_note(note.id)
        wholly = a_note(client, invoice, amount=1530)
        with pytest.raises(stripe.InvalidRequestError, match="open"):
            client.v1.credit_notes.void_credit_note(wholly.id)
        draft = client.v1.invoices.create({"customer": invoice.customer})
        with pytest.raises(stripe.InvalidRequestError, match="draft"):
            a_note(client, draft, amount=1)

    await running.ask(story)
    kinds = [one["type"] for one in events(running)]
    assert [kind for kind in kinds if kind.startswith("credit_note.")] == [
        "credit_note.created",
        "credit_note.voided",
        "credit_note.created",
    ]
