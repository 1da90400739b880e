"""The stub of the benchmark answers every shipped client, and counts what it was asked."""

import random
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import aiohttp
import pytest
from bench.control import CALLS, require_four_calls
from bench.deals import deal_id
from bench.stub import Stub, serve

from accordant.canonical.customer import Address, Customer
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Attempt, Operation, ReadRef, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order, OrderLine
from accordant.canonical.subscription import Subscription
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.kernel.clock import SystemClock
from accordant.kernel.money import Money
from accordant.wiring import VENDORS

DAY, END = date(2026, 6, 15), date(2027, 6, 15)
PRICE = Money(60_000, "USD")
CUSTOMER = Customer(
    customer_id="customer-1",
    name="Aldale",
    legal_entity="US01",
    currency="USD",
    bill_to=Address(country="US"),
    ship_to=Address(country="US"),
)
SUBSCRIPTION = Subscription(
    subscription_id="subscription-1",
    customer_id="customer-1",
    opportunity_id="D-1",
    product_id="LDG-START",
    quantity=2,
    total=PRICE,
    starts_on=DAY,
    ends_on=END,
)
ORDER = Order(
    order_id="order-1",
    customer_id="customer-1",
    legal_entity="US01",
    erp_entity="1",
    opportunity_id="D-1",
    subscription_id="subscription-1",
    ordered_on=DAY,
    lines=(OrderLine(product_id="LDG-START", quantity=2, total=PRICE),),
    total=PRICE,
)
ENTITLEMENT = Entitlement(
    customer_id="customer-1", status="active", service_tier="plus", ends_on=END, response_minutes=120
)
STANDING = DealStanding(opportunity_id="D-1", source_id=deal_id(7), status="in step", transaction_id="tx-1")


@pytest.fixture
async def stub() -> AsyncIterator[tuple[Stub, str]]:
    held = Stub()
    server = await serve(0, held)
    yield held, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


def client(vendor: str, url: str, session: aiohttp.ClientSession) -> Any:
    """The shipped client, pointed at the stub."""
    connector = VENDORS[vendor]
    seed = connector.sandbox_seed
    settings = ConnectionSettings(
        name=vendor, vendor=vendor, base_url=url, credentials=seed.credentials, options=seed.options
    )
    deps = HttpDeps(session=session, clock=SystemClock(), rng=random.Random(1))
    return connector.connect(settings, VendorHttp(settings, connector.manners(settings), deps=deps))


async def done(port: Any, operation: Operation) -> Receipt:
    """Send it, and see that the read-back shows what it should have left."""
    receipt = (await operation.send(Attempt(key="acc-1"))).receipt
    ref = ReadRef(kind=operation.kind, native_id=receipt.native_id, business_id=operation.business_id)
    held = await port.read_back(operation.kind, [ref])
    assert held[receipt.native_id].items() >= operation.expected.items()
    return receipt


async def test_the_four_calls_of_a_deal_are_confirmed_and_read_back(
    stub: tuple[Stub, str], session: aiohttp.ClientSession
) -> None:
    held, url = stub
    stripe, netsuite, zendesk, salesforce = (client(one, url, session) for one in VENDORS_IN_ORDER)
    account = await done(stripe, stripe.open_customer(CUSTOMER))
    await done(netsuite, netsuite.open_customer(CUSTOMER, erp_entity="1"))
    await done(zendesk, zendesk.open_customer(CUSTOMER))
    assert not {name: held.vendors.counts[name] for name in CALLS if held.vendors.counts[name]}

    await done(stripe, stripe.start_subscription(SUBSCRIPTION, account=account))
    await done(netsuite, netsuite.place_order(ORDER))
    await done(zendesk, zendesk.set_entitlement(ENTITLEMENT))
    await done(salesforce, salesforce.tell_standing(STANDING))
    require_four_calls(dict(held.vendors.counts), 1)


VENDORS_IN_ORDER = ("stripe", "netsuite", "zendesk", "salesforce")


async def test_a_page_of_many_subscriptions_reads_each_back(
    stub: tuple[Stub, str], session: aiohttp.ClientSession
) -> None:
    _, url = stub
    stripe = client("stripe", url, session)
    account = await done(stripe, stripe.open_customer(CUSTOMER))
    starting = stripe.start_subscription(SUBSCRIPTION, account=account)
    receipts = [(await starting.send(Attempt(key=f"acc-{n}"))).receipt for n in range(150)]
    refs = [ReadRef(kind="subscription", native_id=one.native_id, business_id="s") for one in receipts]
    held = await stripe.read_back("subscription", refs)
    assert len(held) == 150


async def test_released_deals_are_polled_page_by_page_and_no_others(
    stub: tuple[Stub, str], session: aiohttp.ClientSession
) -> None:
    held, url = stub
    salesforce = client("salesforce", url, session)
    held.vendors.release(0, 1200, customers=100)
    pages = [page async for page in salesforce.changed_opportunities("")]
    assert [len(page) for page in pages] == [500, 500, 200]
    newest = pages[-1][-1].sequence
    held.vendors.release(1200, 3, customers=100)
    assert held.vendors.first_read_at == 0.0
    again = [row async for page in salesforce.changed_opportunities(newest) for row in page]
    assert len(again) == 4, "the row at the cursor and the three new ones"
    assert held.vendors.first_read_at > 0


async def test_a_burst_puts_corrections_between_the_halves(
    stub: tuple[Stub, str], session: aiohttp.ClientSession
) -> None:
    held, url = stub
    held.vendors.release(0, 4, customers=4)
    held.vendors.burst(4, 2, 1, customers=4)
    salesforce = client("salesforce", url, session)
    rows = [row async for page in salesforce.changed_opportunities("") for row in page]
    assert [row.delivery_id.partition("@")[0] for row in rows] == [deal_id(n) for n in (0, 1, 2, 3, 4, 5, 0, 7, 8)], (
        "a correction of deal 0 after the first two"
    )
    assert [row.sequence for row in rows] == sorted(row.sequence for row in rows)


async def test_requests_in_pieces_and_several_at_once_are_answered_in_order(stub: tuple[Stub, str]) -> None:
    import asyncio

    held, url = stub
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    request = b"PATCH /services/data/v67.0/sobjects/Opportunity/006A HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"
    writer.write(request[:30])
    await asyncio.sleep(0.02)
    writer.write(request[30:] + request * 2)
    got = b""
    while got.count(b"HTTP/1.1 204") < 3:
        got += await asyncio.wait_for(reader.read(4096), 5)
    assert held.vendors.counts["crm"] == 3
    writer.close()
