"""Each vendor's sandbox behind a proxy, with our real client before it, and one write to break."""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from accordant.canonical.operation import Attempt, Operation
from accordant.canonical.opportunity import DealStanding
from accordant.connector.capabilities import ConnectionSettings, Connector
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.connector.sandbox import SandboxOptions, serve
from accordant.kernel.clock import SystemClock
from accordant.proving.proxy import ChaosProxy, before
from accordant.systems import netsuite, salesforce, stripe, zendesk
from accordant.systems.netsuite.sandbox.account import NetSuite as NetSuiteSandbox
from accordant.systems.salesforce.sandbox.native_ids import id_from_key
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox
from accordant.systems.stripe.sandbox.door import StripeSandbox
from accordant.systems.zendesk.sandbox.server import ZendeskSandbox
from tests.systems.netsuite.account import SETUP
from tests.systems.netsuite.sold import customer as erp_customer
from tests.systems.stripe.account import a_customer
from tests.systems.zendesk.test_mapping import CUSTOMER as SUPPORT_CUSTOMER

DEALS = [f"N-{n}" for n in (1, 2, 3)]


class Broken(msgspec.Struct, frozen=True):
    """One vendor: how it is served, and the n-th write of our client, each to a record of its own."""

    name: str
    system: Any
    connector: Connector
    sandbox: Any
    load: Any
    write: Callable[[Any, int], Operation]
    creates: bool = True
    """Whether the write makes a record; else it sets a state, and repeating it leaves the same state."""


def _deal(number: str) -> dict[str, Any]:
    return {"Id": id_from_key("006", number), "Name": number, "Opportunity_Number__c": number, "StageName": "Won"}


def _standing(client: Any, n: int) -> Operation:
    number = f"N-{n}"
    said = DealStanding(
        opportunity_id=number, source_id=id_from_key("006", number), status="in step", transaction_id="tx-1"
    )
    return client.tell_standing(said)


VENDORS = (
    Broken(
        "stripe",
        "billing",
        stripe.connector,
        StripeSandbox,
        None,
        lambda client, n: client.open_customer(a_customer(n)),
    ),
    Broken(
        "netsuite",
        "erp",
        netsuite.connector,
        NetSuiteSandbox,
        SETUP,
        lambda client, n: client.open_customer(erp_customer(f"customer-{n}"), erp_entity="US01"),
    ),
    Broken(
        "zendesk",
        "support",
        zendesk.connector,
        ZendeskSandbox,
        None,
        lambda client, n: client.open_customer(
            msgspec.structs.replace(SUPPORT_CUSTOMER, customer_id=f"customer-{n}", name=f"Acme {n}")
        ),
    ),
    Broken(
        "salesforce",
        "crm",
        salesforce.connector,
        SalesforceSandbox,
        {"Opportunity": [_deal(number) for number in DEALS]},
        _standing,
        creates=False,
    ),
)


class Bench:
    """A running sandbox, the proxy before it, and a client that has signed in through the proxy."""

    def __init__(self, one: Broken, client: Any, *, proxy: ChaosProxy, ledger: Path) -> None:
        self.one = one
        self.client = client
        self.proxy = proxy
        self._ledger = ledger

    async def send(self, n: int) -> Any:
        return await self.one.write(self.client, n).send(Attempt(key=f"key-{n}"))

    async def find(self, n: int) -> Any:
        look_up = self.one.write(self.client, n).look_up
        assert look_up is not None
        return await look_up(Attempt(key=f"key-{n}"))

    def applied(self, n: int) -> list[dict[str, Any]]:
        """What the sandbox itself wrote down about the n-th record."""
        lines = [msgspec.json.decode(line) for line in self._ledger.read_bytes().splitlines()]
        business_id = f"customer-{n}" if self.one.creates else f"N-{n}"
        return [line for line in lines if line["business_id"] == business_id]

    def answered(self) -> int:
        return self.proxy.did["response_bytes"]


@asynccontextmanager
async def bench(one: Broken, folder: Path, *, timeout_s: float = 5.0) -> AsyncGenerator[Bench]:
    """The first record is written without a fault: sign-in and connection are there before anything is broken."""
    options = SandboxOptions(system=one.system, state_dir=folder, admin_token="open")
    async with serve(one.sandbox, options) as serving, open_session() as session:
        if one.load is not None:
            headers = {"X-Sandbox-Token": "open"}
            async with session.post(f"{serving.url}/__sandbox__/load", json=one.load, headers=headers) as loaded:
                assert loaded.status == 200, await loaded.text()
        async with before(int(serving.url.rpartition(":")[2]), rng=random.Random(1)) as proxy:
            seed = one.connector.sandbox_seed
            settings = ConnectionSettings(
                name=one.name,
                vendor=one.name,
                base_url=proxy.url,
                credentials=seed.credentials,
                options=seed.options,
                timeout_s=timeout_s,
            )
            deps = HttpDeps(session=session, clock=SystemClock(), rng=random.Random(1))
            client = one.connector.connect(settings, VendorHttp(settings, one.connector.manners(settings), deps=deps))
            running = Bench(one, client, proxy=proxy, ledger=folder / "ledger" / f"{one.system}.jsonl")
            await running.send(1)
            yield running
