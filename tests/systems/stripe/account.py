"""The sandbox over real HTTP, the official client in a thread of its own, and the administrator's door."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import stripe

from accordant.canonical.credit import ServiceCredit
from accordant.canonical.customer import Address, Customer
from accordant.canonical.operation import Applied, Attempt, Operation, ReadRef, Receipt
from accordant.canonical.subscription import Subscription
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.connector.sandbox import Serving
from accordant.kernel.clock import SystemClock
from accordant.kernel.money import Money
from accordant.systems.stripe import connector
from accordant.systems.stripe.client import StripeBilling
from accordant.systems.stripe.sandbox import SECRET_KEY

ADMIN_TOKEN = "open sesame"


class Running:
    """A sandbox that runs, seen from outside."""

    def __init__(self, serving: Serving, session: aiohttp.ClientSession, ledger: Path) -> None:
        self.url = serving.url
        self.sandbox = serving.sandbox
        self.session = session
        self._ledger = ledger

    def official(self, **options: Any) -> Any:
        given: dict[str, Any] = {"max_network_retries": 0, **options}
        return stripe.StripeClient(given.pop("key", SECRET_KEY), base_addresses={"api": self.url}, **given)

    async def ask(self, call: Callable[[Any], Any], **options: Any) -> Any:
        """Run blocking calls of the official client beside the server."""
        return await asyncio.to_thread(call, self.official(**options))

    async def admin(self, method: str, action: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Sandbox-Token": ADMIN_TOKEN}
        async with self.session.request(method, f"{self.url}/__sandbox__/{action}", data=data, headers=headers) as got:
            answer = await got.json()
            assert got.status == 200, answer
            return answer

    async def fault(self, kind: str, operation: str = "*", **how: object) -> None:
        await self.admin("PUT", "faults", {"faults": [{"kind": kind, "operation": operation, **how}]})

    async def raw(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] = {}
    ) -> tuple[int, dict[str, str], Any]:
        sent = {"Authorization": f"Bearer {SECRET_KEY}", **headers}
        if body:
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        async with self.session.request(method, self.url + path, data=body or None, headers=sent) as got:
            return got.status, {name.lower(): value for name, value in got.headers.items()}, await got.json()

    def ledger(self, kind: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._ledger.read_text().splitlines()]
        return [line for line in lines if kind is None or line["kind"] == kind]


Start = Callable[..., AbstractAsyncContextManager[Running]]


CUSTOMER: dict[str, Any] = {"name": "Acme", "email": "ar@acme.example", "metadata": {"customer_id": "customer-1"}}


def terms(customer: str, *, unit_amount: int = 55_000, quantity: int = 1, **more: Any) -> dict[str, Any]:
    """Parameters of a subscription as the official client takes them."""
    price = {"currency": "usd", "product": "GTXB", "unit_amount": unit_amount, "recurring": {"interval": "year"}}
    return {
        "customer": customer,
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "items": [{"price_data": price, "quantity": quantity}],
        "metadata": {"subscription_id": "subscription-1"},
        **more,
    }


def a_customer(number: int = 1, **changes: Any) -> Customer:
    address = Address(country="PH")
    given: dict[str, Any] = {
        "customer_id": f"customer-{number}",
        "name": "Ácme & Söhne, “Ltd”",
        "legal_entity": "US01",
        "currency": "USD",
        "bill_to": address,
        "ship_to": address,
        "parent_id": "customer-parent",
        "tax_id": "12-345",
    }
    return Customer(**{**given, **changes})


def a_subscription(number: int = 1, *, amount_minor: int = 105_400, quantity: int = 1, **more: Any) -> Subscription:
    given: dict[str, Any] = {
        "subscription_id": f"subscription-{number}",
        "customer_id": "customer-1",
        "opportunity_id": f"OPP{number}",
        "product_id": "GTXB",
        "quantity": quantity,
        "total": Money(amount_minor, "USD"),
        "starts_on": date(2017, 3, 1),
        "ends_on": date(2018, 2, 28),
    }
    return Subscription(**{**given, **more})


def a_credit(number: int = 1, *, amount: Money = Money(12_500, "USD"), **more: Any) -> ServiceCredit:  # noqa: B008
    given: dict[str, Any] = {
        "credit_id": f"credit-{number}",
        "customer_id": "customer-1",
        "case_id": f"{4000 + number}",
        "amount": amount,
        "reason": "outage",
        "granted_on": date(2026, 11, 21),
    }
    return ServiceCredit(**{**given, **more})


async def send(operation: Operation, key: str = "k") -> Applied:
    return await operation.send(Attempt(key=key))


async def opened(billing: StripeBilling, number: int = 1) -> Receipt:
    """A customer's account."""
    return (await send(billing.open_customer(a_customer(number)), f"account-{number}")).receipt


async def proved(billing: StripeBilling, operation: Operation, receipt: Receipt) -> bool:
    ref = ReadRef(kind=receipt.kind, native_id=receipt.native_id, business_id=receipt.business_id)
    facts = await billing.read_back(receipt.kind, [ref])
    return facts[receipt.native_id] == operation.expected


@asynccontextmanager
async def connected(running: Running, **changes: Any) -> AsyncGenerator[StripeBilling]:
    """Our client, over the kit's HTTP, as the platform makes it."""
    seed = connector.sandbox_seed
    given: dict[str, Any] = {
        "name": "stripe",
        "vendor": "stripe",
        "base_url": running.url,
        "credentials": seed.credentials,
        "options": seed.options,
        "timeout_s": 30.0,
    }
    settings = ConnectionSettings(**{**given, **changes})
    async with open_session() as session:
        deps = HttpDeps(session=session, clock=SystemClock(), rng=random.Random(1))
        client: Any = connector.connect(settings, VendorHttp(settings, connector.manners(settings), deps=deps))
        yield client
