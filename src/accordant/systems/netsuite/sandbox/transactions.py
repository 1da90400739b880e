"""What NetSuite checks and computes when a transaction is saved: what all have in common, and each type's own rules.

A credit memo takes the same customer, subsidiary, currency, item lines and period; its amounts are positive over REST.
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_0404042133.html (credit memo, 2026.1)
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox.answers import invalid_value, missing_value, user_error
from accordant.systems.netsuite.sandbox.records import APPLY, TYPES, Books, resolve
from accordant.systems.netsuite.sandbox.refunds import DEPOSITED, completed_refund, refund_told

PENDING_FULFILLMENT = "B"
CLOSED = "H"
LARGEST = Decimal(10) ** 15
UNAPPLIED = OPEN = "A"
FULLY_APPLIED = PAID_IN_FULL = "B"
NOT_DEPOSITED = "B"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one type of transaction has of its own."""

    completed: Callable[[Books, Record], Record]
    """Its own parts with defaults, its status and its `total`; raises Refused."""
    status_in: str
    """The property that keeps its status, a letter."""
    statuses: Mapping[str, str]
    """Letter → name."""
    told: Callable[[Record], Record]
    """Its own parts in canonical words, beside customer, subsidiary, currency, amount, lines and date."""


def checked_transaction(books: Books, record: Record) -> Record:
    """The transaction complete with defaults, rates and status.

    Raises:
        Refused: an inactive customer, item or subsidiary, a subsidiary or currency that is not the customer's, or a
            closed period.
    """
    named = TYPES[record["recordType"]].customer
    customer_id = resolve(books, "customer", reference=record[named], field=named, path=named)
    customer = books.get("customer", customer_id) or {}
    subsidiary = record.get("subsidiary") or customer["subsidiary"]
    resolve(books, "subsidiary", reference=subsidiary, field="subsidiary", path="subsidiary")
    if subsidiary != customer["subsidiary"]:
        raise invalid_value(subsidiary, "subsidiary", path="subsidiary")
    own_currency = customer.get("currency") or "1"
    currency = record.get("currency") or own_currency
    if currency != own_currency:
        raise invalid_value(currency, "currency", path="currency")
    dated = str(record.get("tranDate") or books.now_text()[:10])
    if books.is_closed(dated):
        raise user_error(
            "The transaction date you specified is not within the date range of your accounting period.", "tranDate"
        )
    own = RULES[record["recordType"]].completed(books, record)
    return {**record, "subsidiary": subsidiary, "currency": currency, "tranDate": dated, **own}


def _order(books: Books, record: Record) -> Record:
    """Lines that can be closed, and the status that follows from them."""
    sold = _item_lines(books, record)
    lines = [{**line, "isClosed": bool(line.get("isClosed", False))} for line in sold]
    status = CLOSED if all(line["isClosed"] for line in lines) else PENDING_FULFILLMENT
    return {"item": lines, "orderStatus": status, "total": _total(lines)}


def _order_told(record: Record) -> Record:
    return {
        "opportunity": record.get("otherRefNum"),
        "subscription": record.get("memo"),
        "status": "closed" if record["orderStatus"] == CLOSED else "open",
    }


def _invoice(books: Books, record: Record) -> Record:
    """Open until payments and credit memos that are set against it make its total."""
    lines = _item_lines(books, record)
    total = _total(lines)
    return {"item": lines, "total": total, **books.left(record.get("id", ""), total)}


def _invoice_told(record: Record) -> Record:
    return {
        "number": record.get("otherRefNum"),
        "due": record.get("dueDate"),
        "remaining": format(record["amountRemaining"].normalize(), "f"),
        "status": "open" if record["status"] == OPEN else "paid",
    }


def _memo(books: Books, record: Record) -> Record:
    lines = _item_lines(books, record)
    total = _total(lines)
    return {"item": lines, "total": total, **_set_against(books, record, total=total)}


def _memo_told(record: Record) -> Record:
    return {"memo": record.get("memo"), "unapplied": format(record["unapplied"].normalize(), "f")}


def _payment(books: Books, record: Record) -> Record:
    paid = _number(record["payment"], "payment", field="payment")
    if paid < 0:
        raise invalid_value(paid, "payment", path="payment")
    settled = _set_against(books, record, total=paid)
    return {"payment": paid, "total": paid, **settled, "status": NOT_DEPOSITED}


def _payment_told(record: Record) -> Record:
    return {"memo": record.get("memo"), "unapplied": format(record["unapplied"].normalize(), "f")}


def _set_against(books: Books, record: Record, *, total: Decimal) -> Record:
    """The invoices that it settles: each the customer's own, in its currency, and for no more than is left of it."""
    rows: dict[str, Record] = {}
    for place, row in enumerate(record.get(APPLY) or ()):
        path = f"{APPLY}.items[{place}]"
        invoice = books.refers("transaction", row.get("doc"))
        if not row.get("apply", True):
            continue
        if invoice is None or invoice["recordType"] != "invoice" or invoice["entity"] != _customer(record):
            raise invalid_value(row.get("doc"), "doc", path=f"{path}.doc")
        if invoice["currency"] != (record.get("currency") or invoice["currency"]):
            raise invalid_value(row.get("doc"), "doc", path=f"{path}.doc")
        amount = _number(row.get("amount", 0), f"{path}.amount", field="amount")
        own = books.settled.get(invoice["id"], {}).get(str(record.get("id", "")), Decimal(0))
        if not 0 < amount <= invoice["amountRemaining"] + own:
            raise user_error("The amount to apply cannot exceed the amount that is due.", f"{path}.amount")
        rows[invoice["id"]] = {"line": place + 1, "doc": invoice["id"], "apply": True, "amount": amount}
    applied = sum((row["amount"] for row in rows.values()), Decimal(0))
    if applied > total:
        raise user_error("The applied amounts cannot exceed the amount of the transaction.", APPLY)
    status = UNAPPLIED if applied < total else FULLY_APPLIED
    return {APPLY: list(rows.values()), "applied": applied, "unapplied": total - applied, "status": status}


def _customer(record: Record) -> object:
    return record[TYPES[record["recordType"]].customer]


RULES: Mapping[str, Rules] = {
    "salesOrder": Rules(
        completed=_order,
        status_in="orderStatus",
        statuses={PENDING_FULFILLMENT: "Pending Fulfillment", CLOSED: "Closed"},
        told=_order_told,
    ),
    "creditMemo": Rules(
        completed=_memo,
        status_in="status",
        statuses={UNAPPLIED: "Open", FULLY_APPLIED: "Fully Applied"},
        told=_memo_told,
    ),
    "invoice": Rules(
        completed=_invoice,
        status_in="status",
        statuses={OPEN: "Open", PAID_IN_FULL: "Paid In Full"},
        told=_invoice_told,
    ),
    "customerPayment": Rules(
        completed=_payment,
        status_in="status",
        statuses={NOT_DEPOSITED: "Not Deposited"},
        told=_payment_told,
    ),
    "customerRefund": Rules(
        completed=completed_refund, status_in="status", statuses={DEPOSITED: "Deposited"}, told=refund_told
    ),
}
"""By record type, for every type that `records.TYPES` keeps in the table `transaction`."""


def _item_lines(books: Books, record: Record) -> list[Record]:
    return [_checked_line(books, line, path=f"item.items[{place}]") for place, line in enumerate(record["item"])]


def _total(lines: list[Record]) -> Decimal:
    return sum((line["amount"] for line in lines), Decimal(0))


def _checked_line(books: Books, line: Record, *, path: str) -> Record:
    if line.get("item") is None:
        raise missing_value("Item", path)
    # A line that is kept as it was keeps its item, even one that has been inactivated since.
    kept = isinstance(line["item"], str)
    item_id = (
        line["item"] if kept else resolve(books, "item", reference=line["item"], field="item", path=f"{path}.item")
    )
    quantity = _number(line.get("quantity", 1), f"{path}.quantity", field="quantity")
    if line.get("amount") is not None:
        amount = _number(line["amount"], f"{path}.amount", field="amount")
    else:
        amount = quantity * _number(line.get("rate", 0), f"{path}.rate", field="rate")
    rate = round(amount / quantity, 8) if quantity else Decimal(0)
    return {**line, "item": item_id, "quantity": quantity, "amount": amount, "rate": rate}


def _number(value: Any, path: str, *, field: str) -> Decimal:
    number = Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(number, Decimal) and abs(number) < LARGEST:
        return number
    raise invalid_value(value, field, path=path)
