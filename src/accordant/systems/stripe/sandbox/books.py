"""Everything the sandbox holds, and what a write to it means for the ledger and for who is told.

Source: https://docs.stripe.com/api/events, https://docs.stripe.com/webhooks (API version 2026-10-28.endive).
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

import msgspec
from aiohttp import web

from accordant.connector.sandbox import Call, Change, Delivery, Kit, LaggedStore, Record, RetryPolicy
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.sandbox.shapes import API_VERSION, as_of, in_event, new_id
from accordant.systems.stripe.sandbox.shelf import Shelf, metadata_indexes

REQUEST_ID: web.RequestKey[str] = web.RequestKey("stripe_request_id", str)
SEARCH_LAG_S = 1.0
"""Documented as less than a minute; the `index_lag` fault or the setting `search_lag_s` make it longer."""

RETRIES = RetryPolicy(
    delays_s=(300, 1_800, 7_200, 18_000, 36_000, 43_200, 43_200, 43_200, 43_200), timeout_s=20.0, concurrency=16
)
"""Nine retries within three days, further and further apart."""

_ENTRY_KINDS = {"credit": "credit_id", "credit_counter": "countered_credit_id"}
"""Kinds of entries of a balance that the platform makes, and the metadata that names each."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a write causes."""

    type: str
    record: Record
    previous: Record | None = None


class Books:
    """The objects by kind, the events, and the sender of webhooks."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.customers = self._shelf("customer", "customers")
        by_customer, by_invoice = itemgetter("customer"), itemgetter("invoice")
        self.subscriptions = self._shelf("subscription", "subscriptions", group_of=by_customer)
        self.invoices = self._shelf("invoice", "invoices", group_of=by_customer)
        self.entries = self._shelf("customer_balance_transaction", "customers", searchable=False, group_of=by_customer)
        self.notes = self._shelf("credit note", "credit_notes", searchable=False, group_of=by_invoice)
        self.numbers: set[str | None] = set()
        """Invoice numbers in use."""
        self.charges = self._shelf("charge", "charges", searchable=False, group_of=by_customer)
        self.payments = self._shelf("invoice payment", "invoice_payments", searchable=False, group_of=by_invoice)
        self.refunds = self._shelf("refund", "refunds", searchable=False)
        self.products = self._shelf("product", "products")
        self.prices = self._shelf("price", "prices")
        self.events = self._shelf("event", "events", searchable=False)
        self.endpoints = self._shelf("webhook endpoint", "webhook_endpoints", searchable=False)
        self.sent: dict[str, int] = {}  # times an invoice was sent again
        self.item_owner: dict[str, str] = {}  # subscription id by subscription item id
        self.secrets: dict[str, str] = {}
        """Signing secret by webhook endpoint id; shown once, when the endpoint is made."""
        self.sender = kit.webhooks(RETRIES, sign)

    def now_s(self) -> int:
        return int(self.kit.clock.now_s())

    def new_id(self, prefix: str) -> str:
        return new_id(prefix, self.kit.rng)

    def balance(self, customer: str, currency: str) -> int:
        """What entries in this currency add up to; negative is the customer's credit."""
        entries = (one for one in reversed(self.entries.group(customer)) if one["currency"] == currency)
        return next((int(one["ending_balance"]) for one in entries), 0)

    def first_currency(self, customer: str) -> str | None:
        """The currency in which the customer was billed first."""
        return next((str(one["currency"]) for one in self.invoices.group(customer)), None)

    def tell(self, call: Call | None, told: Iterable[Told]) -> None:
        """Keep the events and send them to every endpoint that wants them; without a call, Stripe did it by itself."""
        key = call.headers.get("Idempotency-Key") if call else None
        request = {"id": call.request.get(REQUEST_ID) if call else None, "idempotency_key": key}
        for one in told:
            data: Record = {"object": in_event(one.record)}
            if one.previous is not None:
                data["previous_attributes"] = one.previous
            targets = [endpoint for endpoint in self.endpoints.values() if _wants(endpoint, one.type)]
            event: Record = {
                "id": self.new_id("evt_1"),
                "object": "event",
                "api_version": API_VERSION,
                "created": self.now_s(),
                "data": data,
                "livemode": False,
                "pending_webhooks": len(targets),
                "request": request,
                "type": one.type,
            }
            self.events.put(event)
            for endpoint in targets:
                self._send(endpoint, event)

    def _send(self, endpoint: Record, event: Record) -> None:
        version = endpoint["api_version"] or API_VERSION
        shown = as_of(version, {**event, "api_version": version})
        body = msgspec.json.format(msgspec.json.encode(shown), indent=2)
        secret = self.secrets[endpoint["id"]]
        self.sender.send(Delivery(url=endpoint["url"], topic=f"webhook.{event['type']}", body=body, secret=secret))

    def _shelf(
        self, word: str, path: str, *, searchable: bool = True, group_of: Callable[[Record], str] | None = None
    ) -> Shelf:
        indexes = metadata_indexes() if searchable else {}
        slowest_s = float(self.kit.settings.get("search_lag_s", SEARCH_LAG_S)) if searchable else 0.0
        operation = f"{word}.search"
        store = LaggedStore(
            clock=self.kit.clock, lag_s=lambda: max(slowest_s, self.kit.faults.lag_s(operation)), indexes=indexes
        )
        return Shelf(self.kit, store, word=word, url=f"/v1/{path}", group_of=group_of)


def sign(delivery: Delivery, now: datetime, attempt: int, /) -> dict[str, str]:
    """Every attempt is signed anew, with its own time."""
    signed_at = str(int(now.timestamp()))
    mac = hmac.new(delivery.secret.encode(), signed_at.encode() + b"." + delivery.body, sha256)
    return {"Stripe-Signature": f"t={signed_at},v1={mac.hexdigest()}"}


def amount_of(subscription: Record) -> int:
    """What one period costs, in the vendor's smallest unit."""
    return sum(int(item["price"]["unit_amount"]) * int(item["quantity"]) for item in subscription["items"]["data"])


def customer_change(change: Any, record: Record) -> Change:
    metadata = record["metadata"]
    return Change(
        kind="customer",
        change=change,
        native_id=record["id"],
        business_id=metadata.get("customer_id"),
        body=record,
    )


def subscription_change(change: Any, record: Record) -> Change:
    money = from_stripe(amount_of(record), record["currency"])
    return Change(
        kind="subscription",
        change=change,
        native_id=record["id"],
        business_id=record["metadata"].get("subscription_id"),
        amount_minor=money.amount_minor,
        currency=money.currency,
        body=record,
    )


def invoice_change(change: Any, invoice: Record) -> Change:
    money = from_stripe(int(invoice["total"]), invoice["currency"])
    return Change(
        kind="invoice",
        change=change,
        native_id=invoice["id"],
        business_id=_billed_for(invoice),
        amount_minor=money.amount_minor,
        currency=money.currency,
        body=invoice,
    )


def entry_change(entry: Record) -> Change:
    """Without the balance that it ended in: two equal entries look equal, whatever went before them.

    The amount is positive where the customer was given something. The native id names the customer as well, without
    whom an entry has no address.
    """
    kind, name = _entry_kind(entry)
    money = from_stripe(-int(entry["amount"]), entry["currency"])
    return Change(
        kind=kind,
        change="create",
        native_id=f"{entry['customer']}/{entry['id']}",
        business_id=entry["metadata"].get(name),
        amount_minor=money.amount_minor,
        currency=money.currency,
        body={field: value for field, value in entry.items() if field != "ending_balance"},
    )


def catalog_change(change: Any, record: Record) -> Change:
    """Products, prices and webhook endpoints carry no business id of a transaction."""
    return Change(kind=record["object"], change=change, native_id=record["id"], body=record)


def canonical_dump(books: Books) -> dict[str, list[Record]]:
    """What the business sees: our ids, no native ids, no times, sorted."""
    names = {record["id"]: record["metadata"].get("customer_id", "") for record in books.customers.values()}
    subscriptions = [_subscription_line(record, names) for record in books.subscriptions.values()]
    entries: dict[str, list[Record]] = {kind: [] for kind in _ENTRY_KINDS}
    for record in books.entries.values():
        kind, name = _entry_kind(record)
        if name in record["metadata"]:
            entries[kind].append(_entry_line(record, name, customer=names.get(record["customer"], "")))
    return {
        **{kind: _sorted(lines) for kind, lines in entries.items()},
        "customer": _sorted([_customer_line(record) for record in books.customers.values()]),
        "invoice": _sorted([_invoice_line(record, names) for record in books.invoices.values()]),
        "subscription": _sorted(subscriptions),
    }


def _billed_for(invoice: Record) -> str | None:
    """Our id of the subscription whose invoice it is; a one-off invoice has none."""
    parent: Record | None = invoice["parent"]
    return parent["subscription_details"]["metadata"].get("subscription_id") if parent else None


def _entry_kind(entry: Record) -> tuple[str, str]:
    """What an entry is to us, and which of its metadata names it; one made by hand is a credit without a name."""
    known = ((kind, name) for kind, name in _ENTRY_KINDS.items() if name in entry["metadata"])
    return next(known, ("credit", _ENTRY_KINDS["credit"]))


def _entry_line(entry: Record, name: str, /, customer: str) -> Record:
    change, metadata = entry_change(entry), entry["metadata"]
    amounts = {"amount_minor": change.amount_minor, "currency": change.currency}
    said = {field: metadata.get(field) for field in ("case_id", "reason")}
    return {"business_id": metadata[name], "customer": customer, **amounts, **said}


def _invoice_line(record: Record, names: dict[str, str]) -> Record:
    money = from_stripe(int(record["total"]), record["currency"])
    amounts = {"amount_minor": money.amount_minor, "currency": money.currency}
    said = {"number": record["number"], "status": record["status"]}
    return {"business_id": _billed_for(record) or "", "customer": names.get(record["customer"], ""), **amounts, **said}


def _customer_line(record: Record) -> Record:
    address: Record = record["address"] or {}
    metadata: Record = record["metadata"]
    return {
        "business_id": metadata.get("customer_id", ""),
        "name": record["name"],
        "country": address.get("country"),
        **{field: metadata.get(field) for field in ("legal_entity", "parent_id", "tax_id")},
    }


def _subscription_line(record: Record, names: dict[str, str]) -> Record:
    metadata = record["metadata"]
    money = from_stripe(amount_of(record), record["currency"])
    items: list[Record] = record["items"]["data"]
    return {
        "business_id": metadata.get("subscription_id", ""),
        "customer": names.get(record["customer"], ""),
        "product": ",".join(item["price"]["product"] for item in items),
        "amount_minor": money.amount_minor,
        "currency": money.currency,
        "quantity": sum(item["quantity"] for item in items),
        "status": record["status"],
        "collection": "paused" if record["pause_collection"] else "running",
        **{field: metadata.get(field) for field in ("opportunity_id", "starts_on", "ends_on")},
        "quantity_sold": metadata.get("quantity"),
    }


def _sorted(records: Sequence[Record]) -> list[Record]:
    return sorted(records, key=lambda record: msgspec.json.encode(record, order="sorted"))


def _wants(endpoint: Record, topic: str) -> bool:
    return endpoint["status"] == "enabled" and not {"*", topic}.isdisjoint(endpoint["enabled_events"])
