"""Two fields of a ticket that make it a dispute: the number of the invoice, and later what came of it.

`ABC-0001` in the first opens a dispute; `credit 120.00` or `confirmed` in the second ends it. Event schema version
2022-11-06. Source: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
"""

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.dispute import CONFIRMED, CREDITED, DisputeClaim, DisputeRuled, DisputeRuling, InvoiceDisputed
from accordant.kernel.ids import digest
from accordant.systems.zendesk.mapping.event import Event
from accordant.systems.zendesk.mapping.nouns import DISPUTED, RULING, plain
from accordant.systems.zendesk.mapping.ticket import Said, said

_RULING_FORM = "`confirmed`, or `credit` and an amount, such as `credit 120.00`"


def disputed(message: Message, told: Event) -> list[Told] | Ignored:
    """An invoice is disputed on this ticket. Emptying the field takes nothing back: the ruling does."""
    one = said(message, told, field=DISPUTED.title)
    if one is None:
        return Ignored(reason="cleared")
    claim = DisputeClaim(
        invoice_number=one.invoice(one.words),
        customer_source_id=one.organization_id,
        case_id=one.case_id,
        source_id=one.ticket.id,
        subject=one.subject,
        claimed_by=one.author,
        claimed_on=one.on,
    )
    content = digest(one.organization_id, claim.invoice_number)
    return [_told(one, "dispute", fact=InvoiceDisputed(claim=claim), content=content)]


def ruled(message: Message, told: Event) -> list[Told] | Ignored:
    """What came of the dispute on this ticket."""
    one = said(message, told, field=RULING.title)
    if one is None:
        return Ignored(reason="cleared")
    outcome, amount = _outcome(one)
    ruling = DisputeRuling(
        outcome=outcome,
        amount_text=amount,
        customer_source_id=one.organization_id,
        case_id=one.case_id,
        source_id=one.ticket.id,
        ruled_by=one.author,
        ruled_on=one.on,
    )
    content = digest(one.organization_id, outcome, plain(amount) or "")
    return [_told(one, "ruling", fact=DisputeRuled(ruling=ruling), content=content)]


def _outcome(one: Said) -> tuple[str, str]:
    if one.words == "confirmed":
        return CONFIRMED, ""
    word, blank, amount = one.words.partition(" ")
    if word != "credit" or not blank:
        one.refuse("ruling.format", expected=_RULING_FORM)
    return CREDITED, one.amount(amount)


def _told(one: Said, part: str, *, fact: InvoiceDisputed | DisputeRuled, content: str) -> Told:
    """The two fields change independently of each other and of the request, so each is a record of its own."""
    return Told(
        fact=fact,
        source_record=f"{one.connection}/ticket/{one.ticket.id}/{part}",
        subject=one.ticket.id,
        orderingkey=one.organization_id or one.ticket.id,
        happened_at_ms=one.at_ms,
        sequence=one.sequence,
        content=content,
    )
