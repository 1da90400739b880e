"""What an agent asks for in one field of a ticket: `120.00 outage` is an amount and the word of a reason.

A change of one field tells the ticket and that field alone, not its other custom fields; so all that is asked stands
in one. Event schema version 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events (properties of `detail`)
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (priority)
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn, cast

import msgspec

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.case import CreditRequest, CreditRequested
from accordant.kernel.clock import utc_text
from accordant.kernel.dates import read_instant_ms, require_likely_ms
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import digest
from accordant.systems.zendesk.mapping.event import Change, Event, read
from accordant.systems.zendesk.mapping.nouns import REQUEST, plain

_SEVERITY = {"urgent": "critical", "high": "high", "normal": "medium", "low": "low", "": "medium"}
_AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""
_AMOUNT = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,8})?", re.ASCII)
_REASON = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_ID = re.compile(r"[1-9]\d{0,19}", re.ASCII)


class _Ticket(msgspec.Struct, frozen=True):
    """What a request takes from the ticket. Ids are texts in events; an absent one is null, empty or `0`."""

    id: str
    actor_id: str
    subject: str | None = None
    priority: str | None = None
    organization_id: str | None = None


def requested(message: Message, told: Event) -> list[Told] | Ignored:
    ticket = read(told.detail, _Ticket, at="/detail")
    value, at = read(told.event or {}, Change, at="/event").current, "/event/current"
    if isinstance(value, dict):
        value, at = cast("dict[str, Any]", value).get("value"), "/event/current/value"
    if value is None or value == "":
        return Ignored(reason="cleared")
    amount, reason = _asked(value, ticket, at=at)
    organization_id = _id(ticket, "organization_id") if ticket.organization_id not in (None, "", "0") else ""
    at_ms = _happened(told, ticket, received_at_ms=message.received_at_ms)
    request = CreditRequest(
        case_id=_id(ticket, "id"),
        source_id=ticket.id,
        customer_source_id=organization_id,
        severity=_severity(ticket),
        subject=ticket.subject or "",
        amount_text=amount,
        reason=reason,
        requested_by=_id(ticket, "actor_id"),
        requested_on=datetime.fromtimestamp(at_ms / 1000, UTC).date(),
    )
    return [
        Told(
            fact=CreditRequested(request=request),
            source_record=f"{message.connection}/ticket/{ticket.id}",
            subject=ticket.id,
            orderingkey=organization_id or ticket.id,
            happened_at_ms=at_ms,
            sequence=utc_text(at_ms),
            content=digest(organization_id, plain(amount) or "", reason),
        )
    ]


def _asked(value: object, ticket: _Ticket, *, at: str) -> tuple[str, str]:
    """Amount and reason; how many decimals the amount may have is known with its currency, not here."""
    amount, blank, reason = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if not amount or not blank or not reason:
        expected = "an amount, one space and the word of a reason, such as `120.00 outage`"
        refuse("credit.format", ticket, at=at, value=value, expected=expected)
    if not _AMOUNT.fullmatch(amount):
        expected = "an amount in plain digits with a point before the decimals, such as 120 or 120.00"
        refuse("money.format", ticket, at=at, value=value, expected=expected)
    if Decimal(amount) <= 0:
        code = "money.negative" if amount.startswith("-") else "money.zero"
        refuse(code, ticket, at=at, value=value, expected="an amount greater than zero")
    if not _REASON.fullmatch(reason):
        expected = "after one space, a reason in small letters, digits and underscores, such as `outage`"
        refuse("reason.format", ticket, at=at, value=value, expected=expected)
    return amount, reason


def _happened(told: Event, ticket: _Ticket, *, received_at_ms: int) -> int:
    """When the agent asked; a time of the future would outrank every later word until its day comes."""
    expected = "a time such as 2026-11-21T12:00:00Z that is not in the future"
    try:
        at_ms = require_likely_ms(read_instant_ms(told.time))
    except Malformed as wrong:
        refuse(wrong.code, ticket, at="/time", value=told.time, expected=expected)
    if at_ms > received_at_ms + _AHEAD_MS_MAX:
        refuse("time.future", ticket, at="/time", value=told.time, expected=expected)
    return at_ms


def _severity(ticket: _Ticket) -> str:
    severity = _SEVERITY.get((ticket.priority or "").casefold())
    if severity is None:
        expected = "urgent, high, normal, low or none"
        refuse("priority.unknown", ticket, at="/detail/priority", value=ticket.priority, expected=expected)
    return severity


def _id(ticket: _Ticket, name: str) -> str:
    """An id of the ticket; `-1` stands for Zendesk itself, which answers for nothing."""
    value = getattr(ticket, name)
    if not _ID.fullmatch(value):
        refuse("id.format", ticket, at=f"/detail/{name}", value=value, expected="the id of a record, in digits")
    return value


def refuse(code: str, ticket: _Ticket, *, at: str, value: object, expected: str) -> NoReturn:
    """Raise Malformed in one voice."""
    said, record = str(value)[:100], ticket.id[:40]
    raise Malformed(
        f"ticket {record}: {at} says {said!r}; expected {expected}",
        code=code,
        hint=f"correct the ticket's field {REQUEST.title!r}; the request is read again as soon as it changes",
        detail={"record": record, "pointer": at, "field": at, "value": said, "expected": expected},
    )
