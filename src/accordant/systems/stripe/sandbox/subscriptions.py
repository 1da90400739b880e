"""Subscriptions: started, changed and cancelled, with the first invoice that starting one makes.

Source: https://docs.stripe.com/api/subscriptions (API version 2026-10-28.endive).
"""

from typing import Any

import msgspec

from accordant.connector.sandbox import Call, Change, Record, Refused, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, invoice_change, subscription_change
from accordant.systems.stripe.sandbox.catalog import price_amounts
from accordant.systems.stripe.sandbox.dunning import paused
from accordant.systems.stripe.sandbox.invoices import NO_PAYMENT, invoice_shape
from accordant.systems.stripe.sandbox.prorations import BEHAVIOURS, period_line, proration_lines, update_invoice
from accordant.systems.stripe.sandbox.shapes import (
    item_shape,
    items_list,
    period_end,
    price_shape,
    subscription_shape,
)
from accordant.systems.stripe.sandbox.wire import (
    Params,
    error_reply,
    invalid,
    mapping,
    metadata_after,
    no_such,
    one_of,
    only,
    required,
    rows,
    text,
    whole,
)

ITEMS_MAX = 20
_TERMS = frozenset(
    {"items", "collection_method", "days_until_due", "metadata", "proration_behavior", "cancel_at_period_end"}
    | {"description", "expand", "off_session", "payment_behavior", "billing_cycle_anchor", "proration_date"}
    | {"pause_collection"}
)
_CREATE = _TERMS | {"customer", "currency", "backdate_start_date", "billing_mode"}
_ITEM = frozenset({"id", "price", "price_data", "quantity", "metadata", "deleted", "clear_usage", "tax_rates"})
_PRICE_DATA = frozenset({"currency", "product", "unit_amount", "recurring", "tax_behavior"})
_CANCEL = frozenset({"invoice_now", "prorate", "cancellation_details", "expand"})
_COLLECTION = ("charge_automatically", "send_invoice")
NO_EMAIL = (
    "Missing email. In order to create invoices that are sent to the customer, the customer must have a valid email."
)


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """Items after a change, and the prices made on the way."""

    rows: list[Record]
    prices: list[Record]


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it shall stand, and what goes with it."""

    record: Record
    drafted: Drafted
    changes: tuple[Change, ...]
    told: list[Told]
    invoice: Record | None = None
    pending: list[Record] = []
    """Lines that wait for the next invoice."""


class Subscriptions:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._pending: dict[str, list[Record]] = {}
        """Lines that wait for a subscription's next invoice, by subscription."""

    def create(self, call: Call, params: Params) -> Write:
        only(params, _CREATE)
        customer_id = required(params, "customer")
        if "items" not in params:
            raise invalid("Missing required param: items.", param="items", code="parameter_missing")
        self._check_choices(params)
        customer = self._books.customers.need(customer_id, param="customer")
        now_s = self._books.now_s()
        record = subscription_shape(self._books.new_id("sub_1"), created=now_s, customer=customer_id, currency="")
        drafted = self._items(params, record)
        record = self._with_items({**record, **_terms(params, record)}, drafted)
        self._check_collection(record, customer)
        if "backdate_start_date" in params:
            record["start_date"] = whole(params["backdate_start_date"], param="backdate_start_date")
        invoice = self._first_invoice(record, customer)
        record["latest_invoice"] = invoice["id"]
        told = [Told(type="customer.subscription.created", record=record), Told(type="invoice.created", record=invoice)]
        changes = (subscription_change("create", record), invoice_change("create", invoice))
        return self._write(call, Done(record=record, drafted=drafted, changes=changes, told=told, invoice=invoice))

    def update(self, call: Call, params: Params) -> Write:
        only(params, _TERMS)
        before = self._books.subscriptions.need(call.params["id"])
        self._check_choices(params)
        if before["status"] == "canceled":
            message = "A canceled subscription can only update its cancellation_details and metadata."
            raise Refused(error_reply(message))
        return self._changed(call, params, before=before)

    def update_item(self, call: Call, params: Params) -> Write:
        """`POST /v1/subscription_items/{id}` is the same change, told about one item; the answer is the item."""
        item_id = call.params["id"]
        only(params, _ITEM | {"proration_behavior", "proration_date", "payment_behavior", "expand"})
        owner = self._books.item_owner.get(item_id)
        if owner is None:
            raise no_such("subscription_item", item_id)
        terms = {name: value for name, value in params.items() if name.startswith("proration_")}
        item = {name: value for name, value in params.items() if name in _ITEM}
        terms["items"] = {"0": {**item, "id": item_id}}
        write = self._changed(call, terms, before=self._books.subscriptions.need(owner))
        data: list[Record] = write.reply.body["items"]["data"]
        shown = next(one for one in data if one["id"] == item_id)
        return Write(Reply(200, shown), write.changes, write.apply)

    def item(self, call: Call, params: Params) -> Reply:
        owner = self._books.item_owner.get(call.params["id"])
        if owner is None:
            raise no_such("subscription_item", call.params["id"])
        data: list[Record] = self._books.subscriptions.need(owner)["items"]["data"]
        return Reply(200, next(one for one in data if one["id"] == call.params["id"]))

    def items(self, call: Call, params: Params) -> Reply:
        only(params, frozenset({"subscription", "limit", "starting_after", "ending_before", "expand"}))
        subscription = self._books.subscriptions.need(required(params, "subscription"), param="subscription")
        return Reply(200, {**subscription["items"], "url": "/v1/subscription_items"})

    def cancel(self, call: Call, params: Params) -> Write:
        """At once. A cancelled subscription counts as gone: cancelling again answers 404.

        Source: https://github.com/stripe/stripe-go/issues/1887
        """
        only(params, _CANCEL)
        before = self._books.subscriptions.need(call.params["id"])
        if before["status"] == "canceled":
            raise no_such("subscription", before["id"])
        now_s = self._books.now_s()
        details = {**before["cancellation_details"], "reason": "cancellation_requested"}
        ended = {"status": "canceled", "canceled_at": now_s, "ended_at": now_s, "cancellation_details": details}
        record: Record = {**before, **ended}
        told = [Told(type="customer.subscription.deleted", record=record)]
        drafted = Drafted(rows=record["items"]["data"], prices=[])
        changes = (subscription_change("update", record),)
        return self._write(call, Done(record=record, drafted=drafted, changes=changes, told=told))

    def changed(self, params: Params, before: Record) -> Record:
        """The subscription as the parameters would leave it."""
        return self._drafted(params, before)[0]

    def _drafted(self, params: Params, before: Record) -> tuple[Record, Drafted]:
        record = {**before, **_terms(params, before)}
        if "items" not in params:
            return record, Drafted(rows=before["items"]["data"], prices=[])
        drafted = self._items(params, before)
        return self._with_items(record, drafted), drafted

    def _changed(self, call: Call, params: Params, *, before: Record) -> Write:
        record, drafted = self._drafted(params, before)
        books, invoice = self._books, None
        lines = [*self._pending.get(before["id"], []), *proration_lines(books, before, record, params)]
        if lines and params.get("proration_behavior") == "always_invoice":
            invoice, lines = update_invoice(books, record, lines=lines), []
            record = {**record, "latest_invoice": invoice["id"]}
        previous = {name: value for name, value in before.items() if record[name] != value}
        told = [Told(type="customer.subscription.updated", record=record, previous=previous)]
        change = subscription_change("update", record)
        if "pause_collection" in params:
            change = msgspec.structs.replace(change, kind="collection")
        changes: tuple[Change, ...] = (change,)
        if invoice is not None:
            told.append(Told(type="invoice.created", record=invoice))
            changes = (*changes, invoice_change("create", invoice))
        done = Done(record=record, drafted=drafted, changes=changes, told=told, invoice=invoice, pending=lines)
        return self._write(call, done)

    def _write(self, call: Call, done: Done) -> Write:
        books = self._books

        def apply() -> None:
            for price in done.drafted.prices:
                books.prices.put(price)
            for item in done.drafted.rows:
                books.item_owner[item["id"]] = done.record["id"]
            books.subscriptions.put(done.record)
            if done.invoice is not None:
                books.invoices.put(done.invoice)
            self._pending[done.record["id"]] = done.pending
            books.tell(call, done.told)

        return Write(Reply(200, done.record), done.changes, apply)

    def _items(self, params: Params, subscription: Record) -> Drafted:
        """Items with an id are changed, others added; a new price replaces the old one in its item."""
        items = {item["id"]: item for item in subscription["items"]["data"]}
        prices: list[Record] = []
        for index, member in enumerate(rows(params["items"], param="items")):
            within = f"items[{index}]"
            asked = mapping(member, param=within)
            only(asked, _ITEM, within=within)
            known = items.get(asked["id"]) if "id" in asked else None
            if "id" in asked and known is None:
                raise no_such("subscription_item", str(asked["id"]), param=f"{within}[id]")
            if known is not None and asked.get("deleted") == "true":
                del items[known["id"]]
                continue
            item = self._item(asked, subscription=subscription, known=known, within=within)
            items[item["id"]] = item
            if "price_data" in asked:
                prices.append(item["price"])
        if not 1 <= len(items) <= ITEMS_MAX:
            raise invalid(f"A subscription has 1 to {ITEMS_MAX} items, not {len(items)}.", param="items")
        return Drafted(rows=list(items.values()), prices=prices)

    def _item(self, asked: Params, *, subscription: Record, known: Record | None, within: str) -> Record:
        price = self._price(asked, within=within) if known is None or {"price", "price_data"} & asked.keys() else None
        quantity = int(known["quantity"]) if known is not None else 1
        if "quantity" in asked:
            quantity = whole(asked["quantity"], param=f"{within}[quantity]")
            if quantity < 0:
                raise invalid("Invalid non-negative integer", param=f"{within}[quantity]")
        if known is not None:
            return {**known, "quantity": quantity, "price": known["price"] if price is None else price}
        assert price is not None  # noqa: S101 - known is None, so the price was read
        start = int(subscription["created"])
        recurring: Record = price["recurring"]
        period = start, period_end(start, interval=recurring["interval"], count=recurring["interval_count"])
        item_id = self._books.new_id("si_")
        return item_shape(item_id, subscription=subscription["id"], price=price, quantity=quantity, period=period)

    def _price(self, asked: Params, *, within: str) -> Record:
        if "price_data" in asked:
            inside = f"{within}[price_data]"
            data = mapping(asked["price_data"], param=inside)
            only(data, _PRICE_DATA, within=inside)
            amounts = price_amounts(data, within=inside)
            self._books.products.need(amounts["product"], param=f"{inside}[product]")
            price = price_shape(self._books.new_id("price_1"), created=self._books.now_s(), amounts=amounts)
            price["active"] = False  # inline prices serve this subscription only
        else:
            price = self._books.prices.need(required(asked, "price", within=within), param=f"{within}[price]")
        if price["recurring"] is None:
            raise invalid("The price specified is set to `type=one_time`; subscriptions take recurring prices.")
        return price

    def _with_items(self, record: Record, drafted: Drafted) -> Record:
        currencies = sorted({str(item["price"]["currency"]) for item in drafted.rows})
        if len(currencies) != 1 or (record["currency"] and record["currency"] != currencies[0]):
            raise invalid("All prices on a subscription must have the same currency.", param="items")
        return {**record, "currency": currencies[0], "items": items_list(record["id"], drafted.rows)}

    def _first_invoice(self, record: Record, customer: Record) -> Record:
        invoice_id = self._books.new_id("in_1")
        lines = [period_line(self._books, invoice_id, record, item=item) for item in record["items"]["data"]]
        return invoice_shape(invoice_id, subscription=record, customer=customer, lines=lines)

    def _check_choices(self, params: Params) -> None:
        if "collection_method" in params:
            one_of(params["collection_method"], _COLLECTION, param="collection_method")
        if "proration_behavior" in params:
            one_of(params["proration_behavior"], BEHAVIOURS, param="proration_behavior")

    def _check_collection(self, record: Record, customer: Record) -> None:
        """Invoices are sent to an e-mail address and due some day; automatic charges need a payment method."""
        if record["collection_method"] != "send_invoice":
            raise Refused(error_reply(NO_PAYMENT, code="resource_missing"))
        if record["days_until_due"] is None:
            raise invalid(
                "You must pass `days_until_due` when `collection_method` is `send_invoice`.", param="days_until_due"
            )
        if not customer["email"]:
            raise Refused(error_reply(NO_EMAIL))


def _terms(params: Params, before: Record) -> Record:
    """The plain fields that a request sets."""
    fields: Record = {name: text(params[name], param=name) for name in ("collection_method",) if name in params}
    if "description" in params:
        fields["description"] = params["description"] or None
    if "days_until_due" in params:
        fields["days_until_due"] = whole(params["days_until_due"], param="days_until_due")
    if "cancel_at_period_end" in params:
        flag: Any = one_of(params["cancel_at_period_end"], ("true", "false"), param="cancel_at_period_end")
        fields["cancel_at_period_end"] = flag == "true"
    if "pause_collection" in params:
        fields["pause_collection"] = paused(params["pause_collection"])
    if "metadata" in params:
        fields["metadata"] = metadata_after(before["metadata"], params["metadata"])
    return fields
