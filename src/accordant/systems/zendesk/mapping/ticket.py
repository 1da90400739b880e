"""What an agent wrote into one field of a ticket: the words, the ticket, who wrote them and when.

A change of one field tells the ticket and that field alone, not its other custom fields; so whatever is asked stands
in one. Event schema version 2022-11-06. Source:
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events (properties of `detail`)
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn, cast

import msgspec

from accordant.backbone.message import Message
from accordant.kernel.clock import utc_text
from accordant.kernel.dates import read_instant_ms, require_likely_ms
from accordant.kernel.errors import Malformed
from accordant.systems.zendesk.mapping.event import Change, Event, read

_AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""
_AMOUNT = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,8})?", re.ASCII)
_REASON = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_INVOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}", re.ASCII)
_ID = re.compile(r"[1-9]\d{0,19}", re.ASCII)


class Ticket(msgspec.Struct, frozen=True):
    """What is taken from the ticket. Ids are texts in events; an absent one is null, empty or `0`."""

    id: str
    actor_id: str
    subject: str | None = None
    priority: str | None = None
    organization_id: str | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was written, with what every request takes from its ticket."""

    ticket: Ticket
    field: str
    """Title of the field."""
    value: object
    at: str
    """Where the value stands in the delivery."""
    time: str
    """When it was written, in Zendesk's words; read last, so that what is wrong with the words is said first."""
    received_at_ms: int
    connection: str

    @property
    def words(self) -> str:
        """Empty where it is no text: whoever reads the words then says what was expected."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def at_ms(self) -> int:
        """When it was written; a time of the future would outrank every later word until its day comes."""
        expected = "a time such as 2026-11-21T12:00:00Z that is not in the future"
        try:
            at_ms = require_likely_ms(read_instant_ms(self.time))
        except Malformed as wrong:
            self.refuse(wrong.code, at="/time", value=self.time, expected=expected)
        if at_ms > self.received_at_ms + _AHEAD_MS_MAX:
            self.refuse("time.future", at="/time", value=self.time, expected=expected)
        return at_ms

    @property
    def on(self) -> date:
        """The day on which it was written, UTC."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).date()

    @property
    def sequence(self) -> str:
        return utc_text(self.at_ms)

    @property
    def case_id(self) -> str:
        return self.id_of("id")

    @property
    def author(self) -> str:
        """Zendesk itself, `-1`, answers for nothing."""
        return self.id_of("actor_id")

    @property
    def organization_id(self) -> str:
        return self.id_of("organization_id") if self.ticket.organization_id not in (None, "", "0") else ""

    @property
    def subject(self) -> str:
        return self.ticket.subject or ""

    def id_of(self, name: str) -> str:
        """An id of the ticket."""
        value = getattr(self.ticket, name)
        if not _ID.fullmatch(value):
            self.refuse("id.format", at=f"/detail/{name}", value=value, expected="the id of a record, in digits")
        return value

    def amount(self, text: str) -> str:
        """How many decimals it may have is known with its currency, not here."""
        if not _AMOUNT.fullmatch(text):
            expected = "an amount in plain digits with a point before the decimals, such as 120 or 120.00"
            self.refuse("money.format", expected=expected)
        if Decimal(text) <= 0:
            code = "money.negative" if text.startswith("-") else "money.zero"
            self.refuse(code, expected="an amount greater than zero")
        return text

    def reason(self, text: str) -> str:
        if not _REASON.fullmatch(text):
            expected = "after one space, a reason in small letters, digits and underscores, such as `outage`"
            self.refuse("reason.format", expected=expected)
        return text

    def invoice(self, text: str) -> str:
        if not _INVOICE.fullmatch(text):
            self.refuse("invoice.format", expected="the number of an invoice as it is printed, such as `ABC123-0001`")
        return text

    def refuse(self, code: str, *, expected: str, at: str = "", value: object = None) -> NoReturn:
        """Raise Malformed in one voice."""
        place, told = at or self.at, self.value if not at else value
        said, record = str(told)[:100], self.ticket.id[:40]
        raise Malformed(
            f"ticket {record}: {place} says {said!r}; expected {expected}",
            code=code,
            hint=f"correct the ticket's field {self.field!r}; it is read again as soon as it changes",
            detail={"record": record, "pointer": place, "field": place, "value": said, "expected": expected},
        )


def said(message: Message, told: Event, *, field: str) -> Said | None:
    """What was written into a field; None where it was emptied.

    Raises:
        Malformed: zendesk.event_malformed.
    """
    ticket = read(told.detail, Ticket, at="/detail")
    value, at = read(told.event or {}, Change, at="/event").current, "/event/current"
    if isinstance(value, dict):
        value, at = cast("dict[str, Any]", value).get("value"), "/event/current/value"
    if value is None or value == "":
        return None
    return Said(
        ticket=ticket,
        field=field,
        value=value,
        at=at,
        time=told.time,
        received_at_ms=message.received_at_ms,
        connection=message.connection,
    )
