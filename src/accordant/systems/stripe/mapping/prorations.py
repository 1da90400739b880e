"""What Stripe charges for a change within a period, day by day where Stripe counts seconds.

Stripe prorates to the second from the instant it is told; told one that is whole days after the period began, it
prorates by whole days. Source: https://docs.stripe.com/billing/subscriptions/prorations; API version 2026-10-28.endive.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from accordant.canonical.subscription import RunningPeriod, SubscriptionChange
from accordant.kernel.errors import Malformed
from accordant.kernel.money import exponent
from accordant.kernel.proration import Delta, Period
from accordant.systems.stripe.mapping.money import from_stripe
from accordant.systems.stripe.mapping.nouns import Fields, Members, terms_form

DAY_S = 86_400


def running_period(record: Mapping[str, Any], *, currency: str) -> RunningPeriod:
    """The period of a subscription; before 2025-03-31 the subscription itself says it, since then its items."""
    start_s, end_s = _bounds(record)
    period = Period(starts_on=_day(start_s), ends_on=_day(end_s))
    return RunningPeriod(period=period, step_minor=10 if exponent(currency) == 3 else 1)


def proration_form(record: Mapping[str, Any], *, since: date) -> Fields:
    """Invoice the change at once, as of the moment of `since` at which the period began on its first day."""
    start_s, _ = _bounds(record)
    at_s = start_s + (since - _day(start_s)) // timedelta(days=1) * DAY_S
    return [("proration_behavior", "always_invoice"), ("proration_date", str(at_s))]


def preview_form(record: Mapping[str, Any], change: SubscriptionChange, *, since: date) -> Fields:
    """Parameters of `POST /v1/invoices/create_preview` for the change."""
    item = ("items[0][id]", item_of(record))
    terms = [item, *((name, value) for name, value in terms_form(change.subscription) if name.startswith("items"))]
    details = [*terms, *proration_form(record, since=since)]
    return [("subscription", str(record["id"])), *((_within(name), value) for name, value in details)]


def delta_of(invoice: Mapping[str, Any]) -> Delta:
    """What the proration lines of an invoice give back, and what they charge.

    Raises:
        Malformed: there are more lines than Stripe shows at once.
    """
    if invoice["lines"].get("has_more"):
        raise Malformed(
            "the invoice of a change has more lines than Stripe shows at once; expected two for each item",
            code="stripe.invoice_lines",
            hint="look the invoice up in Stripe",
        )
    amounts = [int(line["amount"]) for line in _prorations(invoice["lines"]["data"])]
    unused, charged = -sum(one for one in amounts if one < 0), sum(one for one in amounts if one > 0)
    return Delta(unused=from_stripe(unused, invoice["currency"]), charged=from_stripe(charged, invoice["currency"]))


def item_of(record: Mapping[str, Any]) -> str:
    """The id of a subscription's one item."""
    return str(record["items"]["data"][0]["id"])


def _prorations(lines: Iterable[Members]) -> Iterable[Members]:
    for line in lines:
        parent: Members = line.get("parent") or {}
        details: Members = parent.get("subscription_item_details") or {}
        if details.get("proration") or line.get("proration"):
            yield line


def _bounds(record: Mapping[str, Any]) -> tuple[int, int]:
    item: Mapping[str, Any] = record["items"]["data"][0]
    holder = item if "current_period_start" in item else record
    return int(holder["current_period_start"]), int(holder["current_period_end"])


def _day(at_s: int) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()


def _within(name: str) -> str:
    outer, bracket, rest = name.partition("[")
    return f"subscription_details[{outer}]{bracket}{rest}"
