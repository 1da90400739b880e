"""A dispute: a customer says that an invoice is wrong; who is right is decided on the case."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money

OPEN, CREDITED, CONFIRMED, GIVEN_UP = "open", "credited", "confirmed", "given up"
"""What becomes of a dispute; it is given up where its transaction was taken back."""


class DisputeClaim(msgspec.Struct, frozen=True, kw_only=True):
    """A case is about an invoice that its customer disputes, in the words of its source."""

    schema_version: int = 1
    case_id: str
    """The number people use for the case."""
    source_id: str
    """Native id of the case."""
    customer_source_id: str
    """Native id, in support, of the customer who opened it; empty where the case names none."""
    subject: str
    invoice_number: str
    claimed_by: str
    """Native id of the agent who marked the case."""
    claimed_on: date


class InvoiceDisputed(Fact, frozen=True, kw_only=True):
    """An agent marked a case as disputing an invoice."""

    type: ClassVar[str] = "accordant.invoice.disputed"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "support"
    ordering_key: ClassVar[str] = "/claim/customer_source_id"

    claim: DisputeClaim


class DisputeRuling(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent says came of a dispute, in the words of its source."""

    schema_version: int = 1
    case_id: str
    source_id: str
    customer_source_id: str
    outcome: str
    """`credited` or `confirmed`."""
    amount_text: str = ""
    """Plain decimal text in the invoice's currency; empty where the invoice is confirmed."""
    ruled_by: str
    """Native id of the agent; who rules may not approve the credit."""
    ruled_on: date


class DisputeRuled(Fact, frozen=True, kw_only=True):
    """An agent said on the case what came of its dispute."""

    type: ClassVar[str] = "accordant.dispute.ruled"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "support"
    ordering_key: ClassVar[str] = "/ruling/customer_source_id"

    ruling: DisputeRuling


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """One dispute, under one id in every system. Its versions say how it opened and how it ended."""

    schema_version: int = 1
    version: int = 1
    dispute_id: str
    customer_id: str
    case_id: str
    invoice_number: str
    invoice_source_id: str
    """Native id in billing."""
    disputed: Money
    """What was still to be paid of the invoice when it was disputed; the whole of it where it was paid."""
    status: str
    """`open`, `credited`, `confirmed` or `given up`."""
    credited: Money | None = None
    opened_at_ms: int


class InvoiceCredit(msgspec.Struct, frozen=True, kw_only=True):
    """What billing takes off an invoice that was disputed with reason."""

    schema_version: int = 1
    credit_id: str
    dispute_id: str
    customer_id: str
    case_id: str
    invoice_number: str
    invoice_source_id: str
    amount: Money
    """Positive: what the customer is given."""
    off_owed: Money
    """The part that lowers what is still to be paid; the rest becomes credit for the next invoice."""
    granted_on: date


class DisputeStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a dispute stands, told on the case. Telling it sets the whole state."""

    case_id: str
    source_id: str
    dispute_id: str
    """Empty where the case is blocked before there is one."""
    status: str
    """`open`, `in review`, `credited`, `confirmed`, `rejected` or `blocked`."""
    credited: Money | None
    reason: str = ""
    """One sentence (at most 255 characters)."""
    transaction_id: str
