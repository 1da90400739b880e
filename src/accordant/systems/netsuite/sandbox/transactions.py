"""What NetSuite checks and computes when a sales order or a credit memo is saved.

A credit memo takes the same customer, subsidiary, currency, item lines and period; its amounts are positive over REST.
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_0404042133.html (credit memo, 2026.1)
"""

from decimal import Decimal
from typing import Any

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox.answers import invalid_value, missing_value, user_error
from accordant.systems.netsuite.sandbox.records import Books, resolve

PENDING_FULFILLMENT = "B"
CLOSED = "H"
LARGEST = Decimal(10) ** 15
STATUS_NAMES = {PENDING_FULFILLMENT: "Pending Fulfillment", CLOSED: "Closed"}
UNAPPLIED = "A"
MEMO_STATUS_NAMES = {UNAPPLIED: "Open"}


def checked_transaction(books: Books, record: Record) -> Record:
    """The transaction complete with defaults, rates and status.

    Raises:
        Refused: an inactive customer, item or subsidiary, a subsidiary or currency that is not the customer's, or a
            closed period.
    """
    customer_id = resolve(books, "customer", reference=record["entity"], field="entity", path="entity")
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
    lines = [_checked_line(books, line, path=f"item.items[{place}]") for place, line in enumerate(record["item"])]
    return {
        **record,
        "subsidiary": subsidiary,
        "currency": currency,
        "tranDate": dated,
        **(_open_memo(lines) if record["recordType"] == "creditMemo" else _order(lines)),
        "total": sum((line["amount"] for line in lines), Decimal(0)),
    }


def _order(lines: list[Record]) -> Record:
    """An order's own parts: lines that can be closed, and the status that follows from them."""
    lines = [{**line, "isClosed": bool(line.get("isClosed", False))} for line in lines]
    return {"item": lines, "orderStatus": CLOSED if all(line["isClosed"] for line in lines) else PENDING_FULFILLMENT}


def _open_memo(lines: list[Record]) -> Record:
    """A credit memo's own parts; nothing applies it to an invoice here."""
    return {"item": lines, "status": UNAPPLIED}


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
