"""The Salesforce sandbox answers as a real organization was once recorded to answer."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from ruamel.yaml import YAML

from accordant.connector.sandbox import SandboxOptions, serve
from accordant.systems.salesforce.sandbox import CLIENT_ID, CLIENT_SECRET
from accordant.systems.salesforce.sandbox.schema import SCHEMA
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox

CONTRACTS = os.environ.get("ACCORDANT_CONTRACTS", "")
CASSETTES = Path(CONTRACTS) / "salesforce" / "cumulusci-cassettes"
pytestmark = pytest.mark.skipif(not CONTRACTS, reason="ACCORDANT_CONTRACTS names no directory of recorded contracts")

WRITES = (
    "TestUpsert.test_simple_upsert__rest.yaml",
    "TestUpsert.test_upsert__rest.yaml",
    "TestUpsert.test_upsert_complex_external_id_field__rest.yaml",
    "TestUpsert.test_upsert_complex_external_id_field_rest__duplicate_error.yaml",
    "TestCompositeParallelSalesforce.test_composite_parallel_salesforce.yaml",
    "TestCompositeParallelSalesforce.test_reference_ids.yaml",
    "TestCompositeParallelSalesforce.test_errors.yaml",
    "TestCountSObjects.test_count_sobjects__errors.yaml",
)
NOT_SERVED = ("/limits/recordCount", "/describe", "/sobjects/Organization", "/services/async", "%28select")
"""Beside our needs: record counts, full describes, the bulk API, queries of children inside queries."""
NATIVE_ID = re.compile(r"\b00[136][0-9A-Za-z]{15}\b")


def interactions(name: str) -> Iterator[dict[str, Any]]:
    cassette = YAML(typ="safe").load((CASSETTES / name).read_text())
    for one in cassette["interactions"]:
        uri = str(one.get("request", {}).get("uri", ""))
        body = one.get("response", {}).get("body", {}).get("string")
        if uri and isinstance(body, str) and not any(part in uri for part in NOT_SERVED):
            yield one


def shape(value: Any) -> Any:
    """Names and kinds of values; a list is as long as it is."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def learn(recorded: Any, ours: Any, ids: dict[str, str]) -> None:
    """Which recorded id our organization has given to the same record."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for name, inner in recorded.items():
            learn(inner, ours.get(name), ids)
    elif isinstance(recorded, list) and isinstance(ours, list):
        for one, other in zip(recorded, ours, strict=False):
            learn(one, other, ids)
    elif isinstance(recorded, str) and isinstance(ours, str) and NATIVE_ID.fullmatch(recorded):
        ids[recorded] = ours


async def signed_in(session: aiohttp.ClientSession, url: str) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    async with session.post(url + "/services/oauth2/token", data=form) as answer:
        return {"Authorization": f"Bearer {(await answer.json())['access_token']}", "Content-Type": "application/json"}


@pytest.mark.parametrize("name", WRITES)
async def test_recorded_conversations_repeat(name: str, tmp_path: Path) -> None:
    compared = 0
    ids: dict[str, str] = {}
    async with (
        serve(SalesforceSandbox, SandboxOptions(system="crm", state_dir=tmp_path)) as serving,
        aiohttp.ClientSession() as session,
    ):
        headers = await signed_in(session, serving.url)
        for one in interactions(name):
            request, response = one["request"], one["response"]
            uri = urlsplit(request["uri"])
            text = json.dumps([f"{uri.path}?{uri.query}", request["body"]]).replace("vxx.0", "v67.0")
            for theirs, ours in ids.items():
                text = text.replace(theirs, ours)
            path, body = json.loads(text)
            async with session.request(request["method"], serving.url + path, data=body, headers=headers) as answer:
                said = await answer.json()
            recorded = json.loads(response["body"]["string"])
            assert answer.status == response["status"]["code"], (path, said)
            assert shape(said) == shape(recorded), (path, said)
            learn(recorded, said, ids)
            compared += 1
    assert compared, f"{name} holds no request that the sandbox serves"


@pytest.mark.parametrize("name", ["Account", "Contact", "Opportunity"])
def test_standard_fields_have_their_recorded_types(name: str) -> None:
    recording = YAML(typ="safe").load((CASSETTES / f"GET_sobjects_{name}_describe.yaml").read_text())
    described = json.loads(recording["response"]["body"]["string"])
    assert described["keyPrefix"] in (SCHEMA[name].prefix, None)
    recorded = {field["name"]: field for field in described["fields"]}
    # Fields that exist only where several currencies are on, or that the recorded organization hid.
    absent = {"CurrencyIsoCode"}
    for field in SCHEMA[name].fields.values():
        if field.is_custom or field.name in absent:
            continue
        theirs = recorded[field.name]
        assert theirs["type"] == field.type, field.name
        assert (field.read_only or field.create_only) == (not theirs["updateable"]), field.name
        assert theirs["length"] == field.length, field.name
        assert theirs["referenceTo"] == ([field.to] if field.to else []), field.name
        if field.lookup:
            assert theirs["idLookup"], field.name


def test_a_wrong_shape_would_be_noticed() -> None:
    assert shape([{"id": "x", "success": True}]) != shape([{"id": "x"}])
