"""Vendor words become ours, and what Zendesk tells is sorted into echo, not used and unknown."""

from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.backbone.message import Ignored, Message
from accordant.canonical.customer import Address, Customer
from accordant.canonical.entitlement import Entitlement
from accordant.kernel.errors import Malformed
from accordant.systems.zendesk.mapping import nouns, translate

CUSTOMER = Customer(
    customer_id="customer-9f2c",
    name="Acme",
    legal_entity="US01",
    currency="USD",
    bill_to=Address(country="US"),
    ship_to=Address(country="CA"),
)
ENTITLEMENT = Entitlement(
    customer_id="customer-9f2c", status="active", service_tier="plus", ends_on=date(2027, 1, 31), response_minutes=60
)


def message(body: bytes | dict[str, Any]) -> Message:
    return Message(
        message_id="m",
        tenant="t",
        connection="zendesk",
        stream="webhook",
        delivery_id="d",
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        received_at_ms=0,
        correlation_id="c",
    )


def event(topic: str, *, external_id: str | None = "customer-9f2c", **event: Any) -> dict[str, Any]:
    detail = {"id": "6607619104125", "name": "Acme", "external_id": external_id}
    return {"type": f"zen:event-type:{topic}", "id": "1", "detail": detail, "event": event}


def reason(body: bytes | dict[str, Any]) -> str:
    told = translate(message(body))
    assert isinstance(told, Ignored)
    return told.reason


@pytest.mark.parametrize("topic", ["organization.created", "organization.external_id_changed"])
def test_what_we_wrote_comes_back_as_an_echo(topic: str) -> None:
    assert reason(event(topic)) == "echo"
    assert reason(event(topic, external_id=None)) == "not_used", "somebody else's organization"
    assert reason(event(topic, external_id="crm-1")) == "not_used"


def test_a_change_of_our_fields_is_an_echo_and_of_others_is_not() -> None:
    ours = {"title": "Accordant entitlement status", "type": "text", "id": "1"}
    assert reason(event("organization.custom_field_changed", field=ours, current="active")) == "echo"
    assert reason(event("organization.custom_field_changed", field={"title": "Mood"})) == "not_used"
    assert reason(event("organization.custom_field_changed")) == "not_used"


@pytest.mark.parametrize(
    "topic", ["organization.deleted", "organization.name_changed", "ticket.created", "user.created"]
)
def test_known_events_that_no_flow_needs(topic: str) -> None:
    assert reason(event(topic)) == "not_used"


@pytest.mark.parametrize("topic", ["organization.merged_with_mars", "planet.created", ""])
def test_events_nobody_has_heard_of(topic: str) -> None:
    assert reason(event(topic)) == "unknown_type"


_CREATED = b'{"type": "zen:event-type:organization.created"'


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"", "json.empty", None),
        (b"not json", "json.syntax", None),
        (b"[]", "json.not_object", ""),
        (b"null", "json.not_object", ""),
        (b"\xff\xfe", "encoding.not_utf8", None),
        (b'{"type": 7, "detail": {}}', "zendesk.event_malformed", "/type"),
        (_CREATED + b"}", "zendesk.event_malformed", "/detail"),
        (_CREATED + b', "detail": []}', "zendesk.event_malformed", "/detail"),
        (_CREATED + b', "detail": {"external_id": 7}}', "zendesk.event_malformed", "/detail/external_id"),
        (_CREATED + b', "detail": {"external_id": "a", "external_id": "b"}}', "json.duplicate_key", None),
        (
            b'{"type": "zen:event-type:organization.custom_field_changed", "detail": {}, "event": {"field": "x"}}',
            "zendesk.event_malformed",
            "/event/field",
        ),
        (b'{"type": "order.created", "detail": {}}', "zendesk.event_malformed", "/type"),
        (b'{"type": "zen:event-type:ticket.created", "detail": ' + b"[" * 100_000, "json.depth", None),
        (b'{"detail": {}}', "zendesk.event_malformed", "/type"),
    ],
)
def test_a_body_that_is_no_event_is_malformed(body: bytes, code: str, pointer: str | None) -> None:
    with pytest.raises(Malformed) as malformed:
        translate(message(body))
    assert malformed.value.code == code
    assert pointer is None or malformed.value.detail["pointer"] == pointer


def test_a_customer_is_written_whole_and_nothing_beside_it() -> None:
    assert nouns.customer_record(CUSTOMER) == {
        "external_id": "customer-9f2c",
        "name": "Acme",
        "organization_fields": {"parent_customer_id": None, "legal_entity": "US01", "country": "US"},
    }


def test_an_entitlement_writes_its_own_fields_only() -> None:
    record = nouns.entitlement_record(ENTITLEMENT)
    assert set(record) == {"external_id", "organization_fields"}
    assert set(record["organization_fields"]) == {name for name in nouns.FIELDS if name.startswith("entitlement_")}


def test_facts_read_back_are_the_facts_expected() -> None:
    stored = {**nouns.customer_record(CUSTOMER)["organization_fields"], "parent_customer_id": ""}
    stored |= nouns.entitlement_record(ENTITLEMENT)["organization_fields"]
    stored["entitlement_ends_on"] = "2027-01-31T00:00:00+00:00"
    organization = {"name": "Acme", "organization_fields": stored}
    assert nouns.customer_facts(organization) == nouns.expected_customer(CUSTOMER)
    assert nouns.entitlement_facts(organization) == nouns.expected_entitlement(ENTITLEMENT)


def test_an_organization_that_says_nothing_of_an_entitlement_has_none() -> None:
    blank = dict.fromkeys(nouns.FIELDS)
    assert nouns.entitlement_facts({"name": "Acme", "organization_fields": blank}) is None
    assert nouns.entitlement_facts({"name": "Acme", "organization_fields": None}) is None
