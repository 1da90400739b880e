"""What an agent asks for in one field of a ticket: `120.00 outage` is a credit, `refund 120.00 ABC-0001 overcharge` a
refund of what was paid on an invoice.

Event schema version 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events (properties of `detail`)
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (priority)
"""

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.case import CreditRequest, CreditRequested
from accordant.canonical.refund import RefundRequest, RefundRequested
from accordant.kernel.ids import digest
from accordant.systems.zendesk.mapping.event import Event
from accordant.systems.zendesk.mapping.nouns import REQUEST, plain
from accordant.systems.zendesk.mapping.ticket import Said, said

_SEVERITY = {"urgent": "critical", "high": "high", "normal": "medium", "low": "low", "": "medium"}
_REFUND = "refund"
_CREDIT_FORM = "an amount, one space and the word of a reason, such as `120.00 outage`"
_REFUND_FORM = "`refund`, an amount, an invoice's number and a reason, such as `refund 120.00 ABC-0001 overcharge`"


def requested(message: Message, told: Event) -> list[Told] | Ignored:
    """A credit or a refund, whichever the first word says."""
    one = said(message, told, field=REQUEST.title)
    if one is None:
        return Ignored(reason="cleared")
    return [_refund(one) if one.words.partition(" ")[0] == _REFUND else _credit(one)]


def _credit(one: Said) -> Told:
    amount, blank, reason = one.words.partition(" ")
    if not amount or not blank or not reason:
        one.refuse("credit.format", expected=_CREDIT_FORM)
    request = CreditRequest(
        amount_text=one.amount(amount),
        reason=one.reason(reason),
        customer_source_id=one.organization_id,
        case_id=one.case_id,
        source_id=one.ticket.id,
        severity=_severity(one),
        subject=one.subject,
        requested_by=one.author,
        requested_on=one.on,
    )
    return _told(one, CreditRequested(request=request), content=digest(one.organization_id, _plain(amount), reason))


def _refund(one: Said) -> Told:
    words = one.words.split(" ")
    if len(words) != 4 or not all(words):
        one.refuse("refund.format", expected=_REFUND_FORM)
    _, amount, invoice, reason = words
    request = RefundRequest(
        amount_text=one.amount(amount),
        invoice_number=one.invoice(invoice),
        reason=one.reason(reason),
        customer_source_id=one.organization_id,
        case_id=one.case_id,
        source_id=one.ticket.id,
        subject=one.subject,
        requested_by=one.author,
        requested_on=one.on,
    )
    content = digest(_REFUND, one.organization_id, _plain(amount), invoice, reason)
    return _told(one, RefundRequested(request=request), content=content)


def _told(one: Said, fact: CreditRequested | RefundRequested, *, content: str) -> Told:
    """Both are what one field says, so that the later of the two answers for the ticket."""
    return Told(
        fact=fact,
        source_record=f"{one.connection}/ticket/{one.ticket.id}",
        subject=one.ticket.id,
        orderingkey=one.organization_id or one.ticket.id,
        happened_at_ms=one.at_ms,
        sequence=one.sequence,
        content=content,
    )


def _plain(amount: str) -> str:
    return plain(amount) or ""


def _severity(one: Said) -> str:
    priority = one.ticket.priority
    severity = _SEVERITY.get((priority or "").casefold())
    if severity is None:
        expected = "urgent, high, normal, low or none"
        one.refuse("priority.unknown", at="/detail/priority", value=priority, expected=expected)
    return severity
