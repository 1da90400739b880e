"""What Stripe's events tell us: a row for each type that we act on; the others are echoes, not used, or unknown.

Source: https://docs.stripe.com/api/events/types; API version 2026-10-28.endive.
"""

from collections.abc import Callable, Mapping
from typing import Any

from accordant.backbone.message import Ignored, Message, Told
from accordant.systems.stripe.mapping import credit_notes, invoice_events, payment_events, refund_events
from accordant.systems.stripe.mapping.envelope import Event, Members, read

TOLD_BY: Mapping[str, Callable[[Event, Members], list[Told] | Ignored]] = {
    **invoice_events.TOLD,
    **credit_notes.TOLD,
    **payment_events.TOLD,
    **refund_events.TOLD,
}
"""What says the facts of an event, by the event's type; it is asked before any other rule."""
ECHOES = frozenset(
    {
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "customer.updated",
    }
)
"""Events that our own writes cause."""
KNOWN_EVENTS = ECHOES | frozenset(
    {
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.failed",
        "charge.refunded",
        "charge.succeeded",
        "credit_note.created",
        "credit_note.updated",
        "credit_note.voided",
        "customer.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.trial_will_end",
        "invoice.created",
        "invoice.deleted",
        "invoice.finalization_failed",
        "invoice.finalized",
        "invoice.marked_uncollectible",
        "invoice.overdue",
        "invoice.paid",
        "invoice.payment_action_required",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.sent",
        "invoice.upcoming",
        "invoice.updated",
        "invoice.voided",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "plan.created",
        "price.created",
        "price.updated",
        "product.created",
        "product.updated",
        "refund.failed",
        "refund.updated",
    }
)
"""Events whose meaning is known; those without a row in `TOLD_BY` are used by no flow yet."""


def translate(message: Message) -> list[Told] | Ignored:
    """Say what an event means to us.

    Raises:
        Malformed: the body is not a Stripe event. Codes: those of `deliveries`, stripe.not_an_event, and
            what the row of its type raises.
    """
    event, record = read(message)
    if tell := TOLD_BY.get(event.type):
        return tell(event, record)
    if event.type not in KNOWN_EVENTS:
        return Ignored(reason="unknown_type")
    return Ignored(reason="echo" if event.type in ECHOES and _is_ours(record) else "not_used")


def _is_ours(record: Mapping[str, Any]) -> bool:
    """Whether we wrote the object: it carries one of our ids."""
    metadata: object = record.get("metadata")
    return isinstance(metadata, dict) and not metadata.keys().isdisjoint({"customer_id", "subscription_id"})
