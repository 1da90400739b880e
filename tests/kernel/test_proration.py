"""Shares of a price add up to the price, day by day, in every currency and in leap years."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.kernel.proration import Period, by_day, by_month, delta, remaining, shared

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
TOTALS = st.builds(Money, st.integers(-(10**12), 10**12), CURRENCIES)
PERIODS = st.builds(
    lambda start, days: Period(starts_on=start, ends_on=start + timedelta(days=days)),
    st.dates(date(1999, 1, 1), date(2101, 1, 1)),
    st.integers(1, 800),
)


def days(start: str, end: str) -> Period:
    return Period(starts_on=date.fromisoformat(start), ends_on=date.fromisoformat(end))


@given(TOTALS, st.lists(st.integers(0, 10_000), min_size=1, max_size=40).filter(any))
def test_parts_add_up_and_none_is_a_whole_unit_from_its_share(total: Money, weights: list[int]) -> None:
    parts = shared(total, weights)
    assert sum(part.amount_minor for part in parts) == total.amount_minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount_minor - Fraction(total.amount_minor * weight, sum(weights))) < 1
        assert weight or not part.amount_minor
    assert shared(-total, weights) == tuple(-part for part in parts)


@given(TOTALS, PERIODS)
def test_days_add_up_to_months_and_months_to_the_total(total: Money, period: Period) -> None:
    months, single = by_month(total, period), by_day(total, period)
    assert sum(month.amount.amount_minor for month in months) == total.amount_minor
    assert [day.period.starts_on for day in single] == [
        period.starts_on + timedelta(days=ahead) for ahead in range(period.days)
    ]
    for month in months:
        within = [day for day in single if month.period.starts_on <= day.period.starts_on < month.period.ends_on]
        assert len(within) == month.period.days
        assert {day.period.starts_on.month for day in within} == {month.period.starts_on.month}
        assert sum(day.amount.amount_minor for day in within) == month.amount.amount_minor


@given(st.data(), TOTALS, PERIODS)
def test_what_remains_is_within_half_a_unit_of_its_days(data: st.DataObject, total: Money, period: Period) -> None:
    since = data.draw(st.dates(period.starts_on, period.ends_on - timedelta(days=1)))
    left = remaining(total, period, since=since)
    exact = Fraction(total.amount_minor * (period.ends_on - since).days, period.days)
    assert abs(left.amount_minor - exact) <= Fraction(1, 2)
    assert delta(total, total, period=period, since=since).amount == Money(0, total.currency)
    there, back = (delta(*two, period=period, since=since).amount for two in ((total, -total), (-total, total)))
    assert there == -back


@pytest.mark.parametrize(
    ("total", "period", "since", "left"),
    [
        (Money(36_500, "USD"), days("2026-01-01", "2027-01-01"), "2026-01-01", 36_500),  # the first day
        (Money(36_500, "USD"), days("2026-01-01", "2027-01-01"), "2026-12-31", 100),  # the last
        (Money(36_500, "USD"), days("2026-01-01", "2027-01-01"), "2026-12-30", 200),
        (Money(36_600, "USD"), days("2028-01-01", "2029-01-01"), "2028-02-29", 36_600 - 5_900),  # a leap year
        (Money(36_500, "USD"), days("2028-02-29", "2029-02-28"), "2028-03-01", 36_400),  # begun on 29 February
        (Money(2_900, "USD"), days("2028-02-01", "2028-03-01"), "2028-02-29", 100),
        (Money(2_800, "USD"), days("2027-02-01", "2027-03-01"), "2027-02-28", 100),
        (Money(1_000, "JPY"), days("2026-01-01", "2027-01-01"), "2026-07-02", 501),  # 183 of 365: 501.37
        (Money(1_000_000, "KWD"), days("2026-01-01", "2027-01-01"), "2026-07-02", 501_370),  # 501369.86
        (Money(1, "USD"), days("2026-01-01", "2026-01-03"), "2026-01-02", 1),  # half a cent away from zero
        (Money(-1, "USD"), days("2026-01-01", "2026-01-03"), "2026-01-02", -1),
    ],
)
def test_the_days_that_are_left(total: Money, period: Period, since: str, left: int) -> None:
    assert remaining(total, period, since=date.fromisoformat(since)) == Money(left, total.currency)


def test_a_price_changed_in_the_middle() -> None:
    year = days("2026-01-01", "2027-01-01")
    change = delta(Money(105_400, "USD"), Money(210_800, "USD"), period=year, since=date(2026, 7, 2))
    assert (change.unused, change.charged) == (Money(52_844, "USD"), Money(105_689, "USD"))
    assert change.amount == Money(52_845, "USD")


def test_three_decimals_of_which_the_last_is_always_nought() -> None:
    year, since = days("2026-01-01", "2027-01-01"), date(2026, 7, 2)
    change = delta(Money(1_000_000, "KWD"), Money(2_000_000, "KWD"), period=year, since=since, step_minor=10)
    assert (change.unused, change.charged) == (Money(501_370, "KWD"), Money(1_002_740, "KWD"))
    assert remaining(Money(1_000_010, "KWD"), year, since=since, step_minor=10) == Money(501_370, "KWD")
    assert remaining(Money(1_000_010, "KWD"), year, since=since) == Money(501_375, "KWD")
    assert remaining(Money(1_000_003, "KWD"), year, since=since, step_minor=10) == Money(501_371, "KWD")


def test_months_that_are_cut_short() -> None:
    parts = by_month(Money(1_000, "USD"), days("2028-01-31", "2028-03-02"))
    assert [(part.period.starts_on.isoformat(), part.amount.amount_minor) for part in parts] == [
        ("2028-01-31", 32),
        ("2028-02-01", 936),
        ("2028-03-01", 32),
    ]


@pytest.mark.parametrize("outside", ["2025-12-31", "2027-01-01"])
def test_a_day_outside_the_period_is_refused(outside: str) -> None:
    year = days("2026-01-01", "2027-01-01")
    with pytest.raises(Malformed) as refused:
        delta(Money(1, "USD"), Money(2, "USD"), period=year, since=date.fromisoformat(outside))
    assert refused.value.code == "date.outside_period"


def test_a_period_has_a_day_and_a_change_one_currency() -> None:
    with pytest.raises(Malformed) as empty:
        days("2026-01-01", "2026-01-01")
    assert empty.value.code == "date.period_empty"
    with pytest.raises(Malformed) as mixed:
        delta(Money(1, "USD"), Money(1, "JPY"), period=days("2026-01-01", "2026-01-02"), since=date(2026, 1, 1))
    assert mixed.value.code == "currency.mismatch"
