"""What a ticket's events say: the ticket in `detail`, what changed in `event`.

Event schema version 2022-11-06. Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
(properties of `detail`; `meta.sequence`, the same in all events of one action). Ids are texts, and the words of status,
priority and type are written large, as in the payloads that others have recorded.
"""

from collections.abc import Sequence
from typing import Any

from accordant.connector.sandbox import Kit, Record
from accordant.systems.zendesk.sandbox.events import Herald, change

_AS_THEY_ARE = ("created_at", "updated_at", "external_id", "subject", "description", "tags")
_WORDS = ("status", "priority", "type")
_IDS = ("id", "assignee_id", "group_id", "organization_id", "requester_id", "submitter_id")
_TOLD = {"status": "status_changed", "priority": "priority_changed", "subject": "subject_changed"}
Saying = tuple[str, Record]
"""Topic and `event` of one event."""


def changes(before: Record, after: Record) -> list[Saying]:
    """The events of fields that every ticket has."""
    return [
        (topic, change(_said(name, after[name]), _said(name, before[name])))
        for name, topic in _TOLD.items()
        if before[name] != after[name]
    ]


def commented(comment: Record) -> Saying:
    told = {"id": str(comment["id"]), "body": comment["body"], "is_public": comment["public"]}
    return "comment_added", {"comment": told}


def tell(kit: Kit, herald: Herald, *, ticket: Record, actor_id: int, sayings: Sequence[Saying]) -> None:
    """Queue the events of one action."""
    sequence_id = f"{kit.rng.getrandbits(128):032X}"
    detail = {name: ticket[name] for name in _AS_THEY_ARE} | {name: _said(name, ticket[name]) for name in _WORDS}
    detail |= {name: None if ticket[name] is None else str(ticket[name]) for name in _IDS}
    detail |= {"actor_id": str(actor_id), "is_public": True, "via": {"channel": ticket["via"]["channel"]}}
    for position, (topic, event) in enumerate(sayings, start=1):
        meta = {"sequence": {"id": sequence_id, "position": position}}
        subject = f"zen:ticket:{ticket['id']}"
        herald.tell(f"ticket.{topic}", subject=subject, detail=detail, event={**event, "meta": meta})


def _said(name: str, value: Any) -> Any:
    return value.upper() if name in _WORDS and isinstance(value, str) else value
