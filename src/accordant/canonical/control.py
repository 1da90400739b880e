"""Control totals: what billing says customers owe and were given, beside what the books hold of it."""

from datetime import date

import msgspec

from accordant.kernel.money import Money

INVOICE, CREDIT = "invoice", "credit"


class LedgerDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One document that changed what a customer owes, as the system that is asked holds it.

    A document that was taken back stays; what took it back is another document, under the same number.
    """

    number: str
    """The number people use, the same in every system."""
    native_id: str
    legal_entity: str
    """Code of our legal entity; in words of the system's own where it cannot be told which one it is."""
    amount: Money
    """Positive where the customer owes more by it, negative where it owes less."""
    entered_on: date

    @property
    def kind(self) -> str:
        return CREDIT if self.amount.amount_minor < 0 else INVOICE

    @property
    def period(self) -> str:
        """The month, such as `2026-11`."""
        return f"{self.entered_on:%Y-%m}"
