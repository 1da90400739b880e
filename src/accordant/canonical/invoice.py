"""An invoice: what billing asks a customer to pay, as billing has it, and as the books shall hold it."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class BilledLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an invoice as billing has it. `total` is for the whole quantity, before tax."""

    line_id: str
    """Native id of the line."""
    product_word: str
    """What billing calls the product; our product id where we made the price. Empty where the line names none."""
    description: str
    quantity: int
    total: Money
    """Negative on a line that gives something back, such as the unused part of an older price."""
    serves_from: date | None = None
    serves_until: date | None = None
    """The last day served; None where the line is for no period."""


class BilledInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice in the words of billing; entity, accounts and items are resolved when it is posted."""

    schema_version: int = 1
    number: str
    """The number people use; billing gives it when it finalizes the invoice."""
    source_id: str
    """Native id in billing."""
    customer_source_id: str
    """Native id, in billing, of the customer who owes it."""
    subscription_source_id: str = ""
    """Native id, in billing, of the subscription it is for; empty for a one-off invoice."""
    lines: tuple[BilledLine, ...]
    lines_left: bool = False
    """Whether billing told the first lines only; the others are asked for."""
    tax: Money
    total: Money
    """Lines and tax together."""
    covered: Money
    """What the customer's credit with us paid of it when it was finalized; negative where earlier debt was added."""
    remaining: Money
    """What is still to be paid."""
    status: str
    """`open`, `paid`, `void` or `uncollectible`."""
    issued_on: date
    due_on: date | None
    """None where it is charged to a card at once."""


class OpenInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """What billing says of an invoice that waits for its money, at the moment it was asked."""

    number: str
    source_id: str
    remaining: Money
    due_at_ms: int | None
    """None where it is charged to a card at once."""
    attempts: int
    """Charges that billing has tried in vain."""
    is_disputed: bool = False
    """Billing was told to stop asking for it while a case decides who is right."""


class Reminder(msgspec.Struct, frozen=True, kw_only=True):
    """One of the times that a customer is reminded of an invoice."""

    customer_id: str
    invoice_source_id: str
    number: str
    """Of the invoice."""
    step: str
    """Name of the step of the ladder, such as `first reminder`."""


class InvoiceFinalized(Fact, frozen=True, kw_only=True):
    """Billing closed an invoice for changes and asks for the money."""

    type: ClassVar[str] = "accordant.invoice.finalized"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/invoice/customer_source_id"

    invoice: BilledInvoice


class InvoiceVoided(Fact, frozen=True, kw_only=True):
    """Billing took an invoice back; it stays in the books, and is countered there."""

    type: ClassVar[str] = "accordant.invoice.voided"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/invoice/customer_source_id"

    invoice: BilledInvoice
    voided_on: date


class InvoiceOverdue(Fact, frozen=True, kw_only=True):
    """An invoice was not paid by the day it was due."""

    type: ClassVar[str] = "accordant.invoice.overdue"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/invoice/customer_source_id"

    invoice: BilledInvoice


class RevenueLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line as the books enter it, resolved from the reference table `revenue_item`."""

    line_id: str
    item: str
    """The ERP's item, which brings its revenue account."""
    dimensions: dict[str, str] = {}
    """`department`, `class` and `location`, as the ERP names them; those that the table leaves empty are absent."""
    description: str
    quantity: int
    total: Money


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice as it is posted; once posted it is countered, never changed."""

    schema_version: int = 1
    invoice_id: str
    number: str
    customer_id: str
    legal_entity: str
    erp_entity: str
    """The legal entity's code in the ERP, from the reference table `legal_entity`."""
    lines: tuple[RevenueLine, ...]
    tax: Money
    tax_item: str
    """What the ERP books the tax under, from the reference table `tax_item`; empty without tax."""
    total: Money
    posted_on: date
    due_on: date | None


class CreditNote(msgspec.Struct, frozen=True, kw_only=True):
    """What takes a posted invoice back in the books, wholly or in part, by an entry of its own."""

    schema_version: int = 1
    note_id: str
    number: str
    """The number people use; an invoice that was voided gives its own."""
    invoice_id: str
    customer_id: str
    legal_entity: str
    erp_entity: str
    lines: tuple[RevenueLine, ...]
    """Positive: what is given back."""
    tax: Money
    tax_item: str
    total: Money
    applied: Money
    """How much of it is set against the invoice; the rest stays the customer's credit."""
    reason: str
    posted_on: date
