"""A refund: money that a customer paid is given back to where it came from."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Support asks on a case that a customer be given back what was paid, in the words of its source."""

    schema_version: int = 1
    case_id: str
    """The number people use for the case."""
    source_id: str
    """Native id of the case."""
    customer_source_id: str
    """Native id, in support, of the customer who opened it; empty where the case names none."""
    subject: str
    amount_text: str
    """Plain decimal text in the customer's own currency, as the agent wrote it."""
    invoice_number: str
    reason: str
    """Word of the reference table `credit_reason`."""
    requested_by: str
    """Native id of the agent who asks; who asks may not approve."""
    requested_on: date


class RefundRequested(Fact, frozen=True, kw_only=True):
    """Support asked for a refund on a case."""

    type: ClassVar[str] = "accordant.refund.requested"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "support"
    ordering_key: ClassVar[str] = "/request/customer_source_id"

    request: RefundRequest


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund, as billing makes it."""

    schema_version: int = 1
    refund_id: str
    customer_id: str
    case_id: str
    invoice_number: str
    payment_source_id: str
    """Native id in billing of the payment that is given back, wholly or in part."""
    amount: Money
    """Positive."""
    reason: str
    refunded_on: date


class RefundEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The same refund as the books know it: it pays out a credit memo."""

    schema_version: int = 1
    refund_id: str
    credit_id: str
    """The credit memo that it pays out."""
    customer_id: str
    legal_entity: str
    erp_entity: str
    """The legal entity's code in the ERP, from the reference table `legal_entity`."""
    case_id: str
    invoice_number: str
    amount: Money
    posted_on: date


class PaymentRefunded(Fact, frozen=True, kw_only=True):
    """Billing gave money back that nobody asked us to give back."""

    type: ClassVar[str] = "accordant.payment.refunded"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "billing"
    ordering_key: ClassVar[str] = "/payment_source_id"

    source_id: str
    """Native id of the refund in billing."""
    payment_source_id: str
    amount: Money
    refunded_on: date
    reason: str = ""
