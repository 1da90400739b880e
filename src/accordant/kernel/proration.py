"""A price for a period is shared out by days, and the shares always add up to the price.

Days are counted on the calendar, so a year has 365 or 366 of them. Amounts are whole minor units of their currency:
cents of USD, yen of JPY, fils of KWD. What cannot be split evenly goes to the largest remainders.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import msgspec

from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """Some whole days in a row, at least one."""

    starts_on: date
    ends_on: date
    """The first day that no longer belongs to it, as on a subscription."""

    def __post_init__(self) -> None:
        if self.starts_on >= self.ends_on:
            raise Malformed(
                f"a period from {self.starts_on} until {self.ends_on} has no day; expected an end after its start",
                code="date.period_empty",
                hint="correct the start or the end",
                detail={"field": "ends_on", "value": self.ends_on.isoformat()},
            )

    @property
    def days(self) -> int:
        return (self.ends_on - self.starts_on).days

    def days_from(self, day: date) -> int:
        """How many of its days are left when `day` begins, `day` among them.

        Raises:
            Malformed: `date.outside_period`, where the day is none of its days.
        """
        if not self.starts_on <= day < self.ends_on:
            raise Malformed(
                f"{day} is outside the running period; expected {self.starts_on} or later, before {self.ends_on}",
                code="date.outside_period",
                hint="correct the effective day, or agree the change as of the period it falls into",
                detail={"field": "effective_on", "value": day.isoformat()},
            )
        return (self.ends_on - day).days

    @property
    def months(self) -> tuple["Period", ...]:
        """Its calendar months; the first and the last may be cut short."""
        cuts = [self.starts_on]
        while (following := _next_month(cuts[-1])) < self.ends_on:
            cuts.append(following)
        return tuple(Period(starts_on=start, ends_on=end) for start, end in pairwise([*cuts, self.ends_on]))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What of an amount belongs to some days."""

    period: Period
    amount: Money


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of price within a period costs for the days that are left of it."""

    unused: Money
    """Of the old price, for the days left; it is given back."""
    charged: Money
    """Of the new price, for the same days."""

    @property
    def amount(self) -> Money:
        """What is to be paid; negative where it is given back."""
        return self.charged - self.unused


def shared(total: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """The total in parts as the weights ask; they add up to it, each less than one minor unit from its exact share.

    Units left over go to the largest remainders, of equal ones to the earliest. The parts of a negative total are those
    of the positive one, negated. `weights` are whole numbers, none negative, not all zero.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError(f"cannot share by {list(weights)[:10]}: no weight may be negative, and not all zero")
    sign = -1 if total.amount_minor < 0 else 1
    divided = [divmod(abs(total.amount_minor) * weight, whole) for weight in weights]
    left = abs(total.amount_minor) - sum(quotient for quotient, _ in divided)
    first = set(sorted(range(len(divided)), key=lambda at: (-divided[at][1], at))[:left])
    return tuple(Money(sign * (quotient + (at in first)), total.currency) for at, (quotient, _) in enumerate(divided))


def remaining(total: Money, period: Period, *, since: date, step_minor: int = 1) -> Money:
    """What of the period's total belongs to the days from `since` on; half a step is rounded away from zero.

    `step_minor` is the smallest amount that can be charged: 10 where the last of three decimals is always 0. A total
    that is no whole number of steps is shared to the minor unit.

    Raises:
        Malformed: `date.outside_period`.
    """
    left = period.days_from(since)
    step = 1 if total.amount_minor % step_minor else step_minor
    steps = Money(total.amount_minor // step, total.currency)
    return Money(step * shared(steps, (left, period.days - left))[0].amount_minor, total.currency)


def delta(old: Money, new: Money, *, period: Period, since: date, step_minor: int = 1) -> Delta:
    """What changing the price of the whole period from `old` to `new` costs, from the day `since` on.

    `step_minor` as in `remaining`.

    Raises:
        Malformed: `date.outside_period`, or `currency.mismatch`.
    """
    _ = new - old  # both in one currency
    unused, charged = (remaining(one, period, since=since, step_minor=step_minor) for one in (old, new))
    return Delta(unused=unused, charged=charged)


def by_month(total: Money, period: Period) -> tuple[Part, ...]:
    """The total by calendar month, as many days as each has of the period."""
    months = period.months
    amounts = shared(total, [month.days for month in months])
    return tuple(Part(period=month, amount=amount) for month, amount in zip(months, amounts, strict=True))


def by_day(total: Money, period: Period) -> tuple[Part, ...]:
    """The total day by day; the days of a month add up to what `by_month` gives the month."""
    days: list[Part] = []
    for month in by_month(total, period):
        amounts = shared(month.amount, [1] * month.period.days)
        for ahead, amount in enumerate(amounts):
            day = month.period.starts_on + timedelta(days=ahead)
            days.append(Part(period=Period(starts_on=day, ends_on=day + timedelta(days=1)), amount=amount))
    return tuple(days)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
