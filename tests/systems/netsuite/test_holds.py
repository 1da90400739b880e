"""A credit hold is placed and released once; what people do to it by hand is seen, and what we did is not told back."""

from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.account import CreditHold, CreditHoldPlaced, CreditHoldReleased
from accordant.canonical.operation import EffectClass, Operation, Receipt
from accordant.connector.capabilities import Row
from accordant.kernel.errors import Malformed, Rejected
from accordant.systems.netsuite.client import NetSuite
from accordant.systems.netsuite.mapping import HOLDS, translate
from tests.systems.netsuite.account import Account
from tests.systems.netsuite.connected import ATTEMPT, verified
from tests.systems.netsuite.sold import customer

OURS = "/record/v1/customer/eid:customer-1"
FREE = CreditHold(is_on=False, is_ours=False, is_waived=False)
HELD = CreditHold(is_on=True, is_ours=True, is_waived=False)
BY_HAND = CreditHold(is_on=True, is_ours=False, is_waived=False)


@pytest.fixture
async def account_of(erp: NetSuite) -> Receipt:
    """The customer, in the books."""
    return (await erp.open_customer(customer(), erp_entity="US01").send(ATTEMPT)).receipt


async def by_hand(account: Account, **body: Any) -> None:
    said = await account.call("PATCH", OURS, body)
    assert said.status == 204, said.body


async def polled(erp: NetSuite, since: str = "") -> list[Row]:
    return [row async for page in erp.changed_holds(since) for row in page]


def message(row: Row, stream: str = HOLDS) -> Message:
    return Message(
        message_id="m",
        tenant="t",
        connection="netsuite",
        stream=stream,
        delivery_id=row.delivery_id,
        body=row.body,
        received_at_ms=1_800_000_000_000,
        correlation_id="c",
    )


async def told(erp: NetSuite) -> Told | Ignored:
    (row,) = await polled(erp)
    found = translate(message(row))
    return found if isinstance(found, Ignored) else found[0]


async def test_a_hold_is_placed_and_released_whole(account: Account, erp: NetSuite, account_of: Receipt) -> None:
    assert await erp.credit_hold(account_of) == FREE
    placing, releasing = erp.place_hold("customer-1"), erp.release_hold("customer-1")
    assert (placing.effect_class, placing.kind, placing.master_data) == (EffectClass.UPSERT, "credit_hold", False)
    for _ in range(2):
        applied = await placing.send(ATTEMPT)
    assert applied.receipt.native_id == account_of.native_id
    assert await verified(erp, placing, applied)
    assert await erp.credit_hold(account_of) == HELD
    assert (await account.admin("GET", "state"))["customer"][0]["hold"] == "ON"
    assert await verified(erp, releasing, await releasing.send(ATTEMPT))
    assert await erp.credit_hold(account_of) == FREE
    name = await account.call("GET", OURS)
    assert name.body["companyName"] == customer().name, "the rest of the customer stays"


async def test_what_may_have_been_applied_is_found(account: Account, erp: NetSuite, account_of: Receipt) -> None:
    def looking(operation: Operation) -> Any:
        assert operation.look_up
        return operation.look_up(ATTEMPT)

    assert await looking(erp.place_hold("customer-1")) is None
    await erp.place_hold("customer-1").send(ATTEMPT)
    assert (await looking(erp.place_hold("customer-1"))).receipt.native_id == account_of.native_id
    assert await looking(erp.release_hold("customer-1")) is None


async def test_a_customer_that_is_not_in_the_books_is_refused(erp: NetSuite) -> None:
    with pytest.raises(Rejected):
        await erp.place_hold("customer-9").send(ATTEMPT)
    with pytest.raises(Rejected, match="do not hold customer-9") as raised:
        await erp.credit_hold(Receipt(kind="customer", native_id="9", business_id="customer-9"))
    assert raised.value.code == "netsuite.no_customer"


async def test_the_form_takes_three_values(account: Account, account_of: Receipt) -> None:
    assert (await account.call("PATCH", OURS, {"creditHoldOverride": {"id": "MAYBE"}})).status == 400


async def test_a_hold_by_hand_is_told_and_ours_is_not(account: Account, erp: NetSuite, account_of: Receipt) -> None:
    assert await polled(erp) == [], "that we opened a customer is no news"
    await by_hand(account, creditHoldOverride={"id": "ON"})
    placed = await told(erp)
    assert isinstance(placed, Told)
    assert placed.fact == CreditHoldPlaced(customer_source_id=account_of.native_id, name=customer().name, hold=BY_HAND)
    assert (placed.subject, placed.orderingkey) == ("customer-1", account_of.native_id)
    await by_hand(account, creditHoldOverride={"id": "AUTO"})
    released = await told(erp)
    assert isinstance(released, Told)
    assert isinstance(released.fact, CreditHoldReleased)
    assert released.needs_earlier, "who was never held is not released"
    assert released.content != placed.content
    assert released.source_record == placed.source_record
    await erp.place_hold("customer-1").send(ATTEMPT)
    assert await told(erp) == Ignored(reason="echo")


@pytest.mark.parametrize("value", ["AUTO", "OFF"])
async def test_whoever_takes_our_hold_back_says_no_to_it(
    account: Account, erp: NetSuite, account_of: Receipt, value: str
) -> None:
    await erp.place_hold("customer-1").send(ATTEMPT)
    await by_hand(account, creditHoldOverride={"id": value})
    found = await told(erp)
    assert isinstance(found, Told)
    assert isinstance(found.fact, CreditHoldReleased)
    assert found.fact.hold == CreditHold(is_on=False, is_ours=value == "AUTO", is_waived=True)
    assert not found.needs_earlier
    assert await erp.credit_hold(account_of) == found.fact.hold


async def test_customers_are_asked_for_from_an_instant_on(account: Account, erp: NetSuite, account_of: Receipt) -> None:
    await by_hand(account, creditHoldOverride={"id": "ON"})
    (row,) = await polled(erp)
    assert [one.delivery_id for one in await polled(erp, row.sequence)] == [row.delivery_id]
    await account.admin("POST", "clock", {"advance_s": 60})
    await by_hand(account, creditHoldOverride={"id": "OFF"})
    (later,) = await polled(erp)
    assert later.sequence > row.sequence
    assert await polled(erp, later.sequence.replace("Z", "+00:00")) == [later]


async def test_somebody_elses_customer_is_not_ours(account: Account, erp: NetSuite) -> None:
    body = {"companyName": "Other", "subsidiary": {"externalId": "US01"}, "creditHoldOverride": {"id": "ON"}}
    assert (await account.call("POST", "/record/v1/customer", body)).status == 204
    assert await told(erp) == Ignored(reason="not_ours")


@pytest.mark.parametrize(
    "body",
    [b"{no", b"[]", b"{}", b'{"id": "x", "externalid": "customer-1", "changed_at": "2026-01-01 00:00:00"}',
     b'{"id": "7", "externalid": "customer-1", "manualcredithold": "T", "changed_at": "yesterday"}'],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(body: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        translate(message(Row(delivery_id="7@1", sequence="1", body=body)))
    assert raised.value.code == "netsuite.row"
    assert raised.value.hint


def test_other_streams_tell_nothing() -> None:
    row = Row(delivery_id="7@1", sequence="1", body=msgspec.json.encode({"id": "7"}))
    assert translate(message(row, "webhook")) == Ignored(reason="unknown_type")
