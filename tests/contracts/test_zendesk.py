"""The Zendesk sandbox answers, and our client asks, as the published OpenAPI description says."""

import json
import os
from collections.abc import AsyncGenerator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from accordant.canonical.account import AccountStanding
from accordant.canonical.operation import EffectClass
from accordant.kernel.money import Money
from accordant.systems.zendesk import connector
from accordant.systems.zendesk.mapping import nouns
from accordant.systems.zendesk.sandbox.ticket_fields import AGENTS_FIELDS
from tests.systems.zendesk.desk import Running, opened
from tests.systems.zendesk.test_cases import CREDITED
from tests.systems.zendesk.test_mapping import CUSTOMER, ENTITLEMENT

_ROOT = os.environ.get("ACCORDANT_CONTRACTS", "")
TICKET = {
    "subject": "Printer",
    "comment": {"body": "It burns", "public": True},
    "priority": "high",
    "type": "incident",
    "external_id": "case-1",
}
_FILE = Path(_ROOT) / "zendesk" / "subset.openapi.json"
pytestmark = pytest.mark.skipif(not _ROOT, reason="ACCORDANT_CONTRACTS does not name the folder of vendor contracts")


ACCOUNT_STANDING = AccountStanding(
    customer_id="customer-9f2c",
    status="past due",
    balance=Money(12_000, "USD"),
    overdue=Money(2_000, "USD"),
    as_of=date(2026, 3, 5),
    reason="20.00 USD is overdue",
    transaction_id="tx-1",
)


@pytest.fixture
async def zendesk(tmp_path: Path) -> AsyncGenerator[Running]:
    async with opened(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    return json.loads(_FILE.read_text())


def schema_of(contract: dict[str, Any], name: str) -> dict[str, Any]:
    """A schema of the contract as JSON Schema: OpenAPI 3.0 writes null as `nullable`."""

    def rewritten(node: Any) -> Any:
        if isinstance(node, list):
            return [rewritten(part) for part in node]
        if not isinstance(node, dict):
            return node
        plain = {key: rewritten(value) for key, value in node.items() if key not in ("nullable", "example", "format")}
        if not node.get("nullable"):
            return plain
        return {"anyOf": [plain, {"type": "null"}]}

    return {"$ref": f"#/components/schemas/{name}", "components": rewritten(contract["components"])}


def check(contract: dict[str, Any], name: str, answer: Any) -> None:
    """Every documented property that is there has its documented type, and the envelope is not empty."""
    schema = schema_of(contract, name)
    problems = [
        f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(schema).iter_errors(answer)
    ]
    assert problems == []
    documented = contract["components"]["schemas"][name].get("properties", {})
    assert set(documented) & set(answer), f"none of {sorted(documented)} is in the answer"


async def test_organizations(zendesk: Running, contract: dict[str, Any]) -> None:
    record = nouns.customer_record(CUSTOMER)
    record["organization_fields"] |= nouns.entitlement_record(ENTITLEMENT)["organization_fields"]
    record["organization_fields"] |= nouns.account_record(ACCOUNT_STANDING)["organization_fields"]
    record["organization_fields"]["parent_customer_id"] = "customer-0"
    status, made = await zendesk.upsert(record.pop("external_id"), **record)
    assert str(status) in contract["paths"]["/api/v2/organizations/create_or_update"]["post"]["responses"]
    check(contract, "OrganizationResponse", made)
    documented = set(contract["components"]["schemas"]["OrganizationObject"]["properties"])
    assert set(made["organization"]) == documented
    for path, name in (
        ("organizations.json", "OrganizationsResponse"),
        ("organizations/show_many?external_ids=customer-9f2c", "OrganizationsResponse"),
        ("organizations/search?external_id=customer-9f2c", "OrganizationsResponse"),
        ("organizations/count", "CountOrganizationResponse"),
        (f"organizations/{made['organization']['id']}", "OrganizationResponse"),
        ("search?query=type:organization name:acme", "SearchResponse"),
    ):
        status, answer, _ = await zendesk.call("GET", f"/api/v2/{path}")
        assert status == 200
        check(contract, name, answer)


async def test_exports_and_jobs(zendesk: Running, contract: dict[str, Any]) -> None:
    rows = {"organizations": [{"name": name, "organization_fields": {"country": "US"}} for name in ("A", "B")]}
    _, queued, _ = await zendesk.call("POST", "/api/v2/organizations/create_many.json", json=rows)
    check(contract, "JobStatusResponse", queued)
    _, done, _ = await zendesk.call("GET", f"/api/v2/job_statuses/{queued['job_status']['id']}.json")
    check(contract, "JobStatusResponse", done)
    ids = {"assignee_id": 1, "group_id": 1, "organization_id": done["job_status"]["results"][0]["id"]}
    await zendesk.call("POST", "/api/v2/tickets", json={"ticket": {**TICKET, **ids}})
    since = int(zendesk.sandbox.kit.clock.now_s()) - 3600
    _, answer, _ = await zendesk.call("GET", f"/api/v2/incremental/organizations?start_time={since}")
    assert answer["count"] == 2
    assert set(answer) == set(contract["components"]["schemas"]["ExportIncrementalOrganizationsResponse"]["properties"])
    _, answer, _ = await zendesk.call("GET", f"/api/v2/incremental/tickets/cursor?start_time={since}")
    check(contract, "CursorBasedExportIncrementalTicketsResponse", answer)


async def test_tickets_comments_and_users(zendesk: Running, contract: dict[str, Any]) -> None:
    check(contract, "TicketCreateRequest", {"ticket": TICKET})
    status, made, _ = await zendesk.call("POST", "/api/v2/tickets", json={"ticket": TICKET})
    assert str(status) in contract["paths"]["/api/v2/tickets"]["post"]["responses"]
    documented = set(contract["components"]["schemas"]["TicketObject"]["properties"])
    assert set(made["ticket"]) - documented <= {"generated_timestamp"}
    for path, name in (
        (f"tickets/{made['ticket']['id']}/comments", "TicketCommentsResponse"),
        ("users/me", "CurrentUserResponse"),
    ):
        _, answer, _ = await zendesk.call("GET", f"/api/v2/{path}")
        check(contract, name, answer)


async def test_ticket_fields_and_their_values(zendesk: Running, contract: dict[str, Any]) -> None:
    await zendesk.admin("POST", "load", {"ticket_fields": list(AGENTS_FIELDS)})
    _, listed, _ = await zendesk.call("GET", "/api/v2/ticket_fields.json")
    check(contract, "TicketFieldsResponse", listed)
    ids = {row["title"]: row["id"] for row in listed["ticket_fields"]}
    values = {"Accordant credit request": "120.00 outage"}
    values |= {nouns.ANSWER[name].title: value or "" for name, value in nouns.case_values(CREDITED).items()}
    ticket = {**TICKET, "custom_fields": [{"id": ids[title], "value": value} for title, value in values.items()]}
    status, made, _ = await zendesk.call("POST", "/api/v2/tickets", json={"ticket": ticket})
    assert status == 201
    schema = schema_of(contract, "TicketObject")
    fields = schema["components"]["schemas"]["TicketObject"]["properties"]["custom_fields"]
    assert jsonschema_rs.validator_for(fields).is_valid(
        [field for field in made["ticket"]["custom_fields"] if field["value"] is not None]
    )
    _, found, _ = await zendesk.call("GET", f"/api/v2/tickets/show_many?ids={made['ticket']['id']}")
    assert [row["priority"] for row in found["tickets"]] == ["high"]
    path = contract["paths"]["/api/v2/tickets/{ticket_id}"]
    body = {"ticket": {"custom_fields": ticket["custom_fields"]}}
    status, _, _ = await zendesk.call("PUT", f"/api/v2/tickets/{made['ticket']['id']}", json=body)
    assert str(status) in path["put"]["responses"]


def test_every_operation_of_the_client_is_in_the_contract(contract: dict[str, Any]) -> None:
    for capability in connector.capabilities:
        method, path = capability.request.split()
        assert method.lower() in contract["paths"][path]
        assert capability.effect_class is EffectClass.UPSERT
    described = contract["paths"]["/api/v2/organizations/create_or_update"]["post"]["description"]
    assert "external id" in described
    for path in ("organizations/show_many", "tickets/show_many", "ticket_fields"):
        assert "get" in contract["paths"][f"/api/v2/{path}"]


def test_what_we_write_is_documented(contract: dict[str, Any]) -> None:
    for record in (nouns.customer_record(CUSTOMER), nouns.entitlement_record(ENTITLEMENT)):
        plain = {key: value for key, value in record.items() if key != "organization_fields"}
        check(contract, "OrganizationObject", plain)
        assert set(record) <= set(contract["components"]["schemas"]["OrganizationObject"]["properties"])
