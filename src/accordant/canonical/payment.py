"""A payment: money that came for an invoice, or that did not come."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.canonical.invoice import BilledInvoice
from accordant.kernel.money import Money


class PaymentReceived(Fact, frozen=True, kw_only=True):
    """An invoice was paid, wholly or in part."""

    type: ClassVar[str] = "accordant.payment.received"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/invoice/customer_source_id"

    invoice: BilledInvoice
    """As it stands after the payment."""
    amount: Money
    """What came with this payment, positive; zero where the customer's balance covered the invoice."""
    paid_on: date


class PaymentFailed(Fact, frozen=True, kw_only=True):
    """A charge for an invoice was declined."""

    type: ClassVar[str] = "accordant.payment.failed"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/invoice/customer_source_id"

    invoice: BilledInvoice
    attempt: int
    """1 for the first charge; counts up with each that billing tries."""
    failed_on: date
    reason: str = ""
    """Billing's word for why, such as `card_declined`; empty where it gives none."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money that came for an invoice, as the books enter it."""

    schema_version: int = 1
    payment_id: str
    invoice_id: str
    number: str
    """The invoice's number."""
    customer_id: str
    legal_entity: str
    erp_entity: str
    amount: Money
    paid_on: date
