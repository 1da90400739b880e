"""What a change within the running period costs, that billing means the same, and how the rest of it is earned."""

from datetime import date, timedelta
from itertools import groupby

import msgspec

from accordant.canonical.order import Order, OrderLine
from accordant.canonical.revenue import RevenueMonth, RevenueSchedule, RevenueSpan
from accordant.canonical.subscription import RunningPeriod, SubscriptionChange
from accordant.governance.estate import Estate
from accordant.kernel.errors import Terminal
from accordant.kernel.money import Money
from accordant.kernel.proration import Delta, Period, by_month, delta

AHEAD = timedelta(days=1)
"""How far east of us the day of a change may begin."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a change gives back and charges, and in which period."""

    period: Period
    delta: Delta


def prorated_since(
    effective_on: date, today: date, running: RunningPeriod, schedule: str, estate: Estate, /
) -> date | None:
    """The first day at the new price; None where the change concerns no day of the running period that has begun.

    Raises:
        Terminal: `proration.out_of_order`, where a later day of the period was changed before.
    """
    period = running.period
    if not period.starts_on <= effective_on < period.ends_on or effective_on > today + AHEAD:
        return None
    spans = _spans(schedule, period)
    changed_on = spans[-1].starts_on if spans else effective_on
    if changed_on > effective_on:
        raise Terminal(
            f"the change takes effect on {effective_on}, but the line was changed before as of {changed_on}; "
            "expected that day or a later one",
            code="proration.out_of_order",
            hint=f"agree the change as of {changed_on} or later, or correct the earlier one first",
            detail={"field": "effective_on", "value": effective_on.isoformat()},
        )
    return effective_on


def share_of(change: SubscriptionChange, running: RunningPeriod, estate: Estate, /) -> Share:
    """What the change gives back and charges for the days that are left, by our own arithmetic; nothing without any."""
    old, new = change.before.total, change.subscription.total
    owed = Delta(unused=Money(0, old.currency), charged=Money(0, new.currency))
    if change.since is not None:
        owed = delta(old, new, period=running.period, since=change.since, step_minor=running.step_minor)
    return Share(period=running.period, delta=owed)


def same_as_billing(share: Share, billed: Delta, estate: Estate, /) -> Delta:
    """Our figure, which is billing's as well.

    Raises:
        Terminal: `proration.differs`, with both figures, where they are a cent apart.
    """
    ours = share.delta
    if ours == billed:
        return ours
    raise Terminal(
        f"we make the change {ours.amount} ({ours.charged} charged, {ours.unused} given back), "
        f"billing makes it {billed.amount} ({billed.charged} charged, {billed.unused} given back); expected the same",
        code="proration.differs",
        hint="compare both prices and the running period in billing with the deal, correct what is wrong, then retry",
        detail={"field": "amount", "value": str(ours.amount), "billed": str(billed.amount)},
    )


def same_as_invoiced(share: Share, facts: dict[str, str], estate: Estate, /) -> Delta:
    """Our figure, which billing invoiced as its receipt says; raises like `same_as_billing`."""
    unused, charged = share.delta.unused, share.delta.charged
    billed = Delta(
        unused=Money(int(facts.get("unused_minor", "0")), unused.currency),
        charged=Money(int(facts.get("charged_minor", "0")), charged.currency),
    )
    return same_as_billing(share, billed, estate)


def adjusted(order: Order, change: SubscriptionChange, *, by: Delta) -> Order:
    """The order with what the change gives back and charges; its total grows by exactly what billing invoices."""
    if change.since is None:
        raise ValueError("nothing of the running period changes, so that there is nothing to adjust")
    before, after = change.before, change.subscription
    back = OrderLine(
        product_id=before.product_id,
        quantity=before.quantity,
        total=-by.unused,
        description=f"not used from {change.since} on",
    )
    more = OrderLine(
        product_id=after.product_id, quantity=after.quantity, total=by.charged, description=f"from {change.since} on"
    )
    return msgspec.structs.replace(order, lines=(*order.lines, back, more), total=order.total + by.amount)


def schedule_after(
    schedule: str, change: SubscriptionChange, share: Share, version: int, estate: Estate, /
) -> RevenueSchedule:
    """How the period is earned from now on: what was earned stays, the rest is spread anew over the days left.

    `schedule` is the last one as JSON, empty where the line has not been changed in its life.
    """
    after, since, owed = change.subscription, change.since, share.delta
    if since is None:
        raise ValueError("nothing of the running period changes, so that its schedule stays")
    *kept, cut = _spans(schedule, share.period) or [_whole(change, share.period)]
    if cut.starts_on < since:
        kept.append(RevenueSpan(starts_on=cut.starts_on, ends_on=since, amount=cut.amount - owed.unused))
    spans = (*kept, RevenueSpan(starts_on=since, ends_on=share.period.ends_on, amount=owed.charged))
    return RevenueSchedule(
        subscription_id=after.subscription_id,
        customer_id=after.customer_id,
        version=version,
        total=_sum([span.amount for span in spans]),
        spans=spans,
        months=months_of(spans),
        agreed_in=after.opportunity_id,
    )


def months_of(spans: tuple[RevenueSpan, ...]) -> tuple[RevenueMonth, ...]:
    """The spans by calendar month; a month in which the price changed has its days at both prices."""
    parts = [
        (f"{part.period.starts_on:%Y-%m}", part.amount)
        for span in spans
        for part in by_month(span.amount, Period(starts_on=span.starts_on, ends_on=span.ends_on))
    ]
    return tuple(
        RevenueMonth(month=month, amount=_sum([amount for _, amount in within]))
        for month, within in groupby(parts, key=lambda part: part[0])
    )


def _spans(schedule: str, period: Period) -> list[RevenueSpan]:
    """Those of the running period; a schedule of an earlier one says nothing about it."""
    if not schedule:
        return []
    known = msgspec.json.decode(schedule.encode(), type=RevenueSchedule)
    return [span for span in known.spans if span.starts_on >= period.starts_on]


def _whole(change: SubscriptionChange, period: Period) -> RevenueSpan:
    return RevenueSpan(starts_on=period.starts_on, ends_on=period.ends_on, amount=change.before.total)


def _sum(amounts: list[Money]) -> Money:
    total = amounts[0]
    for amount in amounts[1:]:
        total += amount
    return total
