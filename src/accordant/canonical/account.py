"""How a customer's account stands: what is owed, and what follows from it, shown wherever people look."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class AccountStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the CRM and to support on the customer's record. Telling it sets the whole state."""

    schema_version: int = 1
    customer_id: str
    status: str
    """`current`, `past due`, `disputed`, `on hold`, `suspended` or `ended`."""
    balance: Money
    """Open invoices together; negative where the customer has credit."""
    overdue: Money
    """The part of it whose due date has passed."""
    as_of: date
    """The day of the newest fact it rests on."""
    reason: str = ""
    """One sentence where the status is not `current` (at most 255 characters)."""
    transaction_id: str


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer owes and holds, in one currency; asked of billing, never kept."""

    owed: Money
    """Open invoices."""
    overdue: Money
    """The part of it whose due date has passed."""
    credit: Money
    """What the customer holds with us and the next invoice takes; negative where it is a debt."""


class CreditHold(msgspec.Struct, frozen=True, kw_only=True):
    """What the books say about selling to a customer on credit."""

    is_on: bool
    is_ours: bool
    """The platform placed it, or placed it and a person took it back: the books still carry our mark."""
    is_waived: bool
    """A person decided that this customer is not held, whatever is owed."""


class CreditHoldPlaced(Fact, frozen=True, kw_only=True):
    """Somebody put a customer on hold in the books."""

    type: ClassVar[str] = "accordant.credit_hold.placed"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "erp"
    ordering_key: ClassVar[str] = "/customer_source_id"

    customer_source_id: str
    """Native id of the customer in the books."""
    name: str
    hold: CreditHold


class CreditHoldReleased(Fact, frozen=True, kw_only=True):
    """Somebody took a customer off hold in the books, or decided that it is never held."""

    type: ClassVar[str] = "accordant.credit_hold.released"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "erp"
    ordering_key: ClassVar[str] = "/customer_source_id"

    customer_source_id: str
    name: str
    hold: CreditHold
