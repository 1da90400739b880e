"""Balances, their entries and invoices as seen by Stripe's own Python client, which none of us wrote."""

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import stripe

from accordant.backbone.message import Message, Told
from accordant.canonical.credit_note import BalanceCredited
from accordant.kernel.money import Money
from accordant.systems.stripe.mapping import translate
from tests.systems.stripe.account import CUSTOMER, Running, terms

CREDIT: dict[str, Any] = {"amount": -500, "currency": "usd", "metadata": {"credit_id": "credit-1"}}


async def test_entries_are_made_read_and_listed_and_move_the_balance(running: Running) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        entries = client.v1.customers.balance_transactions
        first = entries.create(customer.id, {**CREDIT, "description": "Sorry"})
        assert first.id.startswith("cbtxn_1")
        assert (first.type, first.amount, first.ending_balance) == ("adjustment", -500, -500)
        assert (first.customer, first.currency, first.description) == (customer.id, "usd", "Sorry")
        second = entries.create(customer.id, {"amount": 200, "currency": "USD"})
        assert (second.ending_balance, second.currency, second.metadata.to_dict()) == (-300, "usd", {})
        held = client.v1.customers.retrieve(customer.id)
        assert (held.balance, held.currency) == (-300, "usd")
        assert entries.retrieve(customer.id, first.id).amount == -500
        assert [one.id for one in entries.list(customer.id).data] == [second.id, first.id]
        owned = entries.retrieve(customer.id, first.id, {"expand": ["customer"]})
        assert owned.customer.metadata["customer_id"] == "customer-1"

    await running.ask(story)


async def test_entries_are_paged_and_filtered_within_their_customer(running: Running) -> None:
    def story(client: Any) -> None:
        customer, other = (client.v1.customers.create(CUSTOMER) for _ in range(2))
        entries = client.v1.customers.balance_transactions
        made = [entries.create(customer.id, {"amount": -n, "currency": "usd"}) for n in range(1, 26)]
        entries.create(other.id, CREDIT)
        newest_first = [one.id for one in reversed(made)]
        assert [one.id for one in entries.list(customer.id, {"limit": 4}).auto_paging_iter()] == newest_first
        page = entries.list(customer.id, {"limit": 3, "starting_after": newest_first[9]})
        assert ([one.id for one in page.data], page.has_more) == (newest_first[10:13], True)
        assert page.url == f"/v1/customers/{customer.id}/balance_transactions"
        assert entries.list(customer.id, {"created": {"lt": made[0].created}}).data == []
        with pytest.raises(stripe.InvalidRequestError) as strangers:
            entries.retrieve(other.id, made[0].id)
        assert strangers.value.http_status == 404

    await running.ask(story)


async def test_each_currency_has_a_balance_of_its_own_and_the_customers_is_the_first(running: Running) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        assert customer.currency is None
        entries = client.v1.customers.balance_transactions
        assert entries.create(customer.id, CREDIT).ending_balance == -500
        assert entries.create(customer.id, {"amount": -7, "currency": "eur"}).ending_balance == -7
        assert entries.create(customer.id, {"amount": -1, "currency": "eur"}).ending_balance == -8
        held = client.v1.customers.retrieve(customer.id)
        assert (held.balance, held.currency) == (-500, "usd")
        billed = client.v1.customers.create(CUSTOMER)
        client.v1.subscriptions.create(terms(billed.id))
        entries.create(billed.id, {"amount": -7, "currency": "eur"})
        held = client.v1.customers.retrieve(billed.id)
        assert (held.balance, held.currency) == (0, "usd")

    await running.ask(story)


async def test_a_key_repeats_an_entry_and_the_balance_moves_once(running: Running) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        entries = client.v1.customers.balance_transactions
        first, again = (entries.create(customer.id, CREDIT, {"idempotency_key": "k"}) for _ in range(2))
        assert first.id == again.id
        assert again.last_response.headers["idempotent-replayed"] == "true"
        with pytest.raises(stripe.IdempotencyError):
            entries.create(customer.id, {**CREDIT, "amount": -501}, {"idempotency_key": "k"})
        assert client.v1.customers.retrieve(customer.id).balance == -500

    await running.ask(story)
    assert [(line["business_id"], line["amount_minor"]) for line in running.ledger("credit")] == [("credit-1", 500)]


async def test_two_equal_entries_look_equal_in_the_ledger(running: Running) -> None:
    """Their ids differ; that one ended in another balance than the other must not hide a double."""

    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        for key in ("k1", "k2"):
            client.v1.customers.balance_transactions.create(customer.id, CREDIT, {"idempotency_key": key})

    await running.ask(story)
    first, second = ({**line["body"], "id": "", "created": 0} for line in running.ledger("credit"))
    assert first == second


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": "much"}, "parameter_invalid_integer", "amount"),
        ({"currency": "dollars"}, None, "currency"),
        ({"type": "adjustment"}, "parameter_unknown", "type"),
        ({"description": "d" * 351}, None, "description"),
    ],
)
async def test_refusals_name_the_parameter(
    running: Running, change: dict[str, Any], code: str | None, param: str
) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        asked = {name: value for name, value in {**CREDIT, **change}.items() if value is not None}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.customers.balance_transactions.create(customer.id, asked)
        assert (refused.value.code, refused.value.param) == (code, param)
        with pytest.raises(stripe.InvalidRequestError) as nobody:
            client.v1.customers.balance_transactions.create("cus_nobody", CREDIT)
        assert (nobody.value.http_status, nobody.value.code) == (404, "resource_missing")

    await running.ask(story)
    assert running.ledger("credit") == []


async def test_an_entry_is_told_as_a_change_of_its_customer(running: Running) -> None:
    def story(client: Any) -> Any:
        customer = client.v1.customers.create(CUSTOMER)
        client.v1.customers.balance_transactions.create(customer.id, CREDIT)
        client.v1.customers.balance_transactions.create(customer.id, {"amount": -7, "currency": "eur"})
        return client.v1.events.list().data

    told = await running.ask(story)
    assert [event.type for event in told] == ["customer.updated", "customer.created"]
    assert told[0].data.object.balance == -500
    assert told[0].data.previous_attributes.to_dict() == {"balance": 0, "currency": None}
    message = Message(
        message_id="m",
        tenant="t",
        connection="stripe",
        stream="webhook",
        delivery_id=told[0].id,
        body=json.dumps(told[0].to_dict()).encode(),
        received_at_ms=told[0].created * 1000,
        correlation_id="c",
    )
    (fact,) = [one.fact for one in cast("list[Told]", translate(message))]
    assert fact == BalanceCredited(
        customer_source_id=told[0].data.object.id,
        amount=Money(500, "USD"),
        credited_on=datetime.fromtimestamp(told[0].created, UTC).date(),
    )


@pytest.mark.parametrize(
    ("balance", "due", "left", "status"),
    [
        (0, 1_000, 0, "open"),
        (-300, 700, 0, "open"),
        (-1_000, 0, 0, "paid"),
        (-1_200, 0, -200, "paid"),
        (50, 1_050, 0, "open"),
    ],
)
async def test_finalizing_applies_the_balance(running: Running, balance: int, due: int, left: int, status: str) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        started = client.v1.subscriptions.create(terms(customer.id, unit_amount=1_000))
        entries = client.v1.customers.balance_transactions
        if balance:
            entries.create(customer.id, {"amount": balance, "currency": "usd"})
        entries.create(customer.id, {"amount": -9_999, "currency": "eur"})
        done = client.v1.invoices.finalize_invoice(started.latest_invoice)
        assert (done.status, done.total, done.amount_due, done.amount_remaining) == (status, 1_000, due, due)
        assert (done.starting_balance, done.ending_balance) == (balance, left)
        assert client.v1.customers.retrieve(customer.id).balance == left
        applied = entries.list(customer.id, {"invoice": done.id}).data
        assert [(one.type, one.amount, one.ending_balance) for one in applied] == (
            [("applied_to_invoice", left - balance, left)] if balance else []
        )
        told = {event.type for event in client.v1.events.list({"types": ["invoice.finalized", "invoice.paid"]}).data}
        assert told == {"invoice.finalized"} | ({"invoice.paid"} if status == "paid" else set())
        with pytest.raises(stripe.InvalidRequestError, match="already finalized"):
            client.v1.invoices.finalize_invoice(done.id)

    await running.ask(story)
    changes = [(line["change"], line["business_id"], line["amount_minor"]) for line in running.ledger("invoice")]
    assert changes == [("create", "subscription-1", 1_000), ("update", "subscription-1", 1_000)]


async def test_open_invoices_are_listed_by_customer_until_they_are_paid(running: Running) -> None:
    def populate(client: Any) -> str:
        customer = client.v1.customers.create(CUSTOMER)
        started = client.v1.subscriptions.create(terms(customer.id, unit_amount=1_000))
        client.v1.invoices.finalize_invoice(started.latest_invoice)
        other = client.v1.customers.create({**CUSTOMER, "metadata": {"customer_id": "customer-2"}})
        client.v1.subscriptions.create(terms(other.id))
        return customer.id

    def story(client: Any) -> None:
        def remaining(**query: Any) -> list[int]:
            return [one.amount_remaining for one in client.v1.invoices.list({"customer": owner, **query}).data]

        assert remaining(status="open") == [77, 1_000]
        one_off, first = client.v1.invoices.list({"customer": owner}).data
        assert (one_off.due_date, one_off.parent) == (1_772_323_200, None)
        assert first.due_date == first.created + 30 * 86_400
        assert [
            one.id
            for one in client.v1.invoices.list({"subscription": first.parent.subscription_details.subscription}).data
        ] == [first.id]
        with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
            client.v1.invoices.pay(first.id)
        paid = client.v1.invoices.pay(first.id, {"paid_out_of_band": True})
        assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 1_000, 0)
        assert remaining(status="open") == [77]
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.invoices.pay(first.id, {"paid_out_of_band": True})

    owner = await running.ask(populate)
    invoice = {"customer_id": "customer-1", "total": 77, "currency": "usd", "due_on": "2026-03-01"}
    await running.admin("POST", "load", {"invoices": [invoice]})
    await running.ask(story)
