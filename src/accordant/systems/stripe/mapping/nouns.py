"""Stripe's words for our customers and subscriptions: what is sent, what is expected, and what a read-back says.

Source: https://docs.stripe.com/api/customers, https://docs.stripe.com/api/subscriptions,
https://docs.stripe.com/api/metadata; API version 2026-10-28.endive.
"""

from collections.abc import Mapping
from typing import Any, cast

from accordant.canonical.customer import Customer
from accordant.canonical.operation import Facts
from accordant.canonical.subscription import Subscription
from accordant.systems.stripe.mapping.money import from_stripe, to_stripe

Fields = list[tuple[str, str]]
Members = dict[str, Any]

_STATUS = {"active": "active", "trialing": "active", "canceled": "ended"}


def unit_split(subscription: Subscription) -> tuple[int, int]:
    """Unit amount and number of units as billed: the quantity where the total divides by it, else one unit at the
    total, so that no cent is lost to rounding.
    """
    amount, _ = to_stripe(subscription.total)
    if subscription.quantity > 0 and amount % subscription.quantity == 0:
        return amount // subscription.quantity, subscription.quantity
    return amount, 1


def customer_form(customer: Customer, *, email: str) -> Fields:
    """Parameters of `POST /v1/customers`. Stripe requires an e-mail address of whoever is sent invoices."""
    form = [("name", customer.name), ("email", email), ("address[country]", customer.bill_to.country)]
    for name, value in (
        ("address[line1]", customer.bill_to.lines[0] if customer.bill_to.lines else ""),
        ("address[line2]", ", ".join(customer.bill_to.lines[1:])),
        ("address[city]", customer.bill_to.city),
        ("address[state]", customer.bill_to.region),
        ("address[postal_code]", customer.bill_to.postal_code),
        ("metadata[parent_id]", customer.parent_id),
        ("metadata[tax_id]", customer.tax_id),
    ):
        if value:
            form.append((name, value))
    form += [("metadata[customer_id]", customer.customer_id), ("metadata[legal_entity]", customer.legal_entity)]
    return form


def terms_form(subscription: Subscription) -> Fields:
    """Price, quantity and metadata, the same when a subscription starts and when it changes."""
    unit_amount, quantity = unit_split(subscription)
    _, currency = to_stripe(subscription.total)
    return [
        ("items[0][price_data][product]", subscription.product_id),
        ("items[0][price_data][currency]", currency),
        ("items[0][price_data][unit_amount]", str(unit_amount)),
        ("items[0][price_data][recurring][interval]", "year"),
        ("items[0][quantity]", str(quantity)),
        ("metadata[subscription_id]", subscription.subscription_id),
        ("metadata[opportunity_id]", subscription.opportunity_id),
        ("metadata[customer_id]", subscription.customer_id),
        ("metadata[quantity]", str(subscription.quantity)),
        ("metadata[starts_on]", subscription.starts_on.isoformat()),
        ("metadata[ends_on]", subscription.ends_on.isoformat()),
    ]


def customer_expected(customer: Customer) -> Facts:
    """What a read-back of the customer must show."""
    return {
        "customer_id": customer.customer_id,
        "name": customer.name,
        "country": customer.bill_to.country,
        "legal_entity": customer.legal_entity,
        "parent": customer.parent_id,
    }


def customer_facts(record: Mapping[str, Any]) -> Facts:
    """The same facts, from Stripe's customer."""
    address: Members = record.get("address") or {}
    metadata: Members = record.get("metadata") or {}
    return {
        "customer_id": metadata.get("customer_id"),
        "name": record.get("name"),
        "country": address.get("country"),
        "legal_entity": metadata.get("legal_entity"),
        "parent": metadata.get("parent_id"),
    }


def subscription_expected(subscription: Subscription, *, status: str = "active") -> Facts:
    """What a read-back of the subscription must show."""
    return {
        "subscription_id": subscription.subscription_id,
        "customer": subscription.customer_id,
        "product": subscription.product_id,
        "amount_minor": subscription.total.amount_minor,
        "currency": subscription.total.currency,
        "quantity": subscription.quantity,
        "starts_on": subscription.starts_on.isoformat(),
        "ends_on": subscription.ends_on.isoformat(),
        "status": status,
    }


def subscription_facts(record: Mapping[str, Any]) -> Facts:
    """The same facts, from Stripe's subscription with its customer expanded."""
    metadata: Members = record.get("metadata") or {}
    items: list[Members] = record["items"]["data"]
    amount = sum(int(item["price"]["unit_amount"] or 0) * int(item.get("quantity") or 0) for item in items)
    money = from_stripe(amount, record["currency"])
    status = str(record["status"])
    return {
        "subscription_id": metadata.get("subscription_id"),
        "customer": owner_of(record),
        "product": ",".join(str(item["price"]["product"]) for item in items),
        "amount_minor": money.amount_minor,
        "currency": money.currency,
        "quantity": _count(metadata.get("quantity")),
        "starts_on": metadata.get("starts_on"),
        "ends_on": metadata.get("ends_on"),
        "status": _STATUS.get(status, status),
    }


def owner_of(record: Mapping[str, Any]) -> Any:
    """Our id of the customer that really holds the record, not the one that the record names."""
    customer: object = record.get("customer")
    owner: Members = cast(Members, customer).get("metadata") or {} if isinstance(customer, dict) else {}
    return owner.get("customer_id")


def _count(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16 else None
