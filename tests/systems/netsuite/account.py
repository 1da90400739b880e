"""A running offline account, and a signer that is not ours: oauthlib's OAuth 1 client over plain aiohttp."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import aiohttp
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import SIGNATURE_HMAC_SHA256
from yarl import URL

from accordant.connector.sandbox import SandboxOptions, serve
from accordant.systems.netsuite.sandbox import ACCESS
from accordant.systems.netsuite.sandbox.account import NetSuite

TOKEN = "admin-of-the-offline-account"
SETUP = {
    "subsidiaries": [
        {"external_id": "US01", "name": "Northwind US Inc", "country": "US", "currency": "USD"},
        {"external_id": "DE01", "name": "Northwind GmbH", "country": "DE", "currency": "EUR"},
    ],
    "items": [{"external_id": "SKU-1", "name": "GTX Basic"}, {"external_id": "SKU-2", "name": "GTX Pro"}],
}
CUSTOMER = {
    "companyName": "Acme GmbH",
    "subsidiary": {"externalId": "US01"},
    "currency": {"id": "1"},
    "addressBook": {"items": [{"defaultBilling": True, "addressBookAddress": {"country": {"id": "US"}}}]},
}


def order(*lines: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "entity": {"externalId": "C-1"},
        "subsidiary": {"externalId": "US01"},
        "currency": {"id": "1"},
        "tranDate": "2026-03-31",
        "otherRefNum": "OPP-1",
        "memo": "sub-1",
        "item": {"items": list(lines) or [{"item": {"externalId": "SKU-1"}, "quantity": 2, "amount": 1054.5}]},
        **more,
    }


@dataclass
class Said:
    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        return self.body["o:errorDetails"][0]["o:errorCode"]

    @property
    def path(self) -> str:
        return self.body["o:errorDetails"][0]["o:errorPath"]


class Account:
    """Speaks to the offline account as an integration nobody here wrote the signing of."""

    def __init__(self, url: str, sandbox: NetSuite, session: aiohttp.ClientSession, ledger: Path) -> None:
        self.url = url
        self.sandbox = sandbox
        self.session = session
        self._ledger = ledger

    def signer(self, **changes: str) -> Client:
        keys = {
            "client_key": ACCESS.consumer_key,
            "client_secret": ACCESS.consumer_secret,
            "resource_owner_key": ACCESS.token_id,
            "resource_owner_secret": ACCESS.token_secret,
            "realm": ACCESS.account,
        }
        return Client(**{**keys, **changes}, signature_method=SIGNATURE_HMAC_SHA256)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        signer: Client | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        url = f"{self.url}/services/rest{path}"
        _, signed, _ = (signer or self.signer()).sign(url, cast("Any", method))
        return await self.send(method, url, body, {**signed, **(headers or {})})

    async def send(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Said:
        data = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json", **headers}
        async with self.session.request(method, URL(url, encoded=True), data=data, headers=sent) as answer:
            text = await answer.text()
            return Said(answer.status, answer.headers, json.loads(text, parse_float=Decimal) if text else None)

    async def query(self, text: str, *, limit: int = 1000, offset: int = 0) -> Said:
        return await self.call(
            "POST", f"/query/v1/suiteql?limit={limit}&offset={offset}", {"q": text}, headers={"Prefer": "transient"}
        )

    async def admin(self, method: str, action: str, body: Any = None) -> Any:
        said = await self.send(method, f"{self.url}/__sandbox__/{action}", body, {"X-Sandbox-Token": TOKEN})
        assert said.status == 200, said
        return said.body

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._ledger.read_text().splitlines()]


@asynccontextmanager
async def open_account(state: Path, **options: Any) -> AsyncGenerator[Account]:
    settings = SandboxOptions(system="erp", state_dir=state, admin_token=TOKEN, **options)
    async with serve(NetSuite, settings) as serving, aiohttp.ClientSession() as session:
        assert isinstance(serving.sandbox, NetSuite)
        account = Account(serving.url, serving.sandbox, session, state / "ledger" / "erp.jsonl")
        await account.admin("POST", "load", SETUP)
        yield account
