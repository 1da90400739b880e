"""One-off invoices: made empty, filled line by line or many lines at once, finalized by `invoices`.

Source: https://docs.stripe.com/api/invoices/create, https://docs.stripe.com/api/invoices/add_lines (API version
2026-10-28.endive).
"""

from typing import Any

from accordant.connector.sandbox import Call, Record, Refused, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, invoice_change
from accordant.systems.stripe.sandbox.catalog import currency_of, price_amounts
from accordant.systems.stripe.sandbox.invoices import blank_invoice
from accordant.systems.stripe.sandbox.shapes import price_shape
from accordant.systems.stripe.sandbox.subscriptions import NO_EMAIL
from accordant.systems.stripe.sandbox.wire import (
    Params,
    error_reply,
    invalid,
    mapping,
    metadata_after,
    one_of,
    only,
    required,
    rows,
    text,
    whole,
)

_CREATE = frozenset(
    {"auto_advance", "collection_method", "currency", "customer", "days_until_due", "description", "due_date"}
    | {"effective_at", "expand", "metadata", "number", "pending_invoice_items_behavior"}
)
_LINE = frozenset({"amount", "description", "metadata", "period", "price_data", "quantity"})
_METHODS = ("charge_automatically", "send_invoice")
ACCOUNT_CURRENCY = "usd"
LINES_MAX = 250
NUMBER_MAX = 26


class Drafts:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, call: Call, params: Params) -> Write:
        """Without lines; what is pending from before is not taken in, because nothing here makes pending items."""
        only(params, _CREATE)
        books = self._books
        customer = books.customers.need(required(params, "customer"), param="customer")
        blank = blank_invoice(books.new_id("in_1"), customer=customer, created=books.now_s(), total=0)
        own = customer["currency"] or books.first_currency(customer["id"])
        record = {
            **blank,
            **self._collected(params, customer),
            "currency": currency_of(params, within="") if "currency" in params else own or ACCOUNT_CURRENCY,
            "description": params.get("description") or None,
            "effective_at": _instant(params, "effective_at"),
            "metadata": metadata_after({}, params.get("metadata", "")),
            "number": self._number(params),
            "status": "draft",
        }
        return self._write(call, record, told=Told(type="invoice.created", record=record))

    def add_lines(self, call: Call, params: Params) -> Write:
        """Up to 250 lines at once, all of them or none."""
        only(params, frozenset({"expand", "invoice_metadata", "lines"}))
        before = self._books.invoices.need(call.params["id"])
        if before["status"] != "draft":
            raise Refused(error_reply("You can only add lines to draft invoices.", code="invoice_not_editable"))
        given = rows(params.get("lines"), param="lines")
        if len(given) > LINES_MAX:
            raise invalid(f"Invalid array: at most {LINES_MAX} lines can be added at once", param="lines")
        added = [self._line(before, mapping(one, param="lines")) for one in given]
        lines = [*before["lines"]["data"], *added]
        total = sum(int(line["amount"]) for line in lines)
        record = {
            **before,
            **dict.fromkeys(("amount_due", "amount_remaining", "subtotal", "total"), total),
            "lines": {**before["lines"], "data": lines},
            "metadata": metadata_after(before["metadata"], params.get("invoice_metadata", {})),
        }
        previous = {name: before[name] for name in ("lines", "total") if before[name] != record[name]}
        return self._write(call, record, told=Told(type="invoice.updated", record=record, previous=previous))

    def lines(self, call: Call, params: Params) -> Reply:
        """Every line, a page at a time, in their order."""
        only(params, frozenset({"limit", "starting_after", "expand"}))
        record = self._books.invoices.need(call.params["id"])
        data: list[Record] = record["lines"]["data"]
        limit = whole(params.get("limit", "10"), param="limit")
        after = params.get("starting_after")
        place = next((n for n, line in enumerate(data, start=1) if line["id"] == after), 0) if after else 0
        page = data[place : place + limit]
        return Reply(200, {**record["lines"], "data": page, "has_more": place + limit < len(data)})

    def _collected(self, params: Params, customer: Record) -> Record:
        method = one_of(params.get("collection_method", _METHODS[0]), _METHODS, param="collection_method")
        if method != "send_invoice":
            return {"collection_method": method, "due_date": None}
        if not customer["email"]:
            raise Refused(error_reply(NO_EMAIL))
        due_s = _instant(params, "due_date")
        if due_s is None:
            if "days_until_due" not in params:
                message = "If invoicing by `send_invoice`, you must specify a `days_until_due` or `due_date`."
                raise invalid(message, param="days_until_due")
            due_s = self._books.now_s() + 86_400 * whole(params["days_until_due"], param="days_until_due")
        return {"collection_method": method, "due_date": due_s}

    def _number(self, params: Params) -> str | None:
        number = params.get("number")
        if number is None:
            return None
        if len(text(number, param="number")) > NUMBER_MAX:
            raise invalid(f"Invalid string: must be at most {NUMBER_MAX} characters", param="number")
        if number in self._books.numbers:
            raise invalid(f"The invoice number {number} has been used before.", param="number")
        return str(number)

    def _line(self, invoice: Record, given: Params) -> Record:
        only(given, _LINE, within="lines")
        quantity = whole(given.get("quantity", "1"), param="lines[quantity]")
        if quantity < 0:
            raise invalid("Invalid non-negative integer", param="lines[quantity]", code="parameter_invalid_integer")
        pricing: Record | None = None
        if "price_data" in given:
            amounts = price_amounts(mapping(given["price_data"], param="lines[price_data]"), within="lines[price_data]")
            self._books.products.need(amounts["product"], param="lines[price_data][product]")
            price = price_shape(self._books.new_id("price_1"), created=self._books.now_s(), amounts=amounts)
            currency, amount = amounts["currency"], int(amounts["unit_amount"]) * quantity
            details = {"price": price["id"], "product": amounts["product"]}
            pricing = {
                "type": "price_details",
                "price_details": details,
                "unit_amount_decimal": str(price["unit_amount"]),
            }
        else:
            amount = whole(required(given, "amount", within="lines"), param="lines[amount]")
            currency = invoice["currency"]
        if currency != invoice["currency"]:
            message = f"The line is in {currency}, the invoice in {invoice['currency']}."
            raise invalid(message, param="lines[price_data][currency]")
        return line_shape(
            self._books.new_id("il_1"),
            invoice=invoice,
            amounts={"amount": amount, "quantity": quantity, "pricing": pricing},
            said={
                "description": given.get("description") or None,
                "metadata": metadata_after({}, given.get("metadata", "")),
            },
        )

    def _write(self, call: Call, record: Record, *, told: Told) -> Write:
        def apply() -> None:
            self._books.invoices.put(record)
            self._books.numbers.add(record["number"])
            self._books.tell(call, (told,))

        kind = "create" if told.previous is None else "update"
        return Write(Reply(200, record), (invoice_change(kind, record),), apply)


def line_shape(record_id: str, *, invoice: Record, amounts: Record, said: Record) -> Record:
    """A line of a one-off invoice."""
    created = invoice["created"]
    return {
        "id": record_id,
        "object": "line_item",
        "currency": invoice["currency"],
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "parent": {"type": "invoice_item_details", "invoice_item_details": None, "subscription_item_details": None},
        "period": {"start": created, "end": created},
        "subtotal": amounts["amount"],
        "taxes": [],
        **amounts,
        **said,
    }


def _instant(params: Params, name: str) -> Any:
    return whole(params[name], param=name) if name in params else None
