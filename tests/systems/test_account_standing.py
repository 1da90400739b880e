"""How an account stands is told whole to the CRM and to support, and nothing else of the record changes."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accordant.canonical.account import AccountStanding
from accordant.canonical.customer import Address, Customer
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Attempt, EffectClass, ReadRef, Receipt
from accordant.kernel.money import Money
from tests.ambiguity.world import World, opened

ONE = AccountStanding(
    customer_id="customer-1",
    status="on hold",
    balance=Money(120_050, "USD"),
    overdue=Money(5_000, "USD"),
    as_of=date(2026, 11, 21),
    reason="invoice F-1 over 50.00 USD is overdue",
    transaction_id="tx-1",
)
CLEAR = AccountStanding(
    customer_id="customer-1",
    status="current",
    balance=Money(0, "USD"),
    overdue=Money(0, "USD"),
    as_of=date(2026, 11, 22),
    transaction_id="tx-2",
)
ACCOUNT = "001Kx0000000009IAA"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    from accordant.launch import state as states

    states.prepare(tmp_path)
    states.command_token(tmp_path)
    async with opened(tmp_path) as one:
        one.vendor_of("crm").load({"Account": [{"Id": ACCOUNT, "Name": "Acme", "BillingCountry": "Germany"}]})
        here = Address(country="DE")
        known = Customer(
            customer_id="customer-1", name="Acme", legal_entity="EU01", currency="USD", bill_to=here, ship_to=here
        )
        await one.clients["support"].open_customer(known).send(Attempt(key="c"))
        yield one


@pytest.mark.parametrize("role", ["crm", "support"])
async def test_it_is_told_whole_looked_up_and_read_back(world: World, role: str) -> None:
    client: Any = world.clients[role]
    native_id = ACCOUNT if role == "crm" else ""
    account = Receipt(kind="customer", native_id=native_id, business_id="customer-1")
    telling, clearing = client.tell_account(ONE, account=account), client.tell_account(CLEAR, account=account)
    assert (telling.effect_class, telling.kind, telling.system) == (EffectClass.UPSERT, "account_standing", role)
    assert await telling.look_up(Attempt(key="k")) is None
    for _ in range(2):
        applied = await telling.send(Attempt(key="k"))
    assert await telling.look_up(Attempt(key="k")) is not None
    assert await clearing.look_up(Attempt(key="k")) is None
    ref = ReadRef(kind="account_standing", native_id=applied.receipt.native_id, business_id="customer-1")
    assert await client.read_back("account_standing", [ref]) == {ref.native_id: telling.expected}
    await clearing.send(Attempt(key="l"))
    assert await client.read_back("account_standing", [ref]) == {ref.native_id: clearing.expected}
    (shown,) = world.vendor_of(role).dump()["account_standing"]
    assert (shown["status"], shown["reason"]) == ("current", None)
    names = [one["name" if role == "support" else "business_id"] for one in world.vendor_of(role).dump()["customer"]]
    assert "Acme" in names, "the rest of the record stays"


async def test_a_reason_that_is_too_long_is_cut_and_still_agrees(world: World) -> None:
    long = msgspec.structs.replace(ONE, reason="x" * 400)
    for role, native_id in (("crm", ACCOUNT), ("support", "")):
        account = Receipt(kind="customer", native_id=native_id, business_id="customer-1")
        telling = world.clients[role].tell_account(long, account=account)
        applied = await telling.send(Attempt(key="k"))
        ref = ReadRef(kind="account_standing", native_id=applied.receipt.native_id, business_id="customer-1")
        assert await world.clients[role].read_back("account_standing", [ref]) == {ref.native_id: telling.expected}


async def test_the_entitlement_stays_as_it_is(world: World) -> None:
    support: Any = world.clients["support"]
    entitlement = Entitlement(
        customer_id="customer-1",
        status="limited",
        service_tier="plus",
        ends_on=date(2027, 1, 1),
        response_minutes=120,
    )
    await support.set_entitlement(entitlement).send(Attempt(key="e"))
    await support.tell_account(ONE, account=Receipt(kind="customer", native_id="", business_id="customer-1")).send(
        Attempt(key="k")
    )
    (held,) = world.vendor_of("support").dump()["entitlement"]
    assert (held["status"], held["service_tier"]) == ("limited", "plus")
    (line,) = world.vendor_of("support").dump()["account_standing"]
    assert (line["balance"], line["currency"]) == ("1200.50", "USD")
