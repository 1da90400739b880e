"""A running organization and the ways tests talk to it."""

import json
from pathlib import Path
from typing import Any

import aiohttp
from simple_salesforce.api import Salesforce, SFType

from accordant.connector.sandbox import Serving
from accordant.systems.salesforce.sandbox import CLIENT_ID, CLIENT_SECRET
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox

ROOT = "/services/data/v67.0"


class Org:
    """One sandbox; `sf(token)` is the outside client pointed at it."""

    def __init__(self, serving: Serving, state_dir: Path) -> None:
        self.url = serving.url
        self.state_dir = state_dir
        assert isinstance(serving.sandbox, SalesforceSandbox)
        self.sandbox = serving.sandbox
        self.kit = serving.sandbox.kit

    def ledger(self) -> list[dict[str, Any]]:
        lines = (self.state_dir / "ledger" / "crm.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    async def token(self) -> str:
        status, body = await self.form({"grant_type": "client_credentials"} | secrets())
        assert status == 200, body
        return body["access_token"]

    async def form(self, fields: dict[str, str]) -> tuple[int, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url + "/services/oauth2/token", data=fields) as answer,
        ):
            return answer.status, await answer.json()

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Status, headers and JSON body of a call with a fresh token, or with the `Authorization` given."""
        headers = more.pop("headers", {})
        if "Authorization" not in headers:
            headers = {**headers, "Authorization": f"Bearer {await self.token()}"}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, headers=headers, **more) as answer,
        ):
            body = await answer.read()
            return answer.status, answer.headers, json.loads(body) if body else None

    async def query(self, soql: str, **more: Any) -> Any:
        status, _, body = await self.call("GET", f"{ROOT}/query", params={"q": soql}, **more)
        assert status == 200, body
        return body


def secrets() -> dict[str, str]:
    return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def outside_client(url: str, token: str) -> Salesforce:
    """The public client, which insists on https until it is told otherwise."""
    sf = Salesforce(instance_url=url, session_id=token, version="67.0")
    sf.base_url = f"{url}{ROOT}/"
    return sf


def outside_type(sf: Salesforce, name: str) -> SFType:
    sobject = getattr(sf, name)
    sobject.base_url = f"{sf.base_url}sobjects/{name}/"
    return sobject
