"""A subscription: what billing charges a customer for, how much, and from when."""

from datetime import date

import msgspec

from accordant.kernel.money import Money
from accordant.kernel.proration import Period


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One product sold to one customer for one term."""

    schema_version: int = 1
    subscription_id: str
    customer_id: str
    opportunity_id: str
    product_id: str
    quantity: int
    total: Money
    """For the whole quantity and one year; quantity × unit price where that divides, else one unit at the total."""
    starts_on: date
    ends_on: date


class SubscriptionChange(msgspec.Struct, frozen=True, kw_only=True):
    """Bring a running subscription to a new quantity and total, and remember what it was before."""

    subscription: Subscription
    """As it shall be."""
    before: Subscription
    """As it was; reverting writes this."""
    since: date | None = None
    """The first day of the running period at the new price; None where nothing of the running period changes."""


class RunningPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """What billing is charging for now."""

    period: Period
    step_minor: int
    """The smallest amount that billing charges in the currency: 10 where the last of three decimals must be 0."""
