"""What is owed is asked of Stripe, a reminder is sent once, and a pause is a state."""

from typing import Any

import pytest

from accordant.canonical.invoice import Reminder
from accordant.canonical.operation import Attempt, EffectClass, Receipt
from accordant.kernel.errors import Rejected, Unknown
from accordant.kernel.money import Money
from tests.systems.stripe.account import Running, a_subscription, connected, opened, proved, send

DUE_S = 1_780_272_000


async def invoiced(running: Running, customer: str, *, cents: int = 5_000, **more: Any) -> Any:
    """A one-off invoice as somebody makes it in the dashboard."""

    def make(client: Any) -> Any:
        given: dict[str, Any] = {"collection_method": "send_invoice", "due_date": DUE_S, "currency": "usd", **more}
        if given["collection_method"] != "send_invoice":
            del given["due_date"]
        draft = client.v1.invoices.create({"customer": customer, **given})
        client.v1.invoices.add_lines(draft.id, {"lines": [{"amount": cents, "description": "setup"}]})
        return client.v1.invoices.finalize_invoice(draft.id)

    return await running.ask(make)


def reminder(invoice: Any, step: str = "first reminder") -> Reminder:
    return Reminder(customer_id="customer-1", invoice_source_id=invoice.id, number=invoice.number, step=step)


async def happens(running: Running, invoice: Any, what: str) -> None:
    await running.admin("POST", "load", {"happenings": [{"invoice": invoice.id, "what": what}]})


async def test_what_is_open_is_told_and_nothing_else(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        assert await billing.open_invoices(account, currency="USD") == ()
        sent = await invoiced(running, account.native_id)
        charged = await invoiced(running, account.native_id, cents=700, collection_method="charge_automatically")
        paid = await invoiced(running, account.native_id, cents=900)
        await running.ask(lambda client: client.v1.invoices.pay(paid.id, {"paid_out_of_band": True}))
        other = (await opened(billing, 2)).native_id
        await invoiced(running, other)
        await happens(running, charged, "payment_failed")
        await happens(running, charged, "payment_failed")
        found = {one.source_id: one for one in await billing.open_invoices(account, currency="USD")}
        assert set(found) == {sent.id, charged.id}
        assert (found[sent.id].remaining, found[sent.id].due_at_ms) == (Money(5_000, "USD"), DUE_S * 1000)
        assert (found[sent.id].number, found[sent.id].attempts) == (sent.number, 0)
        assert (found[charged.id].due_at_ms, found[charged.id].attempts) == (None, 2)
        assert await billing.open_invoices(account, currency="EUR") == ()


async def test_a_reminder_is_sent_once_under_its_key(running: Running) -> None:
    async with connected(running) as billing:
        invoice = await invoiced(running, (await opened(billing)).native_id)
        first = billing.send_reminder(reminder(invoice))
        assert first.effect_class is EffectClass.NATIVE_KEY
        assert first.look_up
        assert await first.look_up(Attempt(key="k1")) is None
        applied = await send(first, "k1")
        again = await send(first, "k1")
        assert again.receipt == applied.receipt
        assert await first.look_up(Attempt(key="k1")) is not None
        assert await first.look_up(Attempt(key="k2")) is None, "another request's event is not ours"
        second = billing.send_reminder(reminder(invoice, "second reminder"))
        assert second.business_id != first.business_id
        later = await send(second, "k2")
        assert [line["body"]["times"] for line in running.ledger("reminder")] == [1, 2]
        assert await proved(billing, first, applied.receipt)
        assert await proved(billing, second, later.receipt)
        never = Receipt(kind="reminder", native_id=f"{invoice.id}/k9", business_id=first.business_id)
        with pytest.raises(KeyError):
            await proved(billing, first, never)


async def test_a_reminder_whose_answer_is_lost_is_found(running: Running) -> None:
    async with connected(running) as billing:
        invoice = await invoiced(running, (await opened(billing)).native_id)
        await running.fault("error_after_apply", "invoice.send", count=1)
        one = billing.send_reminder(reminder(invoice))
        with pytest.raises(Unknown):
            await send(one, "k1")
        assert one.look_up
        found = await one.look_up(Attempt(key="k1"))
        assert found is not None
        assert len(running.ledger("reminder")) == 1


async def test_what_is_paid_or_charged_automatically_is_no_matter_for_reminders(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        invoice = await invoiced(running, account.native_id, collection_method="charge_automatically")
        with pytest.raises(Rejected):
            await send(billing.send_reminder(reminder(invoice)))


async def test_collection_is_paused_and_resumed(running: Running) -> None:
    async with connected(running) as billing:
        account = await opened(billing)
        for number in (1, 2):
            starting = billing.start_subscription(a_subscription(number), account=account)
            await send(starting, f"s{number}")
        ours = await billing.subscriptions_of(account)
        assert [one.business_id for one in ours] == ["subscription-1", "subscription-2"]
        pausing, resuming = billing.pause_collection(ours[0]), billing.resume_collection(ours[0])
        paused = await send(pausing, "p")
        assert await proved(billing, pausing, paused.receipt)
        assert not await proved(billing, resuming, paused.receipt)
        assert resuming.look_up
        assert await resuming.look_up(Attempt(key="r")) is None
        assert _collection(await running.admin("GET", "state")) == ["paused", "running"]
        resumed = await send(resuming, "r")
        assert await proved(billing, resuming, resumed.receipt)
        await send(pausing, "p")
        assert _collection(await running.admin("GET", "state")) == ["running", "running"], (
            "a late repeat undoes nothing"
        )
        await send(billing.end_subscription(a_subscription(2), existing=ours[1]), "e")
        assert [one.business_id for one in await billing.subscriptions_of(account)] == ["subscription-1"]


async def test_the_sandbox_refuses_what_stripe_refuses(running: Running) -> None:
    def ask(client: Any) -> None:
        customer = client.v1.customers.create({"name": "A", "email": "a@a.example"})
        draft = client.v1.invoices.create(
            {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 3, "currency": "usd"}
        )
        client.v1.invoices.send_invoice(draft.id)

    with pytest.raises(Exception, match="draft"):
        await running.ask(ask)


async def test_what_happens_by_itself_names_no_request(running: Running) -> None:
    async with connected(running) as billing:
        invoice = await invoiced(running, (await opened(billing)).native_id)
        await happens(running, invoice, "overdue")
        (event,) = (await running.ask(lambda client: client.v1.events.list({"type": "invoice.overdue"}))).data
        assert event.data.object.id == invoice.id
        assert event.request.id is None


def _collection(state: Any) -> list[str]:
    return [one["collection"] for one in state["subscription"]]
