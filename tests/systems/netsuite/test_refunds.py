"""A refund pays a credit memo out in the books: once, in an open period, and never more than the memo holds."""

from collections.abc import AsyncGenerator
from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.canonical.operation import Receipt
from accordant.canonical.refund import RefundEntry
from accordant.kernel.errors import Rejected, Unknown
from accordant.kernel.money import Money
from accordant.systems.netsuite.client import NetSuite
from tests.systems.netsuite.account import Account
from tests.systems.netsuite.connected import ATTEMPT, connected, fault, verified
from tests.systems.netsuite.sold import customer, memo

ENTRY = RefundEntry(
    refund_id="refund-1",
    credit_id="credit-1",
    customer_id="customer-1",
    legal_entity="us",
    erp_entity="US01",
    case_id="4711",
    invoice_number="INV-1",
    amount=Money(25_050, "USD"),
    posted_on=date(2026, 10, 15),
)


@pytest.fixture
async def erp(account: Account) -> AsyncGenerator[NetSuite]:
    """Connected, with a customer in the books."""
    async with connected(account) as client:
        await client.open_customer(customer(), erp_entity="US01").send(ATTEMPT)
        yield client


async def posted_memo(erp: NetSuite, **changes: Any) -> Receipt:
    return (await erp.post_credit_memo(memo(**changes)).send(ATTEMPT)).receipt


async def refunds(account: Account) -> list[dict[str, Any]]:
    return (await account.admin("GET", "state"))["customer_refund"]


async def test_a_refund_is_posted_once_found_again_and_read_back(account: Account, erp: NetSuite) -> None:
    credit = await posted_memo(erp)
    operation = erp.post_refund(ENTRY, memo=credit)
    await fault(account, "error_after_apply", count=1)
    with pytest.raises(Unknown):
        await operation.send(ATTEMPT)
    assert operation.look_up
    found = await operation.look_up(ATTEMPT)
    assert found is not None
    again = await operation.send(ATTEMPT)
    assert found.receipt == again.receipt
    assert await verified(erp, operation, again)
    assert await refunds(account) == [
        {
            "business_id": "refund-1",
            "customer": "customer-1",
            "subsidiary": "US01",
            "currency": "USD",
            "amount_minor": 25_050,
            "date": "2026-10-15",
            "memo": "case 4711, invoice INV-1, refund refund-1",
        }
    ]


async def test_parts_are_paid_out_until_nothing_is_left(account: Account, erp: NetSuite) -> None:
    credit = await posted_memo(erp)
    part = msgspec.structs.replace(ENTRY, amount=Money(20_000, "USD"))
    rest = msgspec.structs.replace(ENTRY, refund_id="refund-2", amount=Money(5_051, "USD"))
    await erp.post_refund(part, memo=credit).send(ATTEMPT)
    with pytest.raises(Rejected, match="more than the remaining amount"):
        await erp.post_refund(rest, memo=credit).send(ATTEMPT)
    await erp.post_refund(msgspec.structs.replace(rest, amount=Money(5_050, "USD")), memo=credit).send(ATTEMPT)
    assert sorted(one["amount_minor"] for one in await refunds(account)) == [5_050, 20_000]


async def test_nobody_is_paid_out_of_somebody_elses_memo(account: Account, erp: NetSuite) -> None:
    await erp.open_customer(customer("customer-2"), erp_entity="US01").send(ATTEMPT)
    credit = await posted_memo(erp, credit_id="credit-2", customer_id="customer-2")
    with pytest.raises(Rejected):
        await erp.post_refund(ENTRY, memo=credit).send(ATTEMPT)
    assert await refunds(account) == []


async def test_a_closed_period_names_its_month(account: Account, erp: NetSuite) -> None:
    credit = await posted_memo(erp)
    await account.admin("POST", "load", {"periods": [{"starts_on": "2026-10-01", "ends_on": "2026-10-31"}]})
    with pytest.raises(Rejected) as raised:
        await erp.post_refund(ENTRY, memo=credit).send(ATTEMPT)
    assert (raised.value.code, raised.value.detail["closed_period"]) == ("netsuite.closed_period", "2026-10")
