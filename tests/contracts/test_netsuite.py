"""What we send to NetSuite, and what its offline account answers, against schemas that none of us wrote."""

import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from accordant.canonical.operation import Receipt
from accordant.systems.netsuite import connector, mapping
from tests.systems.netsuite.account import CUSTOMER, open_account
from tests.systems.netsuite.account import order as sent_order
from tests.systems.netsuite.sold import customer
from tests.systems.netsuite.test_invoices import PAYMENT

CONTRACTS = os.environ.get("ACCORDANT_CONTRACTS")
pytestmark = pytest.mark.skipif(not CONTRACTS, reason="ACCORDANT_CONTRACTS names no folder of vendor contracts")
CURRENCIES = mapping.Currencies.read({"USD": "1"})


def read(name: str) -> dict[str, Any]:
    return json.loads((Path(CONTRACTS or "") / "netsuite" / name).read_text())


def strict(schema: Any) -> Any:
    """The schema with unknown properties refused, so that a misspelt one is found."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed else closed


def customer_schema() -> jsonschema_rs.Validator:
    document = strict(read("record-v1.schemas.json"))
    return jsonschema_rs.validator_for({"$defs": document["$defs"], "$ref": "#/$defs/Customer"})


def component(name: str) -> jsonschema_rs.Validator:
    document = read("record-v1-2026.1.reconstructed.openapi.json")
    return jsonschema_rs.validator_for({"components": document["components"], "$ref": f"#/components/schemas/{name}"})


def test_a_customer_uses_only_properties_that_record_v1_has() -> None:
    body = mapping.customer_body(customer(parent_id="customer-0"), erp_entity="US01", currencies=CURRENCIES)
    sent = json.loads(msgspec.json.encode(body))
    customer_schema().validate(sent)
    with pytest.raises(jsonschema_rs.ValidationError):
        customer_schema().validate({**sent, "companyname": "misspelt"})


def test_a_payment_uses_only_properties_that_record_v1_has() -> None:
    """Invoices and credit memos have no schema in the contract."""
    posted = Receipt(kind="invoice", native_id="50001", business_id="invoice-1")
    sent = json.loads(
        msgspec.json.Encoder(decimal_format="number").encode(
            mapping.payment_body(PAYMENT, invoice=posted, currencies=CURRENCIES)
        )
    )
    schemas = read("record-v1-2026.1.reconstructed.openapi.json")["components"]["schemas"]
    assert sent.keys() <= schemas["customerPayment"]["properties"].keys()
    assert sent["apply"]["items"][0].keys() <= schemas["customerPayment-applyElement"]["properties"].keys()


def test_every_request_of_the_client_is_an_operation_of_the_contract() -> None:
    paths = read("record-v1-2026.1.reconstructed.openapi.json")["paths"]
    for capability in connector.capabilities:
        method, _, address = capability.request.partition(" ")
        record = address.removeprefix("/services/rest/record/v1/").partition("/")[0]
        operation = paths[f"/{record}/{{id}}"][method.lower()]
        assert "204" in operation["responses"]
        assert "replace" in {parameter["name"] for parameter in operation["parameters"]}


async def test_answers_of_the_offline_account_fit_the_contract(tmp_path: Path) -> None:
    async with open_account(tmp_path) as account:
        await account.call("PUT", "/record/v1/customer/eid:C-1", CUSTOMER)
        shown = (await account.call("GET", "/record/v1/customer/eid:C-1?expandSubResources=true")).body
        loose = jsonschema_rs.validator_for(
            {"$defs": read("record-v1.schemas.json")["$defs"], "$ref": "#/$defs/Customer"}
        )
        loose.validate(shown)
        wrong = await account.call("PUT", "/record/v1/salesOrder/eid:O-1", sent_order(entity={"id": "9999"}))
        component("nsError").validate(wrong.body)
        missing = await account.call("GET", "/record/v1/salesOrder/1")
        component("nsError").validate(missing.body)
        page = await account.query("SELECT id, companyname FROM customer")
        component("recordCollection").validate(page.body)
        for name in ("offset", "count", "hasMore", "totalResults", "items", "links"):
            assert name in page.body
