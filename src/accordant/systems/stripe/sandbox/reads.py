"""Reading: one object, lists with their filters, searches, and `expand`.

Source: https://docs.stripe.com/api/pagination, /api/expanding_objects, /api/subscriptions/list (API version
2026-10-28.endive).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from accordant.connector.sandbox import Call, Record, Reply
from accordant.systems.stripe.sandbox.books import Books
from accordant.systems.stripe.sandbox.credit_notes import CreditNotes
from accordant.systems.stripe.sandbox.credits import Credits
from accordant.systems.stripe.sandbox.drafts import Drafts
from accordant.systems.stripe.sandbox.payments import Payments
from accordant.systems.stripe.sandbox.refunds import Refunds
from accordant.systems.stripe.sandbox.shelf import PAGING, Keep, ListSpec, Shelf
from accordant.systems.stripe.sandbox.subscriptions import Subscriptions
from accordant.systems.stripe.sandbox.wire import Params, invalid, one_of, only, required, rows

_STATUSES = (
    *("active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing"),
    "unpaid",
)
_SEARCH = frozenset({"query", "limit", "page", "expand"})
_OWN_FILTERS = {
    "customer": ("email",),
    "product": ("active",),
    "price": ("active", "product", "currency", "type"),
    "invoice": ("status",),
    "event": ("type",),
    "webhook endpoint": (),
}
_EXPANDABLE = {"customer": "customer", "latest_invoice": "invoice", "charge": "charge", "default_price": "price"}

Reading = Callable[[Call, Params], Reply]


def routes(books: Books, subscriptions: Subscriptions) -> Iterator[tuple[str, str, Reading]]:
    """Path, operation and handler; searches come before ids, so that `search` is never taken for one."""
    for shelf, searchable in (
        (books.customers, True),
        (books.subscriptions, True),
        (books.invoices, True),
        (books.products, True),
        (books.prices, True),
        (books.events, False),
        (books.endpoints, False),
    ):
        word = shelf.word.replace(" ", "_")
        if searchable:
            yield f"{shelf.url}/search", f"{word}.search", _search(shelf)
        yield shelf.url, f"{word}.list", _subscriptions(shelf) if word == "subscription" else _list(shelf)
        yield f"{shelf.url}/{{id}}", f"{word}.get", _one(shelf)
    entries, notes = Credits(books), CreditNotes(books)
    yield "/v1/credit_notes", "credit_note.list", notes.listed
    yield "/v1/credit_notes/{id}", "credit_note.get", notes.one
    yield "/v1/invoices/{id}/lines", "invoice.lines", Drafts(books).lines
    yield "/v1/customers/{id}/balance_transactions", "customer_balance_transaction.list", entries.listed
    yield "/v1/customers/{id}/balance_transactions/{entry}", "customer_balance_transaction.get", entries.one
    payments, refunds = Payments(books), Refunds(books)
    yield "/v1/charges", "charge.list", payments.charges
    yield "/v1/charges/{id}", "charge.get", payments.charge
    yield "/v1/invoice_payments", "invoice_payment.list", payments.of_invoices
    yield "/v1/refunds", "refund.list", refunds.listed
    yield "/v1/refunds/{id}", "refund.get", refunds.one
    yield "/v1/subscription_items", "subscription_item.list", subscriptions.items
    yield "/v1/subscription_items/{id}", "subscription_item.get", subscriptions.item


def expanded(books: Books, body: Any, *, params: Mapping[str, Any], new: Mapping[str, Record] | None = None) -> Any:
    """Put objects in the place of ids where `expand[]` names them; in lists under `data.`.

    `new` are records by id that a write is about to make.
    """
    asked = params.get("expand")
    if asked is None:
        return body
    shelves = {"customer": books.customers, "invoice": books.invoices, "price": books.prices}
    shelves["charge"] = books.charges
    for name in rows(asked, param="expand"):
        field = str(name).removeprefix("data.")
        kind = _EXPANDABLE.get(field)
        if kind is None:
            raise invalid(f"This property cannot be expanded ({field[:60]}).", param="expand")
        if str(name).startswith("data."):
            body = {**body, "data": [_with(record, field, shelves[kind]) for record in body["data"]]}
        else:
            fresh = (new or {}).get(body.get(field))
            body = {**body, field: fresh} if fresh is not None else _with(body, field, shelves[kind])
    return body


def _with(record: Record, field: str, /, shelf: Shelf) -> Record:
    if field not in record:
        raise invalid(f"This property cannot be expanded ({field}).", param="expand")
    found = shelf.find(record[field]) if isinstance(record[field], str) else None
    return {**record, field: found if found is not None else record[field]}


def _one(shelf: Shelf) -> Reading:
    def get(call: Call, params: Params) -> Reply:
        only(params, frozenset({"expand"}))
        return Reply(200, shelf.need(call.params["id"]))

    return get


def _search(shelf: Shelf) -> Reading:
    def search(call: Call, params: Params) -> Reply:
        only(params, _SEARCH)
        required(params, "query")
        return Reply(200, shelf.search_page(params))

    return search


def _list(shelf: Shelf) -> Reading:
    own = _OWN_FILTERS[shelf.word]
    grouped = shelf.word == "invoice"
    more = {"invoice": ("customer", "subscription"), "event": ("types",)}.get(shelf.word, ())
    allowed = PAGING | {"created", *own, *more}

    def listed(call: Call, params: Params) -> Reply:
        only(params, allowed)
        wanted = {name: params[name] for name in own if name in params}
        group = cast("str | None", params.get("customer")) if grouped else None
        keep = _keep(wanted, params) if wanted or {"types", "subscription"} & params.keys() else None
        return Reply(200, shelf.list_page(params, ListSpec(operation=call.operation, group=group, keep=keep)))

    return listed


def _keep(wanted: Mapping[str, Any], params: Params) -> Keep:
    types = frozenset(rows(params["types"], param="types")) if "types" in params else None
    owner = params.get("subscription")

    def keep(record: Record) -> bool:
        if types is not None and record["type"] not in types:
            return False
        if owner is not None and _subscription_of(record) != owner:
            return False
        return all(_plain(record.get(name)) == value for name, value in wanted.items())

    return keep


def _subscription_of(invoice: Record) -> object:
    parent: Record | None = invoice["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def _plain(value: object) -> object:
    """As a query says it."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _subscriptions(shelf: Shelf) -> Reading:
    allowed = PAGING | {"customer", "status", "created", "collection_method", "price"}

    def listed(call: Call, params: Params) -> Reply:
        """Without `status`, all that are not cancelled."""
        only(params, allowed)
        status = one_of(params["status"], _STATUSES, param="status") if "status" in params else None
        group = cast("str | None", params.get("customer"))
        price = params.get("price")

        def keep(record: Record) -> bool:
            if price is not None and all(item["price"]["id"] != price for item in record["items"]["data"]):
                return False
            if "collection_method" in params and record["collection_method"] != params["collection_method"]:
                return False
            return _shows(record["status"], status)

        return Reply(200, shelf.list_page(params, ListSpec(operation=call.operation, group=group, keep=keep)))

    return listed


def _shows(status: str, asked: str | None) -> bool:
    if asked is None:
        return status != "canceled"
    if asked == "ended":
        return status in ("canceled", "incomplete_expired")
    return asked in ("all", status)
