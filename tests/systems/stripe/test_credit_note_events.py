"""What Stripe's events about credit tell, by the sandbox's own deliveries, and which of them are ours or unreadable."""

import json
from collections.abc import AsyncGenerator, Callable
from datetime import date
from typing import Any

import pytest

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.credit_note import BalanceCredited, CreditNoteIssued, CreditNoteVoided
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.systems.stripe.client import StripeBilling
from accordant.systems.stripe.mapping import translate
from tests.systems.stripe.account import CUSTOMER, Running, a_credit, connected, opened, send
from tests.systems.stripe.test_official_credit_notes import DECEMBER_2010, a_note, an_invoice, events

NUMBERED = {"document_number": "C536379"}


@pytest.fixture
async def billing(running: Running) -> AsyncGenerator[StripeBilling]:
    async with connected(running) as client:
        yield client


def message(event: dict[str, Any]) -> Message:
    return Message(
        message_id="m",
        tenant="demo",
        connection="stripe",
        stream="webhook",
        delivery_id=event["id"],
        body=json.dumps(event).encode(),
        received_at_ms=(event["created"] + 1) * 1000,
        correlation_id="c",
    )


def told(running: Running, kind: str) -> list[list[Told] | Ignored]:
    return [translate(message(one)) for one in events(running) if one["type"] == kind]


def facts(running: Running, kind: str) -> list[Any]:
    return [one[0].fact for one in told(running, kind) if isinstance(one, list)]


async def test_a_note_is_told_once_with_its_number_and_day_and_so_is_its_end(running: Running) -> None:
    def story(client: Any) -> None:
        invoice = an_invoice(client)
        note = a_note(client, invoice, amount=500, metadata=NUMBERED, effective_at=DECEMBER_2010)
        client.v1.credit_notes.void_credit_note(note.id)
        a_note(client, invoice, amount=10, metadata={"credit_id": "credit-1"})

    await running.ask(story)
    (issued,) = facts(running, "credit_note.created")
    assert isinstance(issued, CreditNoteIssued)
    assert (issued.credit_note.number, issued.credit_note.total) == ("C536379", Money(500, "GBP"))
    assert issued.credit_note.issued_on == date(2010, 12, 1)
    (voided,) = facts(running, "credit_note.voided")
    assert isinstance(voided, CreditNoteVoided)
    assert voided.credit_note == issued.credit_note
    every = [one for kind in ("created", "voided") for one in told(running, f"credit_note.{kind}")]
    assert len({one[0].source_record for one in every if isinstance(one, list)}) == 2
    assert told(running, "credit_note.created")[1] == Ignored(reason="echo")


async def test_a_balance_tells_of_credit_alone_and_its_entries_say_which(
    running: Running, billing: StripeBilling
) -> None:
    account = await opened(billing)
    await send(billing.grant_credit(a_credit(amount=Money(9, "GBP")), account=account), "ours")

    def story(client: Any) -> None:
        entries = client.v1.customers.balance_transactions
        by_hand = {"currency": "gbp", "metadata": {**NUMBERED, "effective_on": "2010-12-02"}}
        entries.create(account.native_id, {"amount": -14_148, **by_hand})
        entries.create(account.native_id, {"amount": 5, "currency": "gbp"})
        client.v1.customers.update(account.native_id, {"name": "Other"})

    await running.ask(story)
    moved = facts(running, "customer.updated")
    assert all(isinstance(one, BalanceCredited) for one in moved)
    assert [one.amount for one in moved] == [Money(9, "GBP"), Money(14_148, "GBP")]
    assert {one.customer_source_id for one in moved} == {account.native_id}
    (entry,) = await billing.balance_entries(account, currency="GBP", since=date(2020, 1, 1))
    assert (entry.number, entry.total, entry.issued_on) == ("C536379", Money(14_148, "GBP"), date(2010, 12, 2))
    assert entry.source_id.startswith(f"{account.native_id}/cbtxn_")
    assert await billing.balance_entries(account, currency="EUR", since=date(2020, 1, 1)) == ()


async def test_control_totals_hold_every_document_and_what_took_it_back(
    running: Running, billing: StripeBilling
) -> None:
    account = await opened(billing)
    await send(billing.grant_credit(a_credit(amount=Money(9, "GBP")), account=account), "ours")

    def story(client: Any) -> None:
        invoice = an_invoice(client, number="536365")
        note = a_note(client, invoice, amount=500, metadata=NUMBERED, effective_at=DECEMBER_2010)
        client.v1.credit_notes.void_credit_note(note.id)
        client.v1.invoices.create({"customer": client.v1.customers.create(CUSTOMER).id})
        entries = client.v1.customers.balance_transactions
        entries.create(account.native_id, {"amount": -7, "currency": "gbp", "metadata": {"document_number": "C2"}})

    await running.ask(story)
    held = await billing.documents(since=date(2000, 1, 1), until=date(2100, 1, 1))
    assert sorted((one.number, one.kind, one.amount.amount_minor, one.legal_entity) for one in held) == [
        ("536365", "invoice", 1_530, "no legal entity"),
        ("C2", "credit", -7, "US01"),
        ("C536379", "credit", -500, "no legal entity"),
        ("C536379", "invoice", 500, "no legal entity"),
        ("credit-1", "credit", -9, "US01"),
    ]
    old = await billing.documents(since=date(2010, 12, 1), until=date(2010, 12, 31))
    assert sorted(one.number for one in old) == ["536365", "C536379"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (lambda event: event["data"]["object"].pop("invoice"), "credit_note.format"),
        (lambda event: event["data"]["object"].update(total="5"), "credit_note.format"),
        (lambda event: event["data"]["object"].update(currency="xxx"), "currency.not_allowed"),
        (lambda event: event["data"]["object"].update(effective_at=event["created"] + 10**6), "time.future"),
        (lambda event: event["data"]["object"].update(effective_at=1), "time.suspicious"),
    ],
)
async def test_what_cannot_be_read_is_refused_at_its_place(
    running: Running, wrong: Callable[[Any], object], code: str
) -> None:
    await running.ask(lambda client: a_note(client, an_invoice(client), amount=500))
    (event,) = [json.loads(json.dumps(one)) for one in events(running) if one["type"] == "credit_note.created"]
    wrong(event)
    with pytest.raises(Malformed) as refused:
        translate(message(event))
    assert refused.value.code == code
