"""What our customers and entitlements are called in Zendesk, and what its events tell us.

Zendesk Support API v2; event schema versions 2022-06-20 and 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/
https://developer.zendesk.com/api-reference/webhooks/event-types/organization-events
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
https://developer.zendesk.com/api-reference/webhooks/event-types/user-events
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.customer import Customer
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Facts
from accordant.connector.deliveries import event_object
from accordant.kernel.errors import Malformed
from accordant.kernel.pointers import pointer_in, without_place


class Field(msgspec.Struct, frozen=True):
    """A custom organization field that an administrator creates; events name it by its title."""

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
}
OUR_IDS = "customer-"
"""Canonical customer ids begin so; an organization carries one as its external id."""

_PREFIX = "zen:event-type:"
_TITLES = frozenset(field.title for field in FIELDS.values())
_OWN_WRITES = frozenset({"organization.created", "organization.external_id_changed"})
_NOT_USED = frozenset(
    {
        *(f"organization.{name}" for name in "custom_field_changed deleted name_changed tags_changed".split()),
        *(
            f"ticket.{name}"
            for name in """agent_assignment_changed attachment_linked_to_comment attachment_redacted_from_comment
            brand_changed comment_added comment_made_private comment_redacted created custom_field_changed
            custom_status_changed description_changed email_ccs_changed external_id_changed followers_changed
            form_changed group_assignment_changed marked_as_spam merged organization_changed permanently_deleted
            priority_changed problem_link_changed requester_changed schedule_changed sla_policy_changed
            soft_deleted status_changed subject_changed submitter_changed tags_changed task_due_at_changed
            type_changed undeleted""".split()
        ),
        *(
            f"user.{name}"
            for name in """active_changed alias_changed created custom_field_changed custom_role_changed
            default_group_changed deleted details_changed external_id_changed group_membership_created
            group_membership_deleted identity_changed identity_created identity_deleted last_login_changed merged
            name_changed notes_changed only_private_comments_changed organization_membership_created
            organization_membership_deleted password_changed photo_changed role_changed suspended_changed
            tags_changed time_zone_changed""".split()
        ),
    }
)


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


class _Detail(msgspec.Struct, frozen=True):
    external_id: str | None = None


class _FieldNamed(msgspec.Struct, frozen=True):
    title: str | None = None


class _Event(msgspec.Struct, frozen=True):
    field: _FieldNamed | None = None


class _Told(msgspec.Struct, frozen=True):
    """The parts of an event that decide what becomes of it."""

    type: str
    detail: dict[str, Any]
    event: dict[str, Any] | None = None


def translate(message: Message) -> list[Told] | Ignored:
    """Support tells no fact that a flow acts on yet; what arrives is an echo, not used, or unknown.

    Raises:
        Malformed: the body is no Zendesk event. Codes: those of `deliveries.event_object`, zendesk.event_malformed.
    """
    told = _read(event_object(message.body), _Told, at="")
    detail = _read(told.detail, _Detail, at="/detail") if _about_organization(told) else None
    changed = told.type.endswith("custom_field_changed")
    event = _read(told.event or {}, _Event, at="/event") if changed else None
    if not told.type.startswith(_PREFIX):
        raise _malformed("the type does not begin with zen:event-type:", pointer="/type")
    topic = told.type.removeprefix(_PREFIX)
    if detail is not None and (detail.external_id or "").startswith(OUR_IDS):
        ours = event is not None and event.field is not None and event.field.title in _TITLES
        if topic in _OWN_WRITES or (topic == "organization.custom_field_changed" and ours):
            return Ignored(reason="echo")
    return Ignored(reason="not_used" if topic in _NOT_USED | _OWN_WRITES else "unknown_type")


_Part = TypeVar("_Part", bound=msgspec.Struct)


def _read(members: dict[str, Any], part: type[_Part], *, at: str) -> _Part:
    try:
        return msgspec.convert(members, type=part)
    except msgspec.ValidationError as error:
        raise _malformed(without_place(str(error)), pointer=at + pointer_in(str(error))) from error


def _about_organization(told: _Told) -> bool:
    return told.type.startswith(_PREFIX + "organization.")


def _malformed(why: str, *, pointer: str) -> Malformed:
    return Malformed(
        f"{pointer or 'the body'}: the delivery is not a Zendesk event: {why[:200]}; expected `type` and `detail`",
        code="zendesk.event_malformed",
        hint="let the webhook in Zendesk send events rather than a trigger's own text; then replay the message",
        detail={"pointer": pointer, "why": why[:200]},
    )


def _fields(organization: Mapping[str, Any]) -> Mapping[str, Any]:
    fields = organization.get("organization_fields")
    return fields if isinstance(fields, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]


def _text(value: object) -> str | None:
    """Zendesk shows an empty field as null or as empty text."""
    return None if value is None or value == "" else str(value)
