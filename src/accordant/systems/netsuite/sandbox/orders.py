"""What NetSuite checks and computes when a sales order is saved."""

from decimal import Decimal
from typing import Any

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox.answers import invalid_value, missing_value, user_error
from accordant.systems.netsuite.sandbox.records import Books, resolve

PENDING_FULFILLMENT = "B"
CLOSED = "H"
LARGEST = Decimal(10) ** 15
STATUS_NAMES = {PENDING_FULFILLMENT: "Pending Fulfillment", CLOSED: "Closed"}


def checked_order(books: Books, record: Record) -> Record:
    """The order complete with defaults, rates and status.

    Raises:
        Refused: an inactive customer, item or subsidiary, a subsidiary that is not the customer's, or a closed period.
    """
    customer_id = resolve(books, "customer", reference=record["entity"], field="entity", path="entity")
    customer = books.get("customer", customer_id) or {}
    subsidiary = record.get("subsidiary") or customer["subsidiary"]
    resolve(books, "subsidiary", reference=subsidiary, field="subsidiary", path="subsidiary")
    if subsidiary != customer["subsidiary"]:
        raise invalid_value(subsidiary, "subsidiary", path="subsidiary")
    ordered_on = str(record.get("tranDate") or books.now_text()[:10])
    if any(first <= ordered_on <= last for first, last in books.closed_periods):
        raise user_error(
            "The transaction date you specified is not within the date range of your accounting period.", "tranDate"
        )
    lines = [_checked_line(books, line, path=f"item.items[{place}]") for place, line in enumerate(record["item"])]
    status = CLOSED if all(line["isClosed"] for line in lines) else PENDING_FULFILLMENT
    return {
        **record,
        "subsidiary": subsidiary,
        "currency": record.get("currency") or customer.get("currency") or "1",
        "tranDate": ordered_on,
        "item": lines,
        "orderStatus": status,
        "total": sum((line["amount"] for line in lines), Decimal(0)),
    }


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
    closed = bool(line.get("isClosed", False))
    return {**line, "item": item_id, "quantity": quantity, "amount": amount, "rate": rate, "isClosed": closed}


def _number(value: Any, path: str, *, field: str) -> Decimal:
    number = Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(number, Decimal) and abs(number) < LARGEST:
        return number
    raise invalid_value(value, field, path=path)
