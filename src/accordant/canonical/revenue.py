"""A revenue schedule: in which month how much of what was billed is earned."""

from datetime import date

import msgspec

from accordant.kernel.money import Money


class RevenueSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Days in a row at one price."""

    starts_on: date
    ends_on: date
    """The first day after them."""
    amount: Money


class RevenueMonth(msgspec.Struct, frozen=True, kw_only=True):
    """What is earned in one calendar month."""

    month: str
    """Such as `2026-07`."""
    amount: Money


class RevenueSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """One version of how the running period of a subscription is earned; days, months and total add up to the same."""

    schema_version: int = 1
    subscription_id: str
    customer_id: str
    version: int
    total: Money
    """What was billed for the period, every change included."""
    spans: tuple[RevenueSpan, ...]
    months: tuple[RevenueMonth, ...]
    agreed_in: str
    """The deal or the change that led to this version."""
