"""An invoice: what billing asks a customer to pay, told to everybody who must know."""

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
    tax: Money
    total: Money
    """Lines and tax together."""
    remaining: Money
    """What is still to be paid."""
    status: str
    """`open`, `paid`, `void` or `uncollectible`."""
    issued_on: date
    due_on: date | None
    """None where it is charged to a card at once."""


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
