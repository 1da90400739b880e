"""What Stripe tells of money that does not come: a charge failed, an invoice became overdue.

Source: https://docs.stripe.com/api/events/types (invoice.payment_failed, invoice.overdue); API version
2026-10-28.endive. Every failed charge is a fact of its own, named by the invoice and its count; an invoice becomes
overdue once.
"""

from collections.abc import Callable

from accordant.backbone.message import Ignored, Told
from accordant.canonical.invoice import InvoiceOverdue
from accordant.canonical.payment import PaymentFailed
from accordant.kernel.clock import utc_text
from accordant.kernel.ids import digest
from accordant.systems.stripe.mapping.envelope import Event, Members
from accordant.systems.stripe.mapping.invoice_events import told_once
from accordant.systems.stripe.mapping.invoices import billed, created_s, day_of, refuse


def failed(event: Event, members: Members) -> list[Told] | Ignored:
    invoice, record = billed(event, members)
    attempt: object = members.get("attempt_count")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        refuse("invoice.format", record.id, at="/data/object/attempt_count", expected="how many charges were tried")
    at_s = created_s(event)
    day = day_of(event, at_s, of=invoice.source_id, at="created")
    fact = PaymentFailed(invoice=invoice, attempt=attempt, failed_on=day)
    return [
        Told(
            fact=fact,
            source_record=f"{event.message.connection}/invoice/{invoice.source_id}#failed-{attempt}",
            subject=invoice.number,
            orderingkey=invoice.customer_source_id,
            happened_at_ms=at_s * 1000,
            sequence=utc_text(at_s * 1000),
            content=digest("failed", invoice.source_id, str(attempt)),
        )
    ]


def overdue(event: Event, members: Members) -> list[Told] | Ignored:
    invoice, _ = billed(event, members)
    return told_once(event, InvoiceOverdue(invoice=invoice), at_s=created_s(event))


TOLD: dict[str, Callable[[Event, Members], list[Told] | Ignored]] = {
    "invoice.overdue": overdue,
    "invoice.payment_failed": failed,
}
