"""Stripe's words for an invoice that is disputed, and for the credit note that ends a dispute.

Source: https://docs.stripe.com/api/invoices/update, https://docs.stripe.com/api/credit_notes/create (`amount` in all,
`credit_amount` of it to the customer's balance); API version 2026-10-28.endive.
"""

from collections.abc import Mapping
from typing import Any

from accordant.canonical.dispute import Dispute, InvoiceCredit
from accordant.canonical.operation import Facts
from accordant.kernel.errors import Malformed
from accordant.systems.stripe.mapping.money import from_stripe, to_stripe
from accordant.systems.stripe.mapping.nouns import Fields, Members

_OVER = frozenset({"paid", "uncollectible", "void"})


def dispute_form(dispute: Dispute, *, collects: bool | None) -> Fields:
    """Parameters of `POST /v1/invoices/{id}`: reminders and further charges, and which dispute it is under.

    Where nothing is owed, `collects` is None: an invoice that is over is not asked for, and says so by itself.
    """
    advance = [] if collects is None else [("auto_advance", "true" if collects else "false")]
    return [
        *advance,
        ("metadata[dispute_id]", dispute.dispute_id),
        ("metadata[dispute_status]", dispute.status),
        ("metadata[dispute_case_id]", dispute.case_id),
    ]


def dispute_expected(dispute: Dispute, *, collects: bool | None) -> Facts:
    said: Facts = {"dispute_id": dispute.dispute_id, "dispute_status": dispute.status}
    return said | ({"is_stopped": "yes"} if collects is False else {"is_asked_for": "yes"})


def dispute_facts(record: Mapping[str, Any]) -> Facts:
    """What an invoice says of its dispute; one that is over counts as asked for and as stopped, for it is neither."""
    metadata: Members = record.get("metadata") or {}
    runs, is_over = bool(record.get("auto_advance")), record.get("status") in _OVER
    return {
        "dispute_id": metadata.get("dispute_id"),
        "dispute_status": metadata.get("dispute_status"),
        "is_asked_for": "yes" if runs or is_over else "no",
        "is_stopped": "no" if runs else "yes",
    }


def note_form(credit: InvoiceCredit) -> Fields:
    """Parameters of `POST /v1/credit_notes`.

    Raises:
        Malformed: the amount is not positive (credit.not_positive), or has decimals that Stripe does not take.
    """
    amount, _ = to_stripe(credit.amount)
    if amount <= 0:
        message = f"a credit note of {credit.amount} gives nothing; expected an amount above zero"
        raise Malformed(message, code="credit.not_positive", hint="correct the ruling on the case")
    kept, _ = to_stripe(credit.amount - credit.off_owed)
    return [
        ("invoice", credit.invoice_source_id),
        ("amount", str(amount)),
        *([("credit_amount", str(kept))] if kept else []),
        ("memo", f"Case {credit.case_id}, {credit.dispute_id}"),
        ("metadata[credit_id]", credit.credit_id),
        ("metadata[dispute_id]", credit.dispute_id),
        ("metadata[case_id]", credit.case_id),
        ("metadata[customer_id]", credit.customer_id),
    ]


def note_expected(credit: InvoiceCredit) -> Facts:
    return {
        "credit_id": credit.credit_id,
        "dispute_id": credit.dispute_id,
        "invoice": credit.invoice_source_id,
        "amount_minor": credit.amount.amount_minor,
        "currency": credit.amount.currency,
        "status": "issued",
    }


def note_facts(record: Mapping[str, Any]) -> Facts:
    """What Stripe's credit note says."""
    metadata: Members = record.get("metadata") or {}
    money = from_stripe(int(record["total"]), record["currency"])
    return {
        "credit_id": metadata.get("credit_id"),
        "dispute_id": metadata.get("dispute_id"),
        "invoice": record.get("invoice"),
        "amount_minor": money.amount_minor,
        "currency": money.currency,
        "status": record.get("status"),
    }
