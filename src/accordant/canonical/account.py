"""How a customer's account stands: what is owed, and what follows from it, shown wherever people look."""

from datetime import date

import msgspec

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
