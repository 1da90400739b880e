"""Our client against the sandbox: every verb, every way it can go wrong, and proof by reading back."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from accordant.canonical.operation import Attempt, EffectClass, Operation, ReadRef, Receipt
from accordant.canonical.subscription import SubscriptionChange
from accordant.kernel.errors import (
    AccordantError,
    Misconfigured,
    RateLimited,
    Refused,
    Rejected,
    Retryable,
    Unavailable,
    Unknown,
)
from accordant.kernel.money import Money
from accordant.systems.stripe.client import StripeBilling
from tests.systems.stripe.account import Running, Start, a_customer, a_subscription, connected
from tests.systems.stripe.account import opened as _account
from tests.systems.stripe.account import proved as _proved
from tests.systems.stripe.account import send as _send


@pytest.fixture
async def billing(running: Running) -> AsyncGenerator[StripeBilling]:
    async with connected(running) as client:
        yield client


def _started(billing: StripeBilling, account: Receipt, number: int = 1, **terms: Any) -> Operation:
    return billing.start_subscription(a_subscription(number, **terms), account=account)


async def test_a_customer_is_opened_once_and_proved(running: Running, billing: StripeBilling) -> None:
    operation = billing.open_customer(a_customer())
    assert operation.effect_class is EffectClass.NATIVE_KEY
    assert (operation.key_life_s, operation.master_data) == (86_400, True)
    first, again = await _send(operation), await _send(operation)
    assert first.receipt == again.receipt
    assert (first.receipt.kind, first.receipt.business_id) == ("customer", "customer-1")
    assert len(first.request_sha256) == len(first.response_sha256) == 64
    (line,) = running.ledger()
    assert (line["kind"], line["change"], line["business_id"], line["key"]) == ("customer", "create", "customer-1", "k")
    assert line["body"]["name"] == "Ácme & Söhne, “Ltd”"
    assert line["body"]["email"] == "ar+customer-1@billing.example"
    assert await _proved(billing, operation, first.receipt)


@pytest.mark.parametrize(
    ("amount_minor", "quantity", "unit_amount", "units"),
    [(105_400, 1, 105_400, 1), (30_000, 3, 10_000, 3), (10_000, 3, 10_000, 1), (0, 2, 0, 2)],
)
async def test_a_subscription_costs_its_total_to_the_cent(
    running: Running, billing: StripeBilling, amount_minor: int, quantity: int, unit_amount: int, units: int
) -> None:
    operation = _started(billing, await _account(billing), amount_minor=amount_minor, quantity=quantity)
    first, again = await _send(operation), await _send(operation)
    assert first.receipt == again.receipt
    (line,) = running.ledger("subscription")
    (item,) = line["body"]["items"]["data"]
    assert (item["price"]["unit_amount"], item["quantity"], line["amount_minor"]) == (unit_amount, units, amount_minor)
    assert await _proved(billing, operation, first.receipt)


async def test_an_amendment_and_its_undoing_change_the_one_item(running: Running, billing: StripeBilling) -> None:
    started = (await _send(_started(billing, await _account(billing)), "s")).receipt
    change = SubscriptionChange(subscription=a_subscription(amount_minor=200_000, quantity=4), before=a_subscription())
    amend = billing.amend_subscription(change, existing=started)
    for _ in range(2):
        assert (await _send(amend, "a")).receipt.native_id == started.native_id
    assert await _proved(billing, amend, started)
    revert = billing.revert_amendment(change, existing=started)
    assert not await _proved(billing, revert, started)
    await _send(revert, "r")
    assert await _proved(billing, revert, started)
    amounts = [(line["change"], line["amount_minor"]) for line in running.ledger("subscription")]
    assert amounts == [("create", 105_400), ("update", 200_000), ("update", 105_400)]


async def test_an_amendment_finds_the_item_where_the_receipt_does_not_name_it(billing: StripeBilling) -> None:
    started = (await _send(_started(billing, await _account(billing)), "s")).receipt
    bare = Receipt(kind=started.kind, native_id=started.native_id, business_id=started.business_id)
    change = SubscriptionChange(subscription=a_subscription(amount_minor=1), before=a_subscription())
    amend = billing.amend_subscription(change, existing=bare)
    assert await amend.look_up(Attempt(key="a")) is None  # pyright: ignore[reportOptionalCall]
    assert (await _send(amend, "a")).receipt.facts == started.facts
    assert await amend.look_up(Attempt(key="a"))  # pyright: ignore[reportOptionalCall]


async def test_ending_twice_ends_once(running: Running, billing: StripeBilling) -> None:
    started = (await _send(_started(billing, await _account(billing)), "s")).receipt
    end = billing.end_subscription(a_subscription(), existing=started)
    assert end.effect_class is EffectClass.UPSERT
    for _ in range(2):
        assert (await _send(end, "e")).receipt.native_id == started.native_id
    assert [line["change"] for line in running.ledger("subscription")] == ["create", "update"]
    assert await _proved(billing, end, started)
    unknown = Receipt(kind="subscription", native_id="sub_nobody", business_id="subscription-1")
    with pytest.raises(Rejected):
        await _send(billing.end_subscription(a_subscription(), existing=unknown), "x")


async def test_a_refusal_carries_the_vendors_words(running: Running, billing: StripeBilling) -> None:
    with pytest.raises(Rejected) as refused:
        await _send(_started(billing, await _account(billing), product_id="GTXPro"))
    assert refused.value.detail["code"] == "resource_missing"
    assert refused.value.detail["field"] == "items[0][price_data][product]"
    assert "GTXPro" in refused.value.message
    assert refused.value.detail["request_id"].startswith("req_")
    assert running.ledger("subscription") == []


@pytest.mark.parametrize(
    ("fault", "how", "error"),
    [
        ("error_before_apply", {}, Unknown),
        ("error_after_apply", {}, Unknown),
        ("error_after_apply", {"status": 502}, Unknown),
        ("timeout_after_apply", {"delay_s": 3}, Unknown),
        ("reset_after_apply", {}, Unknown),
        ("truncated_answer", {}, Unknown),
        ("rate_limited", {"status": 429}, RateLimited),
        ("token_expired", {}, AccordantError),
    ],
)
async def test_each_fault_says_what_is_known(
    running: Running, fault: str, how: dict[str, Any], error: type[AccordantError]
) -> None:
    async with connected(running, timeout_s=1.0 if fault == "timeout_after_apply" else 30.0) as billing:
        await running.fault(fault, "customer.create", **how)
        operation = billing.open_customer(a_customer())
        with pytest.raises(error) as raised:
            await _send(operation)
        assert not isinstance(raised.value, Rejected)
        assert operation.look_up is not None
        applied = fault in {"error_after_apply", "timeout_after_apply", "reset_after_apply", "truncated_answer"}
        assert len(running.ledger("customer")) == int(applied)
        await running.admin("DELETE", "faults")
        found = await operation.look_up(Attempt(key="k"))
        assert (found is not None) is applied
        if fault != "error_after_apply":
            assert (await _send(operation)).receipt.kind == "customer"
            assert len(running.ledger("customer")) == 1


async def test_a_platform_that_is_down_was_not_sent_to(running: Running) -> None:
    async with connected(running, base_url="http://127.0.0.1:9") as billing:
        with pytest.raises(Unavailable):
            await _send(billing.open_customer(a_customer()))


async def test_a_saved_server_error_asks_for_a_lookup(running: Running, billing: StripeBilling) -> None:
    operation = _started(billing, await _account(billing))
    await running.fault("error_after_apply", "subscription.create", count=1)
    with pytest.raises(Unknown) as first:
        await _send(operation)
    assert first.value.detail["replayed"] is False
    with pytest.raises(Unknown) as second:
        await _send(operation)
    assert (second.value.code, second.value.detail["replayed"]) == ("vendor.replayed_failure", True)
    assert operation.look_up is not None
    found = await operation.look_up(Attempt(key="k"))
    assert found is not None
    assert found.receipt.native_id == running.ledger("subscription")[0]["native_id"]
    assert found.receipt.facts["billing_item"].startswith("si_")


async def test_a_key_used_for_something_else_is_never_a_refusal(running: Running, billing: StripeBilling) -> None:
    await _send(billing.open_customer(a_customer(1)), "same")
    with pytest.raises(Unknown) as conflict:
        await _send(billing.open_customer(a_customer(2)), "same")
    assert conflict.value.code == "vendor.key_conflict"


async def test_a_key_in_use_is_not_a_refusal_either(start: Start) -> None:
    import asyncio

    async with start(settings={"processing_s": "0.3"}) as running, connected(running) as billing:
        operation = billing.open_customer(a_customer())
        outcomes = await asyncio.gather(*(_send(operation) for _ in range(2)), return_exceptions=True)
        assert [type(one) for one in outcomes if isinstance(one, Exception)] == [Unknown]
        assert len(running.ledger("customer")) == 1


async def test_lookups_find_ours_among_many_at_once(running: Running, billing: StripeBilling) -> None:
    """More than a page of others lies between, and the search index has seen nothing yet."""
    account = await _account(billing)
    first = _started(billing, account, 1)
    receipt = (await _send(first, "s1")).receipt
    for number in range(2, 106):
        await _send(_started(billing, account, number), f"s{number}")
        await _send(billing.open_customer(a_customer(number)), f"c{number}")
    assert first.look_up is not None
    found = await first.look_up(Attempt(key="x"))
    assert found is not None
    assert found.receipt == receipt
    missing = _started(billing, account, 999).look_up
    assert missing is not None
    assert await missing(Attempt(key="x")) is None
    customer = billing.open_customer(a_customer(1)).look_up
    assert customer is not None
    assert (await customer(Attempt(key="x"))) is not None
    nobody = billing.open_customer(a_customer(999)).look_up
    assert nobody is not None
    assert await nobody(Attempt(key="x")) is None


async def test_an_old_customer_is_found_by_search_without_reading_the_whole_list(
    running: Running, billing: StripeBilling
) -> None:
    for number in range(1, 105):
        await _send(billing.open_customer(a_customer(number)), f"c{number}")
    await running.admin("POST", "clock", {"advance_s": 30_000})
    for number in range(105, 115):
        await _send(billing.open_customer(a_customer(number)), f"c{number}")
    before = await running.admin("GET", "counters")
    look_up = billing.open_customer(a_customer(3)).look_up
    assert look_up is not None
    found = await look_up(Attempt(key="x"))
    assert found is not None
    assert found.receipt.business_id == "customer-3"
    after = await running.admin("GET", "counters")
    assert after["requests"]["customer.list"] - before["requests"].get("customer.list", 0) == 1
    assert after["requests"]["customer.search"] == 1


async def test_lookups_end_although_pages_repeat_overlap_and_lose_their_order(
    running: Running, billing: StripeBilling
) -> None:
    account = await _account(billing)
    operations = [_started(billing, account, number) for number in range(1, 251)]
    for number, operation in enumerate(operations):
        await _send(operation, f"s{number}")
    kinds = ("page_repeated", "page_overlap", "page_reordered")
    faults = [{"kind": kind, "probability": 0.5} for kind in kinds]
    await running.admin("PUT", "faults", {"faults": faults})
    for operation in (operations[0], operations[120], operations[249]):
        assert operation.look_up is not None
        assert await operation.look_up(Attempt(key="x")) is not None


async def test_reading_back_a_hundred_takes_a_handful_of_calls(running: Running, billing: StripeBilling) -> None:
    account = await _account(billing)
    pairs: list[tuple[Operation, Receipt]] = []
    for number in range(1, 301):
        operation = _started(billing, account, number, amount_minor=number)
        pairs.append((operation, (await _send(operation, f"s{number}")).receipt))
    ended = pairs[120][1]
    await _send(billing.end_subscription(a_subscription(121, amount_minor=121), existing=ended), "e")
    batch = pairs[100:200]
    refs = [ReadRef(kind="subscription", native_id=r.native_id, business_id=r.business_id) for _, r in batch]
    refs.append(ReadRef(kind="subscription", native_id="sub_lied_about", business_id="subscription-x"))
    before = (await running.admin("GET", "counters"))["requests"]
    facts = await billing.read_back("subscription", refs)
    after = (await running.admin("GET", "counters"))["requests"]
    assert sum(after.values()) - sum(before.values()) <= 7
    different = [r.business_id for o, r in batch if facts.get(r.native_id) != o.expected]
    assert different == ["subscription-121"]
    assert "sub_lied_about" not in facts


async def test_reading_back_shows_what_somebody_changed(running: Running, billing: StripeBilling) -> None:
    operation = _started(billing, await _account(billing), amount_minor=30_000, quantity=3)
    receipt = (await _send(operation)).receipt

    def tamper(client: Any) -> None:
        client.v1.subscription_items.update(receipt.facts["billing_item"], {"quantity": 4})

    await running.ask(tamper)
    ref = ReadRef(kind="subscription", native_id=receipt.native_id, business_id=receipt.business_id)
    facts = (await billing.read_back("subscription", [ref]))[receipt.native_id]
    assert (facts["amount_minor"], operation.expected["amount_minor"]) == (40_000, 30_000)
    with pytest.raises(Refused):
        await billing.read_back("invoice", [ref])


async def test_reading_back_names_the_customer_that_really_holds_the_subscription(billing: StripeBilling) -> None:
    """The subscription says customer-1 of itself, but hangs on another account."""
    other = await _account(billing, 2)
    operation = _started(billing, other)
    receipt = (await _send(operation)).receipt
    ref = ReadRef(kind="subscription", native_id=receipt.native_id, business_id=receipt.business_id)
    facts = (await billing.read_back("subscription", [ref]))[receipt.native_id]
    assert facts["customer"] == "customer-2"
    assert facts != operation.expected


async def test_an_answer_that_lied_is_absent_when_read_back(running: Running, billing: StripeBilling) -> None:
    await running.fault("ok_without_apply", "customer.create", count=1)
    receipt = (await _send(billing.open_customer(a_customer()))).receipt
    ref = ReadRef(kind="customer", native_id=receipt.native_id, business_id=receipt.business_id)
    assert await billing.read_back("customer", [ref]) == {}


@pytest.mark.parametrize("version", ["2023-08-16", "2026-10-28.endive"])
async def test_nothing_depends_on_what_moved_between_versions(running: Running, version: str) -> None:
    options = {"invoice_email": "ar@billing.example", "api_version": version}
    async with connected(running, options=options) as billing:
        operation = _started(billing, await _account(billing))
        receipt = (await _send(operation)).receipt
        assert await _proved(billing, operation, receipt)
        change = SubscriptionChange(subscription=a_subscription(amount_minor=7), before=a_subscription())
        amend = billing.amend_subscription(change, existing=receipt)
        await _send(amend, "a")
        assert await _proved(billing, amend, receipt)


async def test_the_same_story_dumps_the_same_bytes(start: Start, running: Running) -> None:
    import json

    dumps: list[str] = []
    for seed, order in ((1, (1, 2, 3)), (2, (3, 1, 2))):
        async with start(seed=seed) as one, connected(one) as billing:
            account = await _account(billing)
            for number in order:
                await _send(_started(billing, account, number), f"s{number}")
            dumps.append(json.dumps(await one.admin("GET", "state")))
    assert dumps[0] == dumps[1]
    state = json.loads(dumps[0])
    assert [one["business_id"] for one in state["subscription"]] == [f"subscription-{n}" for n in (1, 2, 3)]
    assert state["customer"][0]["parent_id"] == "customer-parent"
    assert not {"cus_", "sub_1", "in_1"} & {part for part in ("cus_", "sub_1", "in_1") if part in dumps[0]}


async def test_what_is_missing_is_said_before_the_first_call(running: Running) -> None:
    with pytest.raises(Misconfigured, match="invoice_email"):
        async with connected(running, options={}):
            pass
    with pytest.raises(Misconfigured, match="secret_key"):
        async with connected(running, credentials={}):
            pass


async def test_a_wrong_key_is_a_wrong_credential(running: Running) -> None:
    async with connected(running, credentials={"secret_key": "sk_test_of_somebody_else"}) as billing:
        with pytest.raises(Retryable, match="credentials") as refused:
            await _send(billing.open_customer(a_customer()))
    assert "sk_test_of_somebody_else" not in str(refused.value)


async def test_yen_and_kronur_are_billed_whole(running: Running, billing: StripeBilling) -> None:
    account = await _account(billing)
    for number, money, cents in ((1, Money(1_000, "JPY"), 1_000), (2, Money(1_000, "ISK"), 100_000)):
        operation = _started(billing, account, number, total=money)
        receipt = (await _send(operation, f"s{number}")).receipt
        line = running.ledger("subscription")[-1]
        assert line["body"]["items"]["data"][0]["price"]["unit_amount"] == cents
        assert (line["amount_minor"], line["currency"]) == (money.amount_minor, money.currency)
        assert await _proved(billing, operation, receipt)
