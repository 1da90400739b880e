"""The one piece of work that everybody does: read an event, validate it, and make four calls to four systems.

Uses nothing but aiohttp and msgspec, so that every contestant's own environment can run it.
"""

import sys
from time import perf_counter
from typing import Any

import aiohttp
import msgspec

from bench.deals import deal_row

STEPS = ("billing", "erp", "support", "crm")
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Bearer sk_bench"}
_JSON = {"Content-Type": "application/json", "Authorization": "Bearer bench"}


class Account(msgspec.Struct):
    Id: str
    Name: str
    BillingCountry: str


class Deal(msgspec.Struct):
    Id: str
    StageName: str
    Amount: int
    CloseDate: str
    TotalOpportunityQuantity: int
    CurrencyIsoCode: str
    Opportunity_Number__c: str
    Product__c: str
    Account: Account


_decoder = msgspec.json.Decoder(Deal)


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a contestant is told on its command line."""

    url: str
    first: int
    n: int
    customers: int
    in_flight: int = 64
    database: str = ""
    options: dict[str, Any] = {}


def spec_of(arguments: list[str]) -> Spec:
    return msgspec.json.decode(arguments[1], type=Spec)


def events(spec: Spec) -> list[bytes]:
    """The events of a run, as the CRM would hand them over."""
    return [deal_row(n, customers=spec.customers) for n in range(spec.first, spec.first + spec.n)]


def validated(body: bytes) -> Deal:
    """The deal of an event. Raises ValueError where it is none that can be carried out."""
    deal = _decoder.decode(body)
    if deal.StageName != "Closed Won" or deal.Amount <= 0 or not deal.Account.Name:
        raise ValueError(f"{deal.Id} is no won deal")
    return deal


def open_session(in_flight: int) -> aiohttp.ClientSession:
    """A pool of sockets as large as is ever needed."""
    connector = aiohttp.TCPConnector(limit=in_flight * 2)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class Caller:
    """The four calls, each with what its system wants and a reading of what it answers."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def call(self, step: str, deal: Deal) -> str:
        """Make one call; gives the id under which the system keeps it."""
        return await getattr(self, step)(deal)

    async def billing(self, deal: Deal) -> str:
        body = (
            f"customer=cus_{deal.Account.Id[5:13]}&collection_method=send_invoice&days_until_due=30&"
            f"items[0][price_data][product]={deal.Product__c}&items[0][price_data][currency]=usd&"
            f"items[0][price_data][unit_amount]={deal.Amount * 100}&items[0][price_data][recurring][interval]=year&"
            f"items[0][quantity]={deal.TotalOpportunityQuantity}&metadata[subscription_id]={deal.Id}&"
            f"metadata[starts_on]={deal.CloseDate}"
        )
        headers = {**_FORM, "Idempotency-Key": deal.Id}
        async with self._session.post(f"{self._url}/v1/subscriptions", data=body.encode(), headers=headers) as answer:
            return msgspec.json.decode(await answer.read())["id"]

    async def erp(self, deal: Deal) -> str:
        line = {"item": {"externalId": deal.Product__c}, "quantity": deal.TotalOpportunityQuantity}
        order = {
            "externalId": deal.Id,
            "entity": {"externalId": deal.Account.Id},
            "subsidiary": {"id": "1"},
            "currency": {"id": "1"},
            "tranDate": deal.CloseDate,
            "otherRefNum": deal.Opportunity_Number__c,
            "item": {"items": [{**line, "amount": deal.Amount, "isClosed": False}]},
        }
        url = f"{self._url}/services/rest/record/v1/salesOrder/eid:{deal.Id}?replace=item"
        async with self._session.put(url, data=msgspec.json.encode(order), headers=_JSON) as answer:
            await answer.read()
            return answer.headers["Location"].rpartition("/")[2]

    async def support(self, deal: Deal) -> str:
        fields = {
            "entitlement_status": "active",
            "entitlement_tier": "standard",
            "entitlement_ends_on": deal.CloseDate,
            "entitlement_response_minutes": 480,
        }
        body = msgspec.json.encode({"organization": {"external_id": deal.Account.Id, "organization_fields": fields}})
        url = f"{self._url}/api/v2/organizations/create_or_update"
        async with self._session.post(url, data=body, headers=_JSON) as answer:
            return str(msgspec.json.decode(await answer.read())["organization"]["id"])

    async def crm(self, deal: Deal) -> str:
        body = msgspec.json.encode({"Accordant_Status__c": "in step", "Accordant_Transaction__c": deal.Id})
        url = f"{self._url}/services/data/v67.0/sobjects/Opportunity/{deal.Id}"
        async with self._session.patch(url, data=body, headers=_JSON) as answer:
            await answer.read()
            return deal.Id


def await_go() -> None:
    """Say that everything is ready, and wait for the word to begin."""
    print("ready", flush=True)
    sys.stdin.readline()


def finish(began: float, latencies_ms: list[float], **more: Any) -> None:
    """Say what was measured, and stay until it was read how much CPU and memory that took."""
    said = {"wall_s": perf_counter() - began, "latencies_ms": latencies_ms, **more}
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()
    sys.stdin.readline()
