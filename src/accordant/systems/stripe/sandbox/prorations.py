"""What a change within a period costs: a line that gives back, a line that charges, previewed or invoiced at once.

Source: https://docs.stripe.com/billing/subscriptions/prorations, https://docs.stripe.com/api/invoices/create_preview
(API version 2026-10-28.endive). Each line is rounded by itself, half a unit away from zero: assumed.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

from accordant.connector.sandbox import Call, Record, Refused, Reply
from accordant.kernel.money import exponent
from accordant.systems.stripe.sandbox.books import Books
from accordant.systems.stripe.sandbox.invoices import invoice_shape
from accordant.systems.stripe.sandbox.wire import Params, error_reply, invalid, mapping, one_of, only, required, whole

BEHAVIOURS = ("always_invoice", "create_prorations", "none")
_PREVIEW = frozenset({"customer", "currency", "expand", "subscription", "subscription_details"})
_DETAILS = frozenset({"items", "proration_behavior", "proration_date"})


def proration_lines(books: Books, before: Record, after: Record, /, params: Params) -> list[Record]:
    """Lines of every item whose price or quantity changes; `proration_date` is now unless the caller names it.

    Raises:
        Refused: the date is outside the running period.
    """
    behaviour = one_of(params.get("proration_behavior", "create_prorations"), BEHAVIOURS, param="proration_behavior")
    if behaviour == "none":
        return []
    old = {item["id"]: item for item in before["items"]["data"]}
    new = {item["id"]: item for item in after["items"]["data"]}
    lines: list[Record] = []
    for item_id in {**old, **new}:
        was, shall = old.get(item_id), new.get(item_id)
        if was is not None and shall is not None and _costs(was) == _costs(shall):
            continue
        at_s = _at(books, params, item=was or shall or {})
        lines += [_line(books, before, was, at_s=at_s, sign=-1)] if was is not None else []
        lines += [_line(books, before, shall, at_s=at_s, sign=1)] if shall is not None else []
    return lines


def period_line(books: Books, invoice_id: str, subscription: Record, /, item: Record) -> Record:
    """What an item costs for its whole period."""
    details = {"subscription": subscription["id"], "subscription_item": item["id"], "proration": False}
    amount = int(item["price"]["unit_amount"]) * int(item["quantity"])
    return {**_blank(books, item, amount=amount, details=details), "invoice": invoice_id}


def update_invoice(books: Books, subscription: Record, *, lines: list[Record]) -> Record:
    """The invoice of a change, a draft for an hour as every invoice that is sent."""
    now_s, customer = books.now_s(), books.customers.need(subscription["customer"])
    shape = invoice_shape(books.new_id("in_1"), subscription=subscription, customer=customer, lines=lines)
    return {
        **shape,
        "automatically_finalizes_at": now_s + 3600,
        "billing_reason": "subscription_update",
        **dict.fromkeys(("created", "period_start", "period_end"), now_s),
        "due_date": now_s + 86_400 * int(subscription["days_until_due"] or 0),
        "lines": {**shape["lines"], "data": [{**line, "invoice": shape["id"]} for line in lines]},
    }


class Previews:
    """`POST /v1/invoices/create_preview` of a changed subscription; `changed` says what it would be."""

    def __init__(self, books: Books, changed: Callable[[Params, Record], Record]) -> None:
        self._books = books
        self._changed = changed

    def create(self, call: Call, params: Params) -> Reply:
        """Invoiced at once, it holds the change alone; what comes with the next period is not previewed here."""
        only(params, _PREVIEW)
        books = self._books
        before = books.subscriptions.need(required(params, "subscription"), param="subscription")
        if before["status"] == "canceled":
            raise Refused(error_reply("You cannot preview a canceled subscription."))
        details = mapping(params.get("subscription_details", {}), param="subscription_details")
        only(details, _DETAILS, within="subscription_details")
        if details.get("proration_behavior") != "always_invoice":
            raise invalid("This sandbox previews `always_invoice` only.", param="subscription_details")
        after = self._changed({"items": details["items"]}, before) if "items" in details else before
        invoice = update_invoice(books, before, lines=proration_lines(books, before, after, details))
        return Reply(200, {**invoice, "id": invoice["id"].replace("in_1", "upcoming_in_1", 1), "status": "draft"})


def _costs(item: Record) -> tuple[str, int]:
    return item["price"]["id"], int(item["quantity"])


def _at(books: Books, params: Params, *, item: Record) -> int:
    start, end = int(item["current_period_start"]), int(item["current_period_end"])
    if "proration_date" not in params:
        return min(max(books.now_s(), start), end)
    at_s = whole(params["proration_date"], param="proration_date")
    if not start <= at_s <= end:
        message = f"`proration_date` must be within the current period, from {start} to {end}."
        raise Refused(error_reply(message, param="proration_date"))
    return at_s


def _line(books: Books, subscription: Record, item: Record, /, at_s: int, sign: int) -> Record:
    price, start, end = item["price"], int(item["current_period_start"]), int(item["current_period_end"])
    whole_period = int(price["unit_amount"]) * int(item["quantity"])
    amount = sign * _rounded(Fraction(whole_period * (end - at_s), end - start), price["currency"])
    what = "Unused time on" if sign < 0 else "Remaining time on"
    day = datetime.fromtimestamp(at_s, UTC).strftime("%d %b %Y")
    details = {
        "invoice_item": books.new_id("ii_1"),
        "proration": True,
        "proration_details": {"credited_items": None},
        "subscription": subscription["id"],
        "subscription_item": item["id"],
    }
    said = {"description": f"{what} {item['quantity']} × {price['product']} after {day}", "discountable": False}
    return {**_blank(books, item, amount=amount, details=details), **said, "period": {"start": at_s, "end": end}}


def _blank(books: Books, item: Record, /, amount: int, details: Record) -> Record:
    """A line for an item's whole period."""
    price = item["price"]
    return {
        "id": books.new_id("il_1"),
        "object": "line_item",
        "amount": amount,
        "subtotal": amount,
        "currency": price["currency"],
        "description": None,
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "quantity": item["quantity"],
        "discount_amounts": [],
        "parent": {"type": "subscription_item_details", "subscription_item_details": details},
        "pricing": {"type": "price_details", "price_details": {"price": price["id"], "product": price["product"]}},
    }


def _rounded(amount: Fraction, currency: str) -> int:
    """Currencies with three decimals are charged in tens."""
    step = 10 if exponent(currency.upper()) == 3 else 1
    return step * int(amount / step + Fraction(1, 2))
