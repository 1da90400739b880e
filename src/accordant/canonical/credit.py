"""A service credit: money given back to a customer for service that was not what was promised."""

from datetime import date

import msgspec

from accordant.kernel.money import Money


class ServiceCredit(msgspec.Struct, frozen=True, kw_only=True):
    """One credit, as billing grants it: it lowers what the customer pays next."""

    schema_version: int = 1
    credit_id: str
    customer_id: str
    case_id: str
    amount: Money
    """Positive: what the customer is given."""
    reason: str
    granted_on: date


class CreditMemo(msgspec.Struct, frozen=True, kw_only=True):
    """The same credit as the books know it."""

    schema_version: int = 1
    credit_id: str
    customer_id: str
    legal_entity: str
    erp_entity: str
    """The legal entity's code in the ERP, from the reference table `legal_entity`."""
    case_id: str
    """Empty where no case stands behind it."""
    item: str
    """What the ERP books it under, from the reference table `credit_reason` or `credit_note_reason`."""
    amount: Money
    """Positive: what the customer is given."""
    posted_on: date
    number: str = ""
    """The number people use for the credit; empty where it goes by its case."""
    invoice_native_id: str = ""
    """Native id, in the ERP, of the invoice that it pays; empty where it pays none yet."""
    pays: Money | None = None
    """How much of that invoice; the rest stays the customer's credit."""
    about: str = ""
    """What else people should find it by, such as the id of a dispute; empty where the case says it all."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer owes and was given, in one currency; asked of billing, never kept."""

    owed: Money
    """Open invoices."""
    overdue: Money
    """The part of it whose due date has passed."""
    credited: Money
    """Credits granted since the day that was asked for and not countered, positive."""
