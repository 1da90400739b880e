"""A subscription: what billing charges a customer for, how much, and from when."""

from datetime import date

import msgspec

from accordant.kernel.money import Money


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
