"""An invoice of Stripe in canonical words; amounts in the currency's own smallest unit.

Source: https://docs.stripe.com/api/invoices/object, /api/invoice-line-item/object, and
https://docs.stripe.com/changelog/basil for what versions before 2025-03-31 call `parent`, `pricing` and `taxes`; API
version 2026-10-28.endive.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NoReturn

import msgspec

from accordant.canonical.invoice import BilledInvoice, BilledLine
from accordant.kernel.dates import require_likely_ms
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.kernel.pointers import pointer_in, without_place
from accordant.systems.stripe.mapping.envelope import Event, Members
from accordant.systems.stripe.mapping.money import from_stripe

_AT = "/data/object"
_AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""


class _Taken(msgspec.Struct, frozen=True):
    """A discount, or a tax: `tax_behavior` says since 2025-03-31 what `inclusive` said before."""

    amount: int
    tax_behavior: str | None = None
    inclusive: bool = False

    @property
    def is_within(self) -> bool:
        return self.inclusive or self.tax_behavior == "inclusive"


class _Product(msgspec.Struct, frozen=True):
    product: str | None = None


class _Pricing(msgspec.Struct, frozen=True):
    price_details: _Product | None = None


class _Period(msgspec.Struct, frozen=True):
    start: int
    end: int


class Line(msgspec.Struct, frozen=True):
    """One line of an invoice as Stripe shows it."""

    id: str
    amount: int
    currency: str
    description: str | None = None
    quantity: int | None = None
    period: _Period | None = None
    discount_amounts: list[_Taken] | None = None
    taxes: list[_Taken] | None = None
    tax_amounts: list[_Taken] | None = None
    pricing: _Pricing | None = None
    price: _Product | None = None


class _Lines(msgspec.Struct, frozen=True):
    data: list[Line]
    has_more: bool = False


class _Subscribed(msgspec.Struct, frozen=True):
    subscription: str | None = None


class _Parent(msgspec.Struct, frozen=True):
    subscription_details: _Subscribed | None = None


class _Passed(msgspec.Struct, frozen=True):
    finalized_at: int | None = None
    paid_at: int | None = None
    voided_at: int | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The members of an invoice that say something to us."""

    id: str
    customer: str
    currency: str
    lines: _Lines
    total: int
    amount_due: int
    amount_paid: int
    amount_remaining: int
    created: int
    number: str | None = None
    status: str | None = None
    starting_balance: int = 0
    ending_balance: int | None = None
    due_date: int | None = None
    effective_at: int | None = None
    parent: _Parent | None = None
    subscription: str | None = None
    total_taxes: list[_Taken] | None = None
    total_tax_amounts: list[_Taken] | None = None
    status_transitions: _Passed = _Passed()


def billed(event: Event, members: Members) -> tuple[BilledInvoice, Record]:
    """The invoice of an event in canonical words, and as Stripe shows it.

    Raises:
        Malformed: `invoice.format`, `invoice.sum`, `currency.*`, `money.too_many_decimals`, `time.*`, at their place.
    """
    try:
        record = msgspec.convert(members, type=Record)
    except msgspec.ValidationError as error:
        why, at = without_place(str(error)), _AT + pointer_in(str(error))
        refuse("invoice.format", str(members.get("id"))[:40], at=at, expected=f"an invoice of Stripe: {why[:200]}")
    if not record.number:
        refuse("invoice.format", record.id, at=f"{_AT}/number", expected="the number that finalizing gives")
    money = _money_of(record.currency)
    issued_s = record.effective_at or record.status_transitions.finalized_at or record.created
    subscribed = record.parent.subscription_details if record.parent else None
    invoice = BilledInvoice(
        number=record.number,
        source_id=record.id,
        customer_source_id=record.customer,
        subscription_source_id=(subscribed.subscription if subscribed else record.subscription) or "",
        lines=billed_lines(record.lines.data, record.currency, of=record.id),
        lines_left=record.lines.has_more,
        tax=money(sum(tax.amount for tax in record.total_taxes or record.total_tax_amounts or ())),
        total=money(record.total),
        covered=money(_covered(record)),
        remaining=money(record.amount_remaining),
        status=record.status or "",
        issued_on=day_of(event, issued_s, of=record.id, at="effective_at"),
        due_on=None
        if record.due_date is None
        else day_of(event, record.due_date, of=record.id, at="due_date", ahead=True),
    )
    if not invoice.lines_left:
        require_sum(invoice)
    return invoice, record


def billed_lines(lines: Sequence[Line], currency: str, /, of: str) -> tuple[BilledLine, ...]:
    """Lines in canonical words: after discounts, without tax. Raises Malformed `currency.mismatch`."""
    money = _money_of(currency)
    for place, line in enumerate(lines):
        if line.currency != currency:
            at = f"{_AT}/lines/data/{place}/currency"
            refuse("currency.mismatch", of, at=at, expected=f"{currency.upper()}, the invoice's currency")
    return tuple(_line(line, money) for line in lines)


def require_sum(invoice: BilledInvoice) -> None:
    """Raises Malformed `invoice.sum` where lines and tax do not make the total: something else is in it."""
    lines = sum((line.total for line in invoice.lines), Money(0, invoice.total.currency))
    if lines + invoice.tax != invoice.total:
        told = f"{lines} of lines and {invoice.tax} of tax"
        expected = f"{told} to make the total, which is {invoice.total}; shipping is not posted from here"
        refuse("invoice.sum", invoice.source_id, at=f"{_AT}/total", expected=expected)


def refuse(code: str, record: str, *, at: str, expected: str) -> NoReturn:
    """Raise Malformed in one voice."""
    raise Malformed(
        f"invoice {record}: {at} says something else; expected {expected}",
        code=code,
        hint="look the event up in Stripe's event log; once it can be read, replay the message",
        detail={"record": record, "pointer": at, "field": at, "expected": expected},
    )


def _line(line: Line, money: Callable[[int], Money]) -> BilledLine:
    within = sum(tax.amount for tax in line.taxes or line.tax_amounts or () if tax.is_within)
    given = sum(one.amount for one in line.discount_amounts or ())
    details = line.pricing.price_details if line.pricing else line.price
    period = line.period if line.period and line.period.end > line.period.start else None
    return BilledLine(
        line_id=line.id,
        product_word=(details.product if details else None) or "",
        description=line.description or "",
        quantity=1 if line.quantity is None else line.quantity,
        total=money(line.amount - given - within),
        serves_from=_utc_day(period.start) if period else None,
        serves_until=_utc_day(period.end - 1) if period else None,
    )


def _covered(record: Record) -> int:
    """What finalizing took from the customer's balance."""
    if record.ending_balance is None:
        return record.total - record.amount_due
    return record.ending_balance - record.starting_balance


def _money_of(currency: str) -> Callable[[int], Money]:
    return lambda amount: from_stripe(amount, currency)


def created_s(event: Event) -> int:
    created = event.members.get("created")
    if isinstance(created, int) and not isinstance(created, bool):
        return created
    refuse("invoice.format", "", at="/created", expected="when the event was made, in seconds")


def day_of(event: Event, at_s: int, *, of: str, at: str, ahead: bool = False) -> date:
    """The UTC day of an instant; only a due date may lie ahead."""
    place, expected = f"{_AT}/{at}", "seconds since 1970 of an instant that is not in the future"
    try:
        at_ms = require_likely_ms(at_s * 1000)
    except Malformed as wrong:
        refuse(wrong.code, of, at=place, expected=expected)
    if not ahead and at_ms > event.message.received_at_ms + _AHEAD_MS_MAX:
        refuse("time.future", of, at=place, expected=expected)
    return _utc_day(at_s)


def _utc_day(at_s: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)).date()
