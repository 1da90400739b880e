"""Credits through our client: granted once, countered by an entry of their own, found again, read back, added up."""

from collections.abc import AsyncGenerator
from datetime import date, timedelta
from typing import Any

import pytest

from accordant.canonical.credit import Exposure
from accordant.canonical.operation import Attempt, EffectClass, Operation, ReadRef, Receipt
from accordant.kernel.errors import Malformed, Rejected, Retryable, Unknown
from accordant.kernel.money import Money
from accordant.systems.stripe.client import StripeBilling
from tests.systems.stripe.account import (
    Running,
    Start,
    a_credit,
    a_subscription,
    connected,
    opened,
    proved,
    send,
)

USD = "USD"


@pytest.fixture
async def billing(running: Running) -> AsyncGenerator[StripeBilling]:
    async with connected(running) as client:
        yield client


def _both(billing: StripeBilling, account: Receipt, number: int = 1, **more: Any) -> tuple[Operation, Operation]:
    credit = a_credit(number, **more)
    return billing.grant_credit(credit, account=account), billing.counter_credit(credit, account=account)


def _usd(owed: int = 0, overdue: int = 0, credited: int = 0) -> Exposure:
    return Exposure(owed=Money(owed, USD), overdue=Money(overdue, USD), credited=Money(credited, USD))


async def exposed(billing: StripeBilling, account: Receipt, *, currency: str, on: date) -> Exposure:
    """What was credited in the year before a day, and is owed on it."""
    return await billing.exposure(account, currency=currency, on=on, since=on - timedelta(days=365))


async def _today(running: Running) -> date:
    return date.fromisoformat((await running.admin("GET", "health"))["now"][:10])


async def _balance(running: Running, account: Receipt) -> int:
    return (await running.ask(lambda client: client.v1.customers.retrieve(account.native_id))).balance


async def _finalized(running: Running) -> None:
    """The first invoices of all subscriptions are sent."""

    def story(client: Any) -> None:
        for invoice in client.v1.invoices.list({"status": "draft"}).data:
            client.v1.invoices.finalize_invoice(invoice.id)

    await running.ask(story)


async def test_a_credit_is_granted_once_and_proved(running: Running, billing: StripeBilling) -> None:
    account = await opened(billing)
    grant, _ = _both(billing, account)
    assert (grant.effect_class, grant.key_life_s) == (EffectClass.NATIVE_KEY, 86_400)
    first, again = await send(grant), await send(grant)
    assert first.receipt == again.receipt
    assert (first.receipt.kind, first.receipt.business_id) == ("credit", "credit-1")
    assert first.receipt.native_id.startswith(f"{account.native_id}/cbtxn_")
    (line,) = running.ledger("credit")
    assert (line["business_id"], line["amount_minor"], line["currency"], line["key"]) == ("credit-1", 12_500, USD, "k")
    assert line["native_id"] == first.receipt.native_id
    assert line["body"]["amount"] == -12_500
    said = {"credit_id": "credit-1", "case_id": "4001", "customer_id": "customer-1", "reason": "outage"}
    assert line["body"]["metadata"] == said
    assert line["body"]["description"] == "Service credit, case 4001: outage"
    assert await proved(billing, grant, first.receipt)
    assert await _balance(running, account) == -12_500


async def test_a_counter_is_an_entry_of_its_own_and_the_first_stays(running: Running, billing: StripeBilling) -> None:
    account = await opened(billing)
    grant, counter = _both(billing, account)
    granted = (await send(grant, "g")).receipt
    assert counter.look_up is not None
    assert await counter.look_up(Attempt(key="x")) is None, "the credit was taken for its counter"
    countered = (await send(counter, "c")).receipt
    assert (countered.kind, countered.business_id) == ("credit_counter", "credit-1")
    assert countered.native_id != granted.native_id
    assert [line["amount_minor"] for line in running.ledger("credit_counter")] == [-12_500]
    for operation, receipt in ((grant, granted), (counter, countered)):
        assert await proved(billing, operation, receipt)
        assert operation.look_up is not None
        found = await operation.look_up(Attempt(key="x"))
        assert found is not None
        assert found.receipt == receipt
    assert await _balance(running, account) == 0


async def test_one_entry_never_proves_the_other(billing: StripeBilling) -> None:
    account = await opened(billing)
    grant, counter = _both(billing, account)
    granted = (await send(grant, "g")).receipt
    ref = ReadRef(kind="credit_counter", native_id=granted.native_id, business_id="credit-1")
    facts = (await billing.read_back("credit_counter", [ref]))[granted.native_id]
    assert (facts["credit_id"], facts["amount_minor"]) == (None, 12_500)
    assert facts != counter.expected


@pytest.mark.parametrize("which", [0, 1], ids=["grant", "counter"])
@pytest.mark.parametrize("fault", ["error_before_apply", "error_after_apply", "reset_after_apply", "truncated_answer"])
async def test_what_a_fault_left_is_found(running: Running, billing: StripeBilling, fault: str, which: int) -> None:
    operation = _both(billing, await opened(billing))[which]
    await running.fault(fault, "customer_balance_transaction.create", count=1)
    with pytest.raises(Unknown):
        await send(operation)
    assert operation.look_up is not None
    found = await operation.look_up(Attempt(key="k"))
    lines = running.ledger(operation.kind)
    assert (found is not None) is (fault != "error_before_apply")
    assert len(lines) == (fault != "error_before_apply")
    if found is not None:
        assert found.receipt.native_id == lines[0]["native_id"]


async def test_a_lookup_finds_ours_behind_a_page_of_others(running: Running, billing: StripeBilling) -> None:
    account = await opened(billing)
    grant, _ = _both(billing, account)
    receipt = (await send(grant, "first")).receipt
    for number in range(2, 105):
        await send(_both(billing, account, number)[0], f"g{number}")
    assert grant.look_up is not None
    found = await grant.look_up(Attempt(key="x"))
    assert found is not None
    assert found.receipt == receipt
    missing = _both(billing, account, 999)[0].look_up
    assert missing is not None
    assert await missing(Attempt(key="x")) is None


async def test_a_customer_that_is_not_there_is_a_refusal(running: Running, billing: StripeBilling) -> None:
    nobody = Receipt(kind="customer", native_id="cus_nobody", business_id="customer-9")
    with pytest.raises(Rejected) as refused:
        await send(_both(billing, nobody)[0])
    assert refused.value.detail["code"] == "resource_missing"
    assert running.ledger("credit") == []
    with pytest.raises(Rejected):
        await exposed(billing, nobody, currency=USD, on=date(2026, 1, 1))


async def test_exposure_that_cannot_be_read_is_no_exposure(running: Running, billing: StripeBilling) -> None:
    """Nothing owed and nothing known must never look alike."""
    account = await opened(billing)
    for operation in ("invoice.list", "customer_balance_transaction.list"):
        await running.fault("error_before_apply", operation)
        with pytest.raises(Retryable):
            await exposed(billing, account, currency=USD, on=date(2026, 1, 1))


@pytest.mark.parametrize("amount_minor", [0, -1])
async def test_a_credit_that_gives_nothing_is_never_sent(billing: StripeBilling, amount_minor: int) -> None:
    """With the sign turned round it would be a charge."""
    account = await opened(billing)
    for ask in (billing.grant_credit, billing.counter_credit):
        with pytest.raises(Malformed) as malformed:
            ask(a_credit(amount=Money(amount_minor, USD)), account=account)
        assert malformed.value.code == "credit.not_positive"


async def test_kronur_are_counted_as_stripe_counts_them(running: Running, billing: StripeBilling) -> None:
    grant, counter = _both(billing, await opened(billing), amount=Money(1_000, "ISK"))
    for key, operation, amount in (("g", grant, -100_000), ("c", counter, 100_000)):
        receipt = (await send(operation, key)).receipt
        assert running.ledger(operation.kind)[0]["body"]["amount"] == amount
        assert await proved(billing, operation, receipt)


async def test_reading_back_many_entries_goes_by_customer(running: Running, billing: StripeBilling) -> None:
    accounts = [await opened(billing, number) for number in (1, 2)]
    refs: list[ReadRef] = []
    expected: dict[str, Any] = {}
    for number in range(1, 61):
        account = accounts[number % 2]
        operation = _both(billing, account, number, customer_id=account.business_id)[0]
        receipt = (await send(operation, f"g{number}")).receipt
        refs.append(ReadRef(kind="credit", native_id=receipt.native_id, business_id=receipt.business_id))
        expected[receipt.native_id] = operation.expected
    gone = [f"{accounts[0].native_id}/cbtxn_lied_about", *(f"cus_gone/cbtxn_{n}" for n in range(4)), "cbtxn_alone"]
    refs += [ReadRef(kind="credit", native_id=name, business_id="credit-x") for name in gone]
    before = (await running.admin("GET", "counters"))["requests"]
    assert await billing.read_back("credit", refs) == expected
    after = (await running.admin("GET", "counters"))["requests"]
    assert sum(after.values()) - sum(before.values()) <= 10


async def test_an_entry_without_its_customer_is_not_asked_for(running: Running, billing: StripeBilling) -> None:
    before = (await running.admin("GET", "counters"))["requests"]
    refs = [ReadRef(kind="credit", native_id=name, business_id="credit-1") for name in ("cbtxn_alone", "cus_1/")]
    assert await billing.read_back("credit", refs) == {}
    assert (await running.admin("GET", "counters"))["requests"] == before


async def test_reading_back_names_the_customer_that_really_holds_the_credit(billing: StripeBilling) -> None:
    operation = _both(billing, await opened(billing, 2))[0]
    receipt = (await send(operation)).receipt
    ref = ReadRef(kind="credit", native_id=receipt.native_id, business_id=receipt.business_id)
    facts = (await billing.read_back("credit", [ref]))[receipt.native_id]
    assert facts["customer_id"] == "customer-2"
    assert facts != operation.expected


async def test_a_customer_without_anything_owes_nothing(billing: StripeBilling) -> None:
    assert await exposed(billing, await opened(billing), currency=USD, on=date(2026, 1, 1)) == _usd()


async def test_drafts_are_not_owed_open_invoices_are_and_paid_ones_no_more(
    running: Running, billing: StripeBilling
) -> None:
    account, on = await opened(billing), await _today(running)
    for number, amount_minor in ((1, 100_000), (2, 25_000)):
        operation = billing.start_subscription(a_subscription(number, amount_minor=amount_minor), account=account)
        await send(operation, f"s{number}")
    assert await exposed(billing, account, currency=USD, on=on) == _usd()
    await _finalized(running)
    assert await exposed(billing, account, currency=USD, on=on) == _usd(owed=125_000)

    def pay(client: Any) -> None:
        client.v1.invoices.pay(client.v1.invoices.list().data[0].id, {"paid_out_of_band": True})

    await running.ask(pay)
    assert await exposed(billing, account, currency=USD, on=on) == _usd(owed=100_000)


async def test_an_invoice_is_overdue_from_the_day_after_it_was_due(running: Running, billing: StripeBilling) -> None:
    account = await opened(billing)
    due = date(2026, 3, 31)
    invoice = {"customer_id": "customer-1", "total": 700, "currency": "usd"}
    await running.admin("POST", "load", {"invoices": [{**invoice, "due_on": due.isoformat()}, invoice]})
    assert await exposed(billing, account, currency=USD, on=due) == _usd(owed=1_400)
    assert await exposed(billing, account, currency=USD, on=due + timedelta(days=1)) == _usd(owed=1_400, overdue=700)


async def test_another_currency_and_another_customer_are_left_out(running: Running, billing: StripeBilling) -> None:
    account, other, on = await opened(billing, 1), await opened(billing, 2), await _today(running)
    owing = [("customer-1", 100, "usd"), ("customer-1", 20_000, "eur"), ("customer-2", 3_000_000, "usd")]
    invoices = [{"customer_id": who, "total": total, "currency": c, "due_on": "2020-01-01"} for who, total, c in owing]
    await running.admin("POST", "load", {"invoices": invoices})
    for number, (to, money) in enumerate(
        [(account, Money(5, USD)), (account, Money(600, "EUR")), (other, Money(7, USD))]
    ):
        await send(_both(billing, to, number, amount=money)[0], f"g{number}")
    assert await exposed(billing, account, currency=USD, on=on) == _usd(owed=100, overdue=100, credited=5)
    in_eur = await exposed(billing, account, currency="EUR", on=on)
    assert (in_eur.owed, in_eur.credited) == (Money(20_000, "EUR"), Money(600, "EUR"))


async def test_what_was_credited_in_the_year_counts_without_what_was_countered(
    running: Running, billing: StripeBilling
) -> None:
    account, first_day = await opened(billing), await _today(running)
    old, old_counter = _both(billing, account, 1, amount=Money(1_000, USD))
    await send(old, "old")
    await running.admin("POST", "clock", {"advance_s": 86_400})
    kept, taken_back = _both(billing, account, 2, amount=Money(20, USD))[0], _both(billing, account, 3)
    for key, operation in (("kept", kept), ("g", taken_back[0]), ("c", taken_back[1])):
        await send(operation, key)
    day = timedelta(days=1)
    for on, credited in (
        (first_day - day, 0),
        (first_day, 1_000),
        (first_day + day, 1_020),
        (first_day + timedelta(days=365), 1_020),
        (first_day + timedelta(days=366), 20),
        (first_day + timedelta(days=367), 0),
    ):
        assert (await exposed(billing, account, currency=USD, on=on)).credited == Money(credited, USD), on
    await send(old_counter, "oc")
    on = first_day + timedelta(days=366)
    assert (await exposed(billing, account, currency=USD, on=on)).credited == Money(20, USD), "countered out of turn"


async def test_credit_by_hand_counts_and_what_an_invoice_used_up_does_not(
    running: Running, billing: StripeBilling
) -> None:
    account, on = await opened(billing), await _today(running)
    await send(_both(billing, account, amount=Money(300, USD))[0], "g")

    def by_hand(client: Any) -> None:
        for amount in (-40, 9_000):
            entry: Any = {"amount": amount, "currency": "usd"}
            client.v1.customers.balance_transactions.create(account.native_id, entry)

    await running.ask(by_hand)
    await send(billing.start_subscription(a_subscription(amount_minor=1_000), account=account), "s")
    await _finalized(running)
    assert await exposed(billing, account, currency=USD, on=on) == _usd(owed=1_000 + 9_000 - 340, credited=340)


async def test_exposure_is_the_same_although_pages_repeat_overlap_and_lose_their_order(
    running: Running, billing: StripeBilling
) -> None:
    account, on = await opened(billing), await _today(running)
    invoice = {"customer_id": "customer-1", "total": 3, "currency": "usd", "due_on": "2020-01-01"}
    await running.admin("POST", "load", {"invoices": [invoice] * 230})
    for number in range(210):
        await send(_both(billing, account, number, amount=Money(2, USD))[0], f"g{number}")
    expected = _usd(owed=690, overdue=690, credited=420)
    assert await exposed(billing, account, currency=USD, on=on) == expected
    kinds = ("page_repeated", "page_overlap", "page_reordered")
    await running.admin("PUT", "faults", {"faults": [{"kind": kind, "probability": 0.5} for kind in kinds]})
    assert await exposed(billing, account, currency=USD, on=on) == expected


@pytest.mark.parametrize("version", ["2023-08-16", "2026-10-28.endive"])
async def test_credits_depend_on_nothing_that_moved_between_versions(running: Running, version: str) -> None:
    options = {"invoice_email": "ar@billing.example", "api_version": version}
    await running.ask(lambda client: client.v1.customers.create({"metadata": {"customer_id": "customer-9"}}))
    invoice = {"customer_id": "customer-9", "total": 3, "currency": "usd"}
    async with connected(running, options=options) as billing:
        await running.admin("POST", "load", {"invoices": [invoice]})
        account = await opened(billing)
        grant, counter = _both(billing, account)
        for key, operation in (("g", grant), ("c", counter)):
            assert await proved(billing, operation, (await send(operation, key)).receipt)
        owner = (await running.ask(lambda client: client.v1.customers.list().data))[-1]
        whole = Receipt(kind="customer", native_id=owner.id, business_id="customer-9")
        assert await exposed(billing, whole, currency=USD, on=await _today(running)) == _usd(owed=3)


async def test_the_dump_names_credits_and_counters_alike_in_any_order(start: Start) -> None:
    dumps: list[Any] = []
    for seed, order in ((1, (1, 2)), (2, (2, 1))):
        async with start(seed=seed) as one, connected(one) as billing:
            account = await opened(billing)
            for number in order:
                for which, operation in enumerate(_both(billing, account, number)):
                    await send(operation, f"{which}-{number}")
            dumps.append(await one.admin("GET", "state"))
    assert dumps[0] == dumps[1]
    line = {"business_id": "credit-1", "customer": "customer-1", "amount_minor": 12_500, "currency": USD}
    assert dumps[0]["credit"][0] == {**line, "case_id": "4001", "reason": "outage"}
    assert [one["amount_minor"] for one in dumps[0]["credit_counter"]] == [-12_500, -12_500]
