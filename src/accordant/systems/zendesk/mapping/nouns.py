"""What our customers, entitlements and credits are called in Zendesk, and what its records say of them.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (custom_fields)
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from accordant.canonical.account import AccountStanding
from accordant.canonical.case import CaseOutcome
from accordant.canonical.customer import Customer
from accordant.canonical.dispute import DisputeStanding
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Facts


class Field(msgspec.Struct, frozen=True):
    """A custom field that an administrator creates; events name it by its title."""

    title: str
    type: str


FIELDS: Mapping[str, Field] = {
    "parent_customer_id": Field("Accordant parent customer", "text"),
    "legal_entity": Field("Accordant legal entity", "text"),
    "country": Field("Accordant country", "text"),
    "entitlement_status": Field("Accordant entitlement status", "text"),
    "entitlement_tier": Field("Accordant entitlement tier", "text"),
    "entitlement_ends_on": Field("Accordant entitlement end", "date"),
    "entitlement_response_minutes": Field("Accordant response minutes", "integer"),
    "account_status": Field("Accordant account status", "text"),
    "account_balance": Field("Accordant account balance", "text"),
    "account_overdue": Field("Accordant account overdue", "text"),
    "account_currency": Field("Accordant account currency", "text"),
    "account_as_of": Field("Accordant account as of", "date"),
    "account_reason": Field("Accordant account reason", "text"),
    "account_transaction": Field("Accordant account transaction", "text"),
}
REQUEST = Field("Accordant credit request", "text")
"""The ticket field in which an agent asks: `120.00 outage`, `refund 120.00 ABC-0001 overcharge`."""
DISPUTED = Field("Accordant disputed invoice", "text")
"""The ticket field that says which invoice the customer disputes."""
RULING = Field("Accordant dispute ruling", "text")
"""The ticket field that says what came of it: `credit 120.00`, `confirmed`."""
ANSWER: Mapping[str, Field] = {
    "status": Field("Accordant credit status", "text"),
    "granted": Field("Accordant credit granted", "decimal"),
    "note": Field("Accordant credit note", "text"),
    "transaction": Field("Accordant transaction", "text"),
}
"""The ticket fields in which the platform answers."""
DISPUTE_ANSWER: Mapping[str, Field] = {
    "status": Field("Accordant dispute status", "text"),
    "dispute_id": Field("Accordant dispute", "text"),
    "credited": Field("Accordant dispute credited", "decimal"),
    "note": Field("Accordant dispute note", "text"),
    "transaction": Field("Accordant dispute transaction", "text"),
}
"""The ticket fields that say where a dispute stands."""
OUR_IDS = "customer-"
"""Canonical customer ids begin so; an organization carries one as its external id."""
_NOTE_CHARS_MAX = 255


def customer_record(customer: Customer) -> dict[str, Any]:
    """The organization that stands for a customer; names only what the platform owns of it."""
    fields = {
        "parent_customer_id": customer.parent_id,
        "legal_entity": customer.legal_entity,
        "country": customer.bill_to.country,
    }
    return {"external_id": customer.customer_id, "name": customer.name, "organization_fields": fields}


def entitlement_record(entitlement: Entitlement) -> dict[str, Any]:
    """The whole entitlement as custom fields of its customer's organization, and nothing beside it."""
    fields = {
        "entitlement_status": entitlement.status,
        "entitlement_tier": entitlement.service_tier,
        "entitlement_ends_on": entitlement.ends_on.isoformat(),
        "entitlement_response_minutes": entitlement.response_minutes,
    }
    return {"external_id": entitlement.customer_id, "organization_fields": fields}


def account_record(standing: AccountStanding) -> dict[str, Any]:
    """The whole standing as custom fields of its customer's organization, and nothing beside it."""
    fields = {f"account_{name}": value for name, value in expected_account(standing).items()}
    return {"external_id": standing.customer_id, "organization_fields": fields}


def case_values(outcome: CaseOutcome) -> dict[str, str | None]:
    """What the four fields of the answer are set to; None empties a field."""
    return {
        "status": outcome.status,
        "granted": outcome.credit.decimal_text if outcome.credit else None,
        "note": outcome.reason[:_NOTE_CHARS_MAX] or None,
        "transaction": outcome.transaction_id,
    }


def dispute_values(standing: DisputeStanding) -> dict[str, str | None]:
    """What the five fields of a dispute are set to; None empties a field."""
    return {
        "status": standing.status,
        "dispute_id": standing.dispute_id or None,
        "credited": standing.credited.decimal_text if standing.credited else None,
        "note": standing.reason[:_NOTE_CHARS_MAX] or None,
        "transaction": standing.transaction_id,
    }


def expected_customer(customer: Customer) -> Facts:
    return {
        "name": customer.name,
        "parent_id": customer.parent_id,
        "legal_entity": customer.legal_entity,
        "country": customer.bill_to.country,
    }


def expected_entitlement(entitlement: Entitlement) -> Facts:
    return {
        "status": entitlement.status,
        "service_tier": entitlement.service_tier,
        "ends_on": entitlement.ends_on.isoformat(),
        "response_minutes": entitlement.response_minutes,
    }


def expected_account(standing: AccountStanding) -> Facts:
    return {
        "status": standing.status,
        "balance": standing.balance.decimal_text,
        "overdue": standing.overdue.decimal_text,
        "currency": standing.balance.currency,
        "as_of": standing.as_of.isoformat(),
        "reason": standing.reason[:_NOTE_CHARS_MAX] or None,
        "transaction": standing.transaction_id,
    }


def expected_case(outcome: CaseOutcome) -> Facts:
    values = case_values(outcome)
    return {**values, "granted": plain(values["granted"])}


def expected_dispute(standing: DisputeStanding) -> Facts:
    values = dispute_values(standing)
    return {**values, "credited": plain(values["credited"])}


def customer_facts(organization: Mapping[str, Any]) -> Facts:
    """What an organization says of the customer."""
    fields = _fields(organization)
    return {
        "name": _text(organization.get("name")),
        "parent_id": _text(fields.get("parent_customer_id")),
        "legal_entity": _text(fields.get("legal_entity")),
        "country": _text(fields.get("country")),
    }


def entitlement_facts(organization: Mapping[str, Any]) -> Facts | None:
    """What an organization says of the entitlement; None while it says nothing."""
    fields = _fields(organization)
    if not any(fields.get(name) for name in FIELDS if name.startswith("entitlement_")):
        return None
    ends_on = _text(fields.get("entitlement_ends_on"))
    minutes = fields.get("entitlement_response_minutes")
    return {
        "status": _text(fields.get("entitlement_status")),
        "service_tier": _text(fields.get("entitlement_tier")),
        # A date field comes back as midnight UTC of its day.
        "ends_on": None if ends_on is None else ends_on[:10],
        "response_minutes": minutes if isinstance(minutes, int) else _text(minutes),
    }


def account_facts(organization: Mapping[str, Any]) -> Facts | None:
    """What an organization says of how the account stands; None while no status is told."""
    fields = _fields(organization)
    said: Facts = {
        name.removeprefix("account_"): _text(fields.get(name)) for name in FIELDS if name.startswith("account_")
    }
    as_of = _text(fields.get("account_as_of"))
    return {**said, "as_of": as_of[:10] if as_of else None} if said["status"] else None


def case_facts(values: Mapping[str, Any]) -> Facts | None:
    """What the fields of the answer say, by the names of `ANSWER`; None while no status is told."""
    said: Facts = {name: _text(values.get(name)) for name in ANSWER}
    return {**said, "granted": plain(values.get("granted"))} if said["status"] else None


def dispute_facts(values: Mapping[str, Any]) -> Facts | None:
    """What the fields of a dispute say, by the names of `DISPUTE_ANSWER`; None while no status is told."""
    said: Facts = {name: _text(values.get(name)) for name in DISPUTE_ANSWER}
    return {**said, "credited": plain(values.get("credited"))} if said["status"] else None


def _fields(organization: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = organization.get("organization_fields")
    return fields if isinstance(fields, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def _text(value: object) -> str | None:
    """Zendesk shows an empty field as null or as empty text."""
    return None if value is None or value == "" else str(value)


def plain(value: object) -> str | None:
    """A decimal without zeros that say nothing, `120.00` as `120`; Zendesk does not say how it writes one."""
    try:
        return format(Decimal(str(value)).normalize(), "f") if _text(value) else None
    except InvalidOperation:
        return str(value)
