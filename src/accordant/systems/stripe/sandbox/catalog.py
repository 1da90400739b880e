"""Customers, products, prices and webhook endpoints: made, changed, listed.

Source: https://docs.stripe.com/api/customers, /products, /prices, /webhook_endpoints (API version 2026-10-28.endive).
"""

from typing import Any

from accordant.connector.sandbox import Call, Record, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, catalog_change, customer_change
from accordant.systems.stripe.sandbox.shapes import customer_shape, price_shape, product_shape
from accordant.systems.stripe.sandbox.wire import (
    Params,
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

_ADDRESS = frozenset({"city", "country", "line1", "line2", "postal_code", "state"})
_CUSTOMER_TEXTS = ("name", "email", "description", "phone")
_CUSTOMER = frozenset({*_CUSTOMER_TEXTS, "address", "metadata", "expand", "tax_exempt", "shipping"})
_PRODUCT = frozenset({"id", "name", "description", "active", "metadata", "unit_label", "tax_code", "url", "expand"})
_PRICE = frozenset({"currency", "product", "unit_amount", "recurring", "metadata", "nickname", "expand", "active"})
_ENDPOINT = frozenset({"url", "enabled_events", "description", "metadata", "api_version", "expand", "disabled"})
INTERVALS = ("day", "month", "week", "year")
TEXT_MAX = 5000
NAME_MAX = 256


class Catalog:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create_customer(self, call: Call, params: Params) -> Write:
        only(params, _CUSTOMER)
        books = self._books
        blank = customer_shape(books.new_id("cus_"), created=books.now_s(), rng=books.kit.rng)
        record = {**blank, **_customer_fields(params, blank)}
        return self._customer_write(call, record, told=Told(type="customer.created", record=record))

    def update_customer(self, call: Call, params: Params) -> Write:
        only(params, _CUSTOMER)
        before = self._books.customers.need(call.params["id"])
        fields = _customer_fields(params, before)
        record = {**before, **fields}
        told = Told(type="customer.updated", record=record, previous=_previous(before, record))
        return self._customer_write(call, record, told=told)

    def create_product(self, call: Call, params: Params) -> Write:
        only(params, _PRODUCT)
        record_id = text(params.get("id") or self._books.new_id("prod_"), param="id")
        name = required(params, "name")
        if self._books.products.find(record_id) is not None:
            raise invalid("Product already exists.", param="id", code="resource_already_exists")
        record = product_shape(record_id, created=self._books.now_s(), name=name)
        record = {**record, **_product_fields(params, record)}
        return self._catalog_write(call, "product.created", record=record)

    def update_product(self, call: Call, params: Params) -> Write:
        only(params, _PRODUCT - {"id"})
        before = self._books.products.need(call.params["id"])
        record = {**before, **_product_fields(params, before), "updated": self._books.now_s()}
        return self._catalog_write(call, "product.updated", record=record)

    def create_price(self, call: Call, params: Params) -> Write:
        only(params, _PRICE)
        amounts = price_amounts(params, within="")
        self._books.products.need(amounts["product"], param="product")
        record = price_shape(self._books.new_id("price_1"), created=self._books.now_s(), amounts=amounts)
        record |= {"metadata": metadata_after({}, params.get("metadata", "")), "nickname": params.get("nickname")}
        return self._catalog_write(call, "price.created", record=record)

    def create_endpoint(self, call: Call, params: Params) -> Write:
        """The signing secret is in this answer and in no later one."""
        only(params, _ENDPOINT)
        if "enabled_events" not in params:
            raise invalid("Missing required param: enabled_events.", param="enabled_events", code="parameter_missing")
        record = endpoint_shape(self._books, url=required(params, "url"))
        record |= {"enabled_events": [text(name, param="enabled_events") for name in _events(params)]}
        record |= {"metadata": metadata_after({}, params.get("metadata", ""))}
        record |= {name: params[name] for name in ("description", "api_version") if name in params}
        secret = "whsec_" + self._books.new_id("_1")[2:]

        def apply() -> None:
            self._books.secrets[record["id"]] = secret
            self._books.endpoints.put(record)

        return Write(Reply(200, {**record, "secret": secret}), (catalog_change("create", record),), apply)

    def update_endpoint(self, call: Call, params: Params) -> Write:
        only(params, _ENDPOINT)
        before = self._books.endpoints.need(call.params["id"])
        record = {**before, **{name: params[name] for name in ("url", "description") if name in params}}
        if "enabled_events" in params:
            record["enabled_events"] = [text(name, param="enabled_events") for name in _events(params)]
        if "disabled" in params:
            record["status"] = "disabled" if _flag(params["disabled"], param="disabled") else "enabled"
        change = catalog_change("update", record)
        return Write(Reply(200, record), (change,), lambda: self._books.endpoints.put(record))

    def delete_endpoint(self, call: Call, params: Params) -> Write:
        record = self._books.endpoints.need(call.params["id"])
        gone = {"id": record["id"], "object": "webhook_endpoint", "deleted": True}
        change = catalog_change("delete", record)
        return Write(Reply(200, gone), (change,), lambda: self._books.endpoints.remove(record["id"]))

    def _customer_write(self, call: Call, record: Record, *, told: Told) -> Write:
        def apply() -> None:
            self._books.customers.put(record)
            self._books.tell(call, (told,))

        kind = "create" if told.previous is None else "update"
        return Write(Reply(200, record), (customer_change(kind, record),), apply)

    def _catalog_write(self, call: Call, event: str, *, record: Record) -> Write:
        shelf = self._books.products if record["object"] == "product" else self._books.prices

        def apply() -> None:
            shelf.put(record)
            self._books.tell(call, (Told(type=event, record=record),))

        change = catalog_change("create" if event.endswith("created") else "update", record)
        return Write(Reply(200, record), (change,), apply)


def price_amounts(params: Params, *, within: str) -> Record:
    """Currency, product, unit amount and recurrence of a price or of inline `price_data`."""
    currency = currency_of(params, within=within)
    amount_path = f"{within}[unit_amount]" if within else "unit_amount"
    unit_amount = whole(required(params, "unit_amount", within=within), param=amount_path)
    if unit_amount < 0:
        raise invalid("Invalid non-negative integer", param=amount_path, code="parameter_invalid_integer")
    recurring: Record | None = None
    if "recurring" in params:
        asked = mapping(params["recurring"], param="recurring")
        interval = one_of(required(asked, "interval", within="recurring"), INTERVALS, param="recurring[interval]")
        count = whole(asked.get("interval_count", "1"), param="recurring[interval_count]")
        recurring = {"interval": interval, "interval_count": count, "meter": None}
        recurring |= {"trial_period_days": None, "usage_type": "licensed"}
    product = required(params, "product", within=within)
    return {"currency": currency, "product": product, "unit_amount": unit_amount, "recurring": recurring}


def currency_of(params: Params, *, within: str) -> str:
    currency = required(params, "currency", within=within).lower()
    path = f"{within}[currency]" if within else "currency"
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise invalid(f"Invalid currency: {currency[:20]}.", param=path)
    return currency


def endpoint_shape(books: Books, *, url: str) -> Record:
    return {
        "id": books.new_id("we_1"),
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": books.now_s(),
        "description": None,
        "enabled_events": ["*"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def _customer_fields(params: Params, before: Record) -> Record:
    """The text is kept as it came; only lengths and the shape of an e-mail address are checked."""
    fields: Record = {}
    for name in _CUSTOMER_TEXTS:
        if name in params:
            value = text(params[name], param=name)
            limit = NAME_MAX if name == "name" else TEXT_MAX
            if len(value) > limit:
                raise invalid(f"Invalid string: must be at most {limit} characters", param=name)
            fields[name] = value or None
    if fields.get("email") and "@" not in fields["email"]:
        raise invalid(f"Invalid email address: {fields['email'][:100]}", param="email", code="email_invalid")
    if params.get("address") == "":
        fields["address"] = None
    elif "address" in params:
        given = mapping(params["address"], param="address")
        only(given, _ADDRESS, within="address")
        empty = dict.fromkeys(sorted(_ADDRESS))
        fields["address"] = {
            **empty,
            **(before["address"] or {}),
            **{name: value or None for name, value in given.items()},
        }
    if "metadata" in params:
        fields["metadata"] = metadata_after(before["metadata"], params["metadata"])
    return fields


def _product_fields(params: Params, before: Record) -> Record:
    fields: Record = {name: params[name] for name in ("name", "description", "unit_label", "url") if name in params}
    if "active" in params:
        fields["active"] = _flag(params["active"], param="active")
    if "metadata" in params:
        fields["metadata"] = metadata_after(before["metadata"], params["metadata"])
    return fields


def _previous(before: Record, after: Record) -> Record:
    return {name: value for name, value in before.items() if after[name] != value}


def _events(params: Params) -> list[Any]:
    return rows(params["enabled_events"], param="enabled_events")


def _flag(value: object, *, param: str) -> bool:
    if value not in ("true", "false"):
        raise invalid(f"Invalid boolean: {value!s:.40}", param=param)
    return value == "true"
