"""Zendesk's words for our nouns, and ours for what its events tell.

Zendesk Support API v2; event schema versions 2022-06-20 and 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/webhooks/event-types/organization-events
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
https://developer.zendesk.com/api-reference/webhooks/event-types/user-events
"""

from collections.abc import Callable, Mapping

from accordant.backbone.message import Ignored, Message, Told
from accordant.connector.deliveries import event_object
from accordant.systems.zendesk.mapping.disputes import disputed, ruled
from accordant.systems.zendesk.mapping.event import PREFIX, Change, Detail, Event, malformed, read
from accordant.systems.zendesk.mapping.nouns import ANSWER, DISPUTE_ANSWER, DISPUTED, FIELDS, OUR_IDS, REQUEST, RULING
from accordant.systems.zendesk.mapping.requests import requested

_TITLES = frozenset(field.title for field in FIELDS.values())
_ANSWER_TITLES = frozenset(field.title for field in (*ANSWER.values(), *DISPUTE_ANSWER.values()))
_ASKED_IN: Mapping[str, Callable[[Message, Event], list[Told] | Ignored]] = {
    REQUEST.title: requested,
    DISPUTED.title: disputed,
    RULING.title: ruled,
}
"""The fields that agents write, by title, and who reads each."""
_OWN_WRITES = frozenset({"organization.created", "organization.external_id_changed"})
_CHANGES: Mapping[str, str] = {
    "organization": "custom_field_changed deleted name_changed tags_changed",
    "ticket": """agent_assignment_changed attachment_linked_to_comment attachment_redacted_from_comment brand_changed
        comment_added comment_made_private comment_redacted created custom_field_changed custom_status_changed
        description_changed email_ccs_changed external_id_changed followers_changed form_changed
        group_assignment_changed marked_as_spam merged organization_changed permanently_deleted priority_changed
        problem_link_changed requester_changed schedule_changed sla_policy_changed soft_deleted status_changed
        subject_changed submitter_changed tags_changed task_due_at_changed type_changed undeleted""",
    "user": """active_changed alias_changed created custom_field_changed custom_role_changed default_group_changed
        deleted details_changed external_id_changed group_membership_created group_membership_deleted
        identity_changed identity_created identity_deleted last_login_changed merged name_changed notes_changed
        only_private_comments_changed organization_membership_created organization_membership_deleted
        password_changed photo_changed role_changed suspended_changed tags_changed time_zone_changed""",
}
_NOT_USED = frozenset(f"{noun}.{change}" for noun, changes in _CHANGES.items() for change in changes.split())


def translate(message: Message) -> list[Told] | Ignored:
    """What an agent asks for or says of a dispute; everything else is an echo, cleared, not used, or unknown.

    Raises:
        Malformed: the body is no Zendesk event, or the words cannot be read; `detail["pointer"]` says where. Codes:
            those of `deliveries.event_object`, zendesk.event_malformed, credit.format, refund.format, ruling.format,
            invoice.format, reason.format, money.format, money.negative, money.zero, priority.unknown, id.format,
            time.*, date.*.
    """
    told = read(event_object(message.body), Event, at="")
    detail = read(told.detail, Detail, at="/detail") if _about_organization(told) else None
    changed = told.type.endswith("custom_field_changed")
    title = read(told.event or {}, Change, at="/event").title if changed else None
    if not told.type.startswith(PREFIX):
        raise malformed("the type does not begin with zen:event-type:", pointer="/type")
    topic = told.type.removeprefix(PREFIX)
    if topic == "ticket.custom_field_changed" and (asked := _ASKED_IN.get(title or "")):
        return asked(message, told)
    if topic == "ticket.custom_field_changed" and title in _ANSWER_TITLES:
        return Ignored(reason="echo")
    if (
        detail is not None
        and (detail.external_id or "").startswith(OUR_IDS)
        and (topic in _OWN_WRITES or (topic == "organization.custom_field_changed" and title in _TITLES))
    ):
        return Ignored(reason="echo")
    return Ignored(reason="not_used" if topic in _NOT_USED | _OWN_WRITES else "unknown_type")


def _about_organization(told: Event) -> bool:
    return told.type.startswith(PREFIX + "organization.")
