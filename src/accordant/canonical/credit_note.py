"""A credit note: billing gives back part of what it asked for; where there is no invoice, on the balance."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class BilledCreditNote(msgspec.Struct, frozen=True, kw_only=True):
    """One credit note in the words of billing; entity and item are resolved when it is posted."""

    schema_version: int = 1
    number: str
    """The number people use."""
    source_id: str
    """Native id in billing."""
    customer_source_id: str
    """Native id, in billing, of the customer who is given it."""
    invoice_source_id: str
    """Native id, in billing, of the invoice that it lowers."""
    total: Money
    """Positive: what the customer is given, tax included."""
    off_invoice: Money
    """The part that lowers what was still to be paid; the rest was paid before, and is given back some other way."""
    issued_on: date
    reason: str = ""
    """Billing's word for why; empty where it gives none."""


class CreditNoteIssued(Fact, frozen=True, kw_only=True):
    """Billing lowered a finalized invoice by a credit note."""

    type: ClassVar[str] = "accordant.credit_note.issued"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/credit_note/customer_source_id"

    credit_note: BilledCreditNote


class CreditNoteVoided(Fact, frozen=True, kw_only=True):
    """Billing took a credit note back; it stays in the books, and is countered there."""

    type: ClassVar[str] = "accordant.credit_note.voided"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/credit_note/customer_source_id"

    credit_note: BilledCreditNote
    voided_on: date


class BalanceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One credit on a customer's balance that no invoice of billing stands behind."""

    schema_version: int = 1
    number: str
    """The number people use; billing's own id of the entry where it was given none."""
    source_id: str
    """Native id in billing."""
    total: Money
    """Positive: what the customer is given."""
    issued_on: date


class BalanceCredited(Fact, frozen=True, kw_only=True):
    """A customer's balance in billing moved in the customer's favour; which entries did it is for billing to say."""

    type: ClassVar[str] = "accordant.balance.credited"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/customer_source_id"

    customer_source_id: str
    """Native id, in billing, of the customer."""
    amount: Money
    """By how much, positive."""
    credited_on: date
