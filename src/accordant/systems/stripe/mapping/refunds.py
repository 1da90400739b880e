"""Stripe's words for our refunds, and for what came for an invoice.

Source: https://docs.stripe.com/api/refunds/create, https://docs.stripe.com/api/refunds/object (pending and succeeded
refunds hold their money; failed and canceled ones gave it back); API version 2026-10-28.endive.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from accordant.canonical.operation import Facts
from accordant.canonical.refund import Refund
from accordant.canonical.settlement import Paid, Settlement
from accordant.kernel.errors import Malformed
from accordant.systems.stripe.mapping.money import from_stripe, to_stripe
from accordant.systems.stripe.mapping.nouns import Fields, Members

_CAME_BACK = frozenset({"canceled", "failed"})


def refund_form(refund: Refund) -> Fields:
    """Parameters of `POST /v1/refunds`.

    Raises:
        Malformed: the amount is not positive (refund.not_positive), or has decimals that Stripe does not take.
    """
    amount, _ = to_stripe(refund.amount)
    if amount <= 0:
        message = f"a refund of {refund.amount} gives nothing back; expected an amount above zero"
        raise Malformed(message, code="refund.not_positive", hint="correct the amount on the case")
    return [
        ("payment_intent", refund.payment_source_id),
        ("amount", str(amount)),
        ("reason", "requested_by_customer"),
        ("metadata[refund_id]", refund.refund_id),
        ("metadata[case_id]", refund.case_id),
        ("metadata[customer_id]", refund.customer_id),
        ("metadata[invoice_number]", refund.invoice_number),
        ("metadata[reason]", refund.reason),
    ]


def refund_expected(refund: Refund) -> Facts:
    return {
        "refund_id": refund.refund_id,
        "payment": refund.payment_source_id,
        "amount_minor": refund.amount.amount_minor,
        "currency": refund.amount.currency,
        "is_given_back": "yes",
    }


def refund_facts(record: Mapping[str, Any]) -> Facts:
    """What Stripe's refund says; one that failed gave nothing back."""
    metadata: Members = record.get("metadata") or {}
    money = from_stripe(int(record["amount"]), record["currency"])
    return {
        "refund_id": metadata.get("refund_id"),
        "payment": record.get("payment_intent"),
        "amount_minor": money.amount_minor,
        "currency": money.currency,
        "is_given_back": "no" if record.get("status") in _CAME_BACK else "yes",
    }


def settlement_of(
    invoice: Mapping[str, Any], paid: Sequence[tuple[Members, Sequence[Members]]], *, apart_from: str = ""
) -> Settlement:
    """How an invoice stands, from the invoice and its payments, each with its refunds but the one that is named."""
    currency = str(invoice["currency"])
    return Settlement(
        number=str(invoice["number"]),
        source_id=str(invoice["id"]),
        status=str(invoice["status"]),
        total=from_stripe(int(invoice["total"]), currency),
        remaining=from_stripe(int(invoice["amount_remaining"]), currency),
        is_collected=bool(invoice.get("auto_advance")),
        payments=tuple(
            _paid(payment, [one for one in refunds if not _is_named(one, apart_from)]) for payment, refunds in paid
        ),
    )


def _is_named(refund: Members, refund_id: str) -> bool:
    metadata: Members = refund.get("metadata") or {}
    return bool(refund_id) and metadata.get("refund_id") == refund_id


def _paid(payment: Members, refunds: Sequence[Members]) -> Paid:
    back = sum(int(one["amount"]) for one in refunds if one.get("status") not in _CAME_BACK)
    passed: Members = payment.get("status_transitions") or {}
    at_s = int(passed.get("paid_at") or payment["created"])
    return Paid(
        source_id=str(payment["payment"]["payment_intent"]),
        amount=from_stripe(int(payment["amount_paid"]), payment["currency"]),
        refunded=from_stripe(back, payment["currency"]),
        paid_on=datetime.fromtimestamp(at_s, UTC).date(),
    )
