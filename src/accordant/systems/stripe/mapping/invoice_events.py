"""What Stripe's invoices tell: that one was finalized, voided, paid.

Source: https://docs.stripe.com/api/events/types; API version 2026-10-28.endive. Each of these happens once in the life
of an invoice, so that each has a source record of its own, and whatever tells it again tells nothing new.
"""

from collections.abc import Callable
from typing import Any

from accordant.backbone.message import Ignored, Told
from accordant.canonical.envelope import Fact
from accordant.canonical.invoice import BilledInvoice, InvoiceFinalized, InvoiceVoided
from accordant.canonical.payment import PaymentReceived
from accordant.kernel.clock import utc_text
from accordant.kernel.ids import digest
from accordant.systems.stripe.mapping.envelope import Event, Members
from accordant.systems.stripe.mapping.invoices import billed, created_s, day_of
from accordant.systems.stripe.mapping.money import from_stripe


def finalized(event: Event, members: Members) -> list[Told] | Ignored:
    invoice, record = billed(event, members)
    return told_once(event, InvoiceFinalized(invoice=invoice), at_s=record.status_transitions.finalized_at)


def voided(event: Event, members: Members) -> list[Told] | Ignored:
    invoice, record = billed(event, members)
    at_s = record.status_transitions.voided_at or created_s(event)
    fact = InvoiceVoided(
        invoice=invoice, voided_on=day_of(event, at_s, of=record.id, at="status_transitions/voided_at")
    )
    return told_once(event, fact, at_s=at_s)


def paid(event: Event, members: Members) -> list[Told] | Ignored:
    """Told when nothing is left to pay, with all that came; both types of event may tell it of one invoice."""
    invoice, record = billed(event, members)
    if record.status != "paid":
        return Ignored(reason="partly_paid")
    at_s = record.status_transitions.paid_at or created_s(event)
    day = day_of(event, at_s, of=record.id, at="status_transitions/paid_at")
    amount = from_stripe(record.amount_paid, record.currency)
    return told_once(event, PaymentReceived(invoice=invoice, amount=amount, paid_on=day), at_s=at_s)


TOLD: dict[str, Callable[[Event, Members], list[Told] | Ignored]] = {
    "invoice.finalized": finalized,
    "invoice.paid": paid,
    "invoice.payment_succeeded": paid,
    "invoice.voided": voided,
}


def told_once(event: Event, fact: Any, /, at_s: int | None) -> list[Told]:
    """A fact that happens once to an invoice: its content is that it happened, whatever the invoice says by then."""
    invoice: BilledInvoice = fact.invoice
    happened = _kind_of(fact)
    at_ms = (at_s or created_s(event)) * 1000
    return [
        Told(
            fact=fact,
            source_record=f"{event.message.connection}/invoice/{invoice.source_id}#{happened}",
            subject=invoice.number,
            orderingkey=invoice.customer_source_id,
            happened_at_ms=at_ms,
            sequence=utc_text(at_ms),
            content=digest(happened, invoice.source_id),
        )
    ]


def _kind_of(fact: Fact) -> str:
    """`finalized` of `accordant.invoice.finalized`; a payment's kind is `paid`."""
    return "paid" if isinstance(fact, PaymentReceived) else fact.type.rpartition(".")[2]
