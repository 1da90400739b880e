"""A credit memo is posted once, in its own period, and what is changed in the books afterwards is seen."""

from collections.abc import AsyncGenerator
from datetime import date
from typing import Any

import pytest

from accordant.canonical.operation import EffectClass, Facts, ReadRef, Receipt
from accordant.connector.http import Answer
from accordant.kernel.errors import Rejected, Unknown, Unmapped
from accordant.kernel.money import Money
from accordant.systems.netsuite.client import NetSuite
from accordant.systems.netsuite.client.manners import explain
from tests.systems.netsuite.account import Account
from tests.systems.netsuite.connected import ATTEMPT, connected, fault, problem, verified
from tests.systems.netsuite.sold import customer, memo, order

OCTOBER = {"starts_on": "2026-10-01", "ends_on": "2026-10-31"}
MEMO = "/record/v1/creditMemo/eid:credit-1"


@pytest.fixture
async def erp(account: Account) -> AsyncGenerator[NetSuite]:
    """Connected, with a customer in the books."""
    async with connected(account) as client:
        await client.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
        yield client


def memos(account: Account) -> list[dict[str, Any]]:
    return [line for line in account.ledger() if line["kind"] == "credit_memo"]


async def close(account: Account, *periods: dict[str, Any]) -> None:
    await account.admin("POST", "load", {"periods": list(periods)})


async def read(erp: NetSuite, receipt: Receipt) -> Facts | None:
    ref = ReadRef(kind="credit_memo", native_id=receipt.native_id, business_id=receipt.business_id)
    return (await erp.read_back("credit_memo", [ref])).get(receipt.native_id)


async def test_a_memo_sent_twice_is_one_memo_of_the_same_amount(account: Account, erp: NetSuite) -> None:
    operation = erp.post_credit_memo(memo())
    first, second = await operation.send(ATTEMPT), await operation.send(ATTEMPT)
    assert (operation.effect_class, operation.master_data) == (EffectClass.UPSERT, False)
    assert first.receipt == second.receipt
    assert (first.receipt.kind, first.receipt.business_id) == ("credit_memo", "credit-1")
    assert [(line["change"], line["amount_minor"], line["currency"]) for line in memos(account)] == [
        ("create", 25050, "USD"),
        ("update", 25050, "USD"),
    ]
    assert await verified(erp, operation, second)
    (posted,) = (await account.admin("GET", "state"))["credit_memo"]
    assert posted == {
        "business_id": "credit-1",
        "customer": "customer-1",
        "subsidiary": "US01",
        "currency": "USD",
        "amount_minor": 25050,
        "lines": [{"product": "SKU-2", "quantity": "1", "amount_minor": 25050}],
        "date": "2026-10-15",
        "memo": "case 4711, credit credit-1",
        "unapplied": "250.5",
    }


@pytest.mark.parametrize("day", [1, 31])
async def test_a_closed_period_refuses_with_its_month_and_nothing_is_written(
    account: Account, erp: NetSuite, day: int
) -> None:
    await close(account, OCTOBER)
    operation = erp.post_credit_memo(memo(posted_on=date(2026, 10, day)))
    with pytest.raises(Rejected) as raised:
        await operation.send(ATTEMPT)
    refusal = raised.value
    assert (refusal.code, refusal.detail["closed_period"]) == ("netsuite.closed_period", "2026-10")
    assert refusal.detail["cause"] == "the books are closed for 2026-10"
    assert (refusal.detail["vendor_code"], refusal.detail["field"]) == ("USER_ERROR", "tranDate")
    assert "not within the date range of your accounting period" in refusal.message
    assert (await account.admin("GET", "state"))["credit_memo"] == memos(account) == []
    assert operation.look_up
    assert await operation.look_up(ATTEMPT) is None
    await close(account, {**OCTOBER, "closed": False})
    assert await verified(erp, operation, await operation.send(ATTEMPT))


@pytest.mark.parametrize("day", [date(2026, 9, 30), date(2026, 11, 1)])
async def test_the_days_beside_a_closed_period_are_open(account: Account, erp: NetSuite, day: date) -> None:
    await close(account, OCTOBER)
    operation = erp.post_credit_memo(memo(posted_on=day))
    assert await verified(erp, operation, await operation.send(ATTEMPT))


async def test_a_memo_posted_before_its_period_closed_is_found_and_not_changed(account: Account, erp: NetSuite) -> None:
    operation = erp.post_credit_memo(memo())
    await fault(account, "error_after_apply", count=1)
    with pytest.raises(Unknown):
        await operation.send(ATTEMPT)
    await close(account, OCTOBER)
    with pytest.raises(Rejected):
        await operation.send(ATTEMPT)
    assert operation.look_up
    found = await operation.look_up(ATTEMPT)
    assert found is not None
    assert await verified(erp, operation, found)
    assert [line["change"] for line in memos(account)] == ["create"]


async def test_an_order_in_a_closed_period_is_told_apart_in_the_same_way(account: Account, erp: NetSuite) -> None:
    await close(account, {"starts_on": "2026-03-01", "ends_on": "2026-03-31"})
    with pytest.raises(Rejected) as raised:
        await erp.place_order(order()).send(ATTEMPT)
    assert raised.value.detail["closed_period"] == "2026-03"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": Money(25050, "EUR")}, "currency"),
        ({"erp_entity": "DE01"}, "subsidiary"),
        ({"customer_id": "nobody"}, "entity"),
        ({"item": "SKU-9"}, "item.items[0].item"),
    ],
)
async def test_what_does_not_fit_the_customer_is_refused_with_its_place(
    account: Account, erp: NetSuite, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(Rejected) as raised:
        await erp.post_credit_memo(memo(**change)).send(ATTEMPT)
    assert (raised.value.code, raised.value.detail["field"]) == ("netsuite.invalid_content", field)
    assert "closed_period" not in raised.value.detail
    assert memos(account) == []


async def test_a_currency_without_an_internal_id_is_refused_before_anything_is_sent(
    account: Account, erp: NetSuite
) -> None:
    with pytest.raises(Unmapped):
        await erp.post_credit_memo(memo(amount=Money(1, "NOK"))).send(ATTEMPT)
    assert memos(account) == []


@pytest.mark.parametrize(
    ("by_hand", "seen"),
    [
        ({"item": {"items": [{"item": {"externalId": "SKU-2"}, "rate": 250.51}]}}, {"amount_minor": 25051}),
        ({"tranDate": "2026-11-01"}, {"posted_on": "2026-11-01"}),
        ({"entity": {"externalId": "customer-2"}}, {"customer_id": "customer-2"}),
        ({"externalId": "credit-2"}, {"business_id": "credit-2"}),
    ],
)
async def test_reading_back_shows_what_was_changed_by_hand(
    account: Account, erp: NetSuite, by_hand: dict[str, Any], seen: Facts
) -> None:
    await erp.open_customer(customer("customer-2"), erp_entity="US01").send(ATTEMPT)
    operation = erp.post_credit_memo(memo())
    receipt = (await operation.send(ATTEMPT)).receipt
    assert await read(erp, receipt) == operation.expected
    assert (await account.call("PATCH", f"{MEMO}?replace=item", by_hand)).status == 204
    assert await read(erp, receipt) == {**operation.expected, **seen}


async def test_a_deleted_memo_and_an_order_of_that_number_are_no_memo(account: Account, erp: NetSuite) -> None:
    receipt = (await erp.post_credit_memo(memo()).send(ATTEMPT)).receipt
    placed = (await erp.place_order(order()).send(ATTEMPT)).receipt
    assert await read(erp, placed) is None
    assert (await account.call("DELETE", MEMO)).status == 204
    assert await read(erp, receipt) is None


async def test_a_lookup_counts_a_memo_only_with_the_amount_of_this_operation(erp: NetSuite) -> None:
    posted = await erp.post_credit_memo(memo()).send(ATTEMPT)
    same, other = erp.post_credit_memo(memo()), erp.post_credit_memo(memo(amount=Money(25051, "USD")))
    assert same.look_up
    assert other.look_up
    found = await same.look_up(ATTEMPT)
    assert found is not None
    assert found.receipt == posted.receipt
    assert await other.look_up(ATTEMPT) is None


@pytest.mark.parametrize(
    ("code", "sentence", "known"),
    [
        ("CLOSED_TRAN_PRD", "no", True),
        ("USER_ERROR", "The transaction falls in a closed accounting period.", True),
        ("USER_ERROR", "The period is closed.", True),
        ("USER_ERROR", "Please enter value(s) for: Posting Period.", False),
        ("INVALID_CONTENT", "The order is closed.", False),
    ],
)
def test_a_closed_period_is_known_by_code_or_words(code: str, sentence: str, known: bool) -> None:
    said = explain(Answer(status=400, headers={}, body=problem(code, sentence), wrote=True))
    assert (said.code == "netsuite.closed_period") is known


async def test_a_foreign_integration_sees_a_memo_and_its_negative_total(account: Account, erp: NetSuite) -> None:
    await erp.post_credit_memo(memo()).send(ATTEMPT)
    shown = (await account.call("GET", f"{MEMO}?expandSubResources=true")).body
    assert (str(shown["total"]), shown["status"]["id"], shown["tranId"]) == ("250.50", "Open", "CM50001")
    assert "isClosed" not in shown["item"]["items"][0]
    await erp.place_order(order()).send(ATTEMPT)
    wanted = "SELECT externalid, type, status, foreigntotal FROM transaction"
    rows = (await account.query(f"{wanted} WHERE type = 'CustCred'")).body["items"]
    said = {"externalid": "credit-1", "type": "CustCred", "status": "A", "foreigntotal": "-250.5"}
    assert rows == [{"links": [], **said}]
    assert [row["type"] for row in (await account.query(f"{wanted} ORDER BY id")).body["items"]] == [
        "CustCred",
        "SalesOrd",
    ]


async def test_transactions_share_ids_but_not_addresses(account: Account, erp: NetSuite) -> None:
    await erp.post_credit_memo(memo()).send(ATTEMPT)
    assert (await account.call("GET", "/record/v1/salesOrder/eid:credit-1")).status == 404
    assert (await account.call("GET", "/record/v1/salesOrder/50001")).status == 404
    with pytest.raises(Rejected) as raised:
        await erp.place_order(order(order_id="credit-1")).send(ATTEMPT)
    assert raised.value.detail["field"] == "externalId"


async def test_periods_can_be_asked_for(account: Account) -> None:
    await close(
        account, OCTOBER, {"starts_on": "2026-11-01", "ends_on": "2026-11-30", "name": "FY26-P11", "closed": False}
    )
    query = "SELECT periodname, startdate, enddate FROM accountingperiod WHERE closed = "
    rows = (await account.query(f"{query}'T'")).body["items"]
    assert rows == [{"links": [], "periodname": "Oct 2026", "startdate": "2026-10-01", "enddate": "2026-10-31"}]
    assert [row["periodname"] for row in (await account.query(f"{query}'F'")).body["items"]] == ["FY26-P11"]
    await close(account)
    assert (await account.query("SELECT id FROM accountingperiod")).body["items"] == []
