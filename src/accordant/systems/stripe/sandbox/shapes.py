"""What the objects look like, in the pinned API version and in the ones before it.

Source: https://docs.stripe.com/api (API version 2026-10-28.endive) and https://docs.stripe.com/changelog/basil for what
moved in 2025-03-31: the billing period from the subscription to its items, the invoice's subscription into `parent`.
"""

import random
from datetime import UTC, datetime
from typing import Any, cast

from accordant.connector.sandbox import Record

API_VERSION = "2026-10-28.endive"
BASIL = "2025-03-31"
LINES_IN_EVENT = 10
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_id(prefix: str, rng: random.Random) -> str:
    """`cus_` and its kind have 14 characters, `sub_1` and its kind 24."""
    length = 23 if prefix.endswith("_1") else 14
    return prefix + "".join(rng.choices(_ALPHABET, k=length))


def a_year_after(at_s: int) -> int:
    """The same moment a year later; 29 February becomes 28 February."""
    start = datetime.fromtimestamp(at_s, UTC)
    try:
        return int(start.replace(year=start.year + 1).timestamp())
    except ValueError:
        return int(start.replace(year=start.year + 1, day=28).timestamp())


def period_end(at_s: int, *, interval: str, count: int) -> int:
    """The end of one billing period; months and years by the calendar, capped at the month's last day."""
    if interval == "year":
        for _ in range(count):
            at_s = a_year_after(at_s)
        return at_s
    if interval in ("day", "week"):
        return at_s + count * (86_400 if interval == "day" else 604_800)
    start = datetime.fromtimestamp(at_s, UTC)
    months = start.month - 1 + count
    for day in range(start.day, start.day - 4, -1):
        try:
            end = start.replace(year=start.year + months // 12, month=months % 12 + 1, day=day)
        except ValueError:
            continue
        return int(end.timestamp())
    return at_s


def customer_shape(record_id: str, *, created: int, rng: random.Random) -> Record:
    prefix = "".join(rng.choices(_ALPHABET[:36], k=8))
    settings = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    return {
        "id": record_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": created,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": prefix,
        "invoice_settings": settings,
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def product_shape(record_id: str, *, created: int, name: str) -> Record:
    return {
        "id": record_id,
        "object": "product",
        "active": True,
        "attributes": [],
        "created": created,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": created,
        "url": None,
    }


def price_shape(record_id: str, *, created: int, amounts: Record) -> Record:
    """`amounts` brings currency, product, unit_amount and recurring."""
    recurring: Record | None = amounts["recurring"]
    return {
        "id": record_id,
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": created,
        "currency": amounts["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": amounts["product"],
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": amounts["unit_amount"],
        "unit_amount_decimal": str(amounts["unit_amount"]),
    }


def item_shape(record_id: str, *, subscription: str, price: Record, quantity: int, period: tuple[int, int]) -> Record:
    return {
        "id": record_id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": period[0],
        "current_period_end": period[1],
        "current_period_start": period[0],
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def items_list(subscription: str, items: list[Record]) -> Record:
    url = f"/v1/subscription_items?subscription={subscription}"
    return {"object": "list", "data": items, "has_more": False, "total_count": len(items), "url": url}


_SUBSCRIPTION: Record = {
    "object": "subscription",
    **dict.fromkeys(
        (
            *("application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds"),
            *("cancel_at", "canceled_at", "days_until_due", "default_payment_method", "default_source"),
            *("description", "ended_at", "latest_invoice", "next_pending_invoice_item_invoice", "on_behalf_of"),
            *("pause_collection", "pending_invoice_item_interval", "pending_setup_intent", "pending_update"),
            *("schedule", "test_clock", "transfer_data", "trial_end", "trial_start"),
        )
    ),
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_mode": {"type": "flexible"},
    "cancel_at_period_end": False,
    "cancellation_details": {"comment": None, "feedback": None, "reason": None},
    "collection_method": "charge_automatically",
    "default_tax_rates": [],
    "discounts": [],
    "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
    "livemode": False,
    "metadata": {},
    "payment_settings": {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    },
    "status": "active",
    "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
}


def subscription_shape(record_id: str, *, created: int, customer: str, currency: str) -> Record:
    return {
        **_SUBSCRIPTION,
        "id": record_id,
        "billing_cycle_anchor": created,
        "created": created,
        "currency": currency,
        "customer": customer,
        "items": items_list(record_id, []),
        "start_date": created,
    }


def in_event(record: Record) -> Record:
    """An invoice shows its first lines only; the others are listed. Source: /api/invoices/object, `lines.has_more`."""
    lines = record.get("lines")
    if record["object"] != "invoice" or lines is None or len(lines["data"]) <= LINES_IN_EVENT:
        return record
    return {**record, "lines": {**lines, "data": lines["data"][:LINES_IN_EVENT], "has_more": True}}


def as_of(version: str, value: Any) -> Any:
    """The same object, list or event as an older version shows it."""
    if version[:10] >= BASIL:
        return value
    return _before_basil(value)


def _before_basil(value: Any) -> Any:
    if isinstance(value, list):
        return [_before_basil(member) for member in cast(list[Any], value)]
    if not isinstance(value, dict):
        return value
    shown = {name: _before_basil(member) for name, member in cast(Record, value).items()}
    match shown.get("object"):
        case "subscription_item":
            del shown["current_period_start"], shown["current_period_end"]
        case "subscription":
            first = cast(Record, value)["items"]["data"][0]
            shown["current_period_start"] = first["current_period_start"]
            shown["current_period_end"] = first["current_period_end"]
        case "invoice":
            parent = shown.pop("parent")
            shown["subscription"] = parent["subscription_details"]["subscription"] if parent else None
            shown |= {"paid": shown["status"] == "paid", "paid_out_of_band": False, "total_tax_amounts": []}
        case "credit_note":
            shown |= {"refund": None, "tax_amounts": []}
        case "product":
            shown["features"] = shown.get("marketing_features", [])
        case _:
            pass
    return shown
