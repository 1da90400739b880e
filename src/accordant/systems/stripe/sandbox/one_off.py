"""One-off invoices that are loaded: with lines and tax, left as drafts, finalized at once, or long finalized.

Source: https://docs.stripe.com/api/invoices/object, /api/invoice-line-item/object, /api/invoices/invoice_lines, and
https://docs.stripe.com/changelog/basil for `pricing` and `taxes` (API version 2026-10-28.endive).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from accordant.connector.sandbox import Record
from accordant.systems.stripe.sandbox.books import Books
from accordant.systems.stripe.sandbox.invoices import blank_invoice, finalized, paid
from accordant.systems.stripe.sandbox.payments import collected


def load_invoice(books: Books, given: Mapping[str, Any]) -> None:
    """An invoice of the customer with our id `customer_id`, or with Stripe's id `customer`, in Stripe's units.

    `lines`: `{"product"?, "description"?, "quantity"?, "amount"}` each, with `tax` beside them; or only a `total`.
    It is open unless `status` says otherwise; with `auto_advance` it is finalized at once, and that is told. Without
    `due_on` it is charged automatically and never due. `issued_on` is the day that it bears; `id` and `number` may be
    given. A paid one was paid by card where `paid_on` says on which day, else outside of Stripe.
    """
    owner = _owner(books, given)
    lines = [_line(books, one, currency=str(given["currency"])) for one in given.get("lines", ())]
    tax = int(given.get("tax", 0))
    total = sum(int(one["amount"]) for one in lines) + tax if lines else int(given["total"])
    record_id = str(given.get("id") or books.new_id("in_1"))
    blank = blank_invoice(record_id, customer=owner, created=books.now_s(), total=total)
    due_on, advances = given.get("due_on"), bool(given.get("auto_advance"))
    record: Record = {
        **blank,
        "collection_method": "send_invoice" if due_on else "charge_automatically",
        "currency": str(given["currency"]),
        "due_date": _midnight_s(due_on) if due_on else None,
        "effective_at": _midnight_s(given["issued_on"]) if given.get("issued_on") else None,
        "number": given.get("number"),
        "status": "draft" if advances else str(given.get("status", "open")),
        "subtotal": total - tax,
        "total_taxes": [{"amount": tax, "tax_behavior": "exclusive", "taxable_amount": total - tax}] if tax else [],
        "lines": {**blank["lines"], "data": [{**one, "invoice": record_id} for one in lines]},
    }
    books.numbers.add(record["number"])
    books.invoices.put(_settled(books, record, paid_on=given.get("paid_on")) if record["status"] == "paid" else record)
    if advances:
        advance(books, [record_id])


def _settled(books: Books, record: Record, *, paid_on: object) -> Record:
    if paid_on is None:
        return paid(record, books.now_s())
    at_s = _midnight_s(paid_on)
    collected(books, record, amount=int(record["amount_remaining"]), at_s=at_s).put(books)
    return paid(record, at_s)


def advance(books: Books, ids: Iterable[str]) -> None:
    """Finalize drafts as Stripe does by itself an hour after they were made; nobody's request tells of it."""
    for invoice_id in ids:
        done = finalized(books, books.invoices.need(invoice_id))
        done.put(books)
        books.tell(None, done.told if done.posted is None else [*done.told, *done.posted.told])


def _owner(books: Books, given: Mapping[str, Any]) -> Record:
    if "customer" in given:
        return books.customers.need(str(given["customer"]))
    owners = [one for one in books.customers.values() if one["metadata"].get("customer_id") == given["customer_id"]]
    if not owners:
        raise ValueError(f"no customer carries the customer_id {given['customer_id']!r}")
    return owners[0]


def _line(books: Books, given: Mapping[str, Any], *, currency: str) -> Record:
    now_s, amount = books.now_s(), int(given["amount"])
    product = given.get("product")
    details = {"price": books.new_id("price_1"), "product": product}
    return {
        "id": books.new_id("il_1"),
        "object": "line_item",
        "amount": amount,
        "subtotal": amount,
        "currency": currency,
        "description": given.get("description"),
        "discountable": True,
        "discounts": [],
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": False, "subscription": None}},
        "period": {"start": now_s, "end": now_s},
        "pretax_credit_amounts": [],
        "pricing": {"type": "price_details", "price_details": details} if product else None,
        "quantity": int(given.get("quantity", 1)),
        "quantity_decimal": str(given.get("quantity", 1)),
        "subscription": None,
        "taxes": [],
    }


def _midnight_s(day: Any) -> int:
    return int(datetime.fromisoformat(str(day)).replace(tzinfo=UTC).timestamp())
