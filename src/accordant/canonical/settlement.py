"""What came for an invoice, and what was given back of it; asked of billing, never kept."""

from datetime import date

import msgspec

from accordant.kernel.money import Money


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """One payment of an invoice that billing itself collected."""

    source_id: str
    """Native id in billing of what a refund is made of."""
    amount: Money
    refunded: Money
    """What was given back of it so far, by anybody."""
    paid_on: date

    @property
    def left(self) -> Money:
        """What can still be given back."""
        return self.amount - self.refunded


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How an invoice stands in billing."""

    number: str
    source_id: str
    """Native id in billing."""
    status: str
    """`draft`, `open`, `paid`, `void` or `uncollectible`."""
    total: Money
    remaining: Money
    """What is still to be paid."""
    is_collected: bool
    """Whether billing goes on asking for it by itself: reminders, and charging again."""
    payments: tuple[Paid, ...]
    """The newest first; what was paid outside of billing is not among them."""
