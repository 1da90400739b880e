"""Stripe's words for our nouns, and ours for its events.

Source: https://docs.stripe.com/currencies#special-cases (smallest units), https://docs.stripe.com/api/events/types,
https://docs.stripe.com/api/metadata; API version 2026-10-28.endive.
"""

from collections.abc import Mapping
from typing import Any, cast

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.customer import Customer
from accordant.canonical.operation import Facts
from accordant.canonical.subscription import Subscription
from accordant.connector.deliveries import event_object, require_id
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money, exponent

Fields = list[tuple[str, str]]
Members = dict[str, Any]

# Decimals of the amounts that Stripe takes, where they are not those of ISO 4217: ISK and UGX have none since 2007 but
# are still counted in hundredths, MGA has two on paper and none here.
_STRIPE_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}
_STATUS = {"active": "active", "trialing": "active", "canceled": "ended"}
ECHOES = frozenset(
    {
        "customer.created",
        "customer.subscription.created",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "customer.updated",
    }
)
"""Events that our own writes cause."""
KNOWN_EVENTS = ECHOES | frozenset(
    {
        "charge.failed",
        "charge.refunded",
        "charge.succeeded",
        "credit_note.created",
        "customer.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.trial_will_end",
        "invoice.created",
        "invoice.deleted",
        "invoice.finalization_failed",
        "invoice.finalized",
        "invoice.marked_uncollectible",
        "invoice.overdue",
        "invoice.paid",
        "invoice.payment_action_required",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.sent",
        "invoice.upcoming",
        "invoice.updated",
        "invoice.voided",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "plan.created",
        "price.created",
        "price.updated",
        "product.created",
        "product.updated",
    }
)
"""Events whose meaning is known and which no flow uses yet."""


def to_stripe(money: Money) -> tuple[int, str]:
    """Amount in Stripe's smallest unit, and the lower-case currency.

    Raises:
        Malformed: the amount has decimals that Stripe does not take.
    """
    shift = _STRIPE_EXPONENTS.get(money.currency, exponent(money.currency)) - exponent(money.currency)
    if shift >= 0:
        amount = money.amount_minor * 10**shift
    else:
        amount, rest = divmod(money.amount_minor, 10**-shift)
        if rest:
            raise Malformed(
                f"{money} has decimals; Stripe takes {money.currency} whole", code="money.too_many_decimals"
            )
    if exponent(money.currency) == 3 and amount % 10:
        message = f"{money} has three decimals that count; Stripe takes the last one only as 0"
        raise Malformed(message, code="money.too_many_decimals")
    return amount, money.currency.lower()


def from_stripe(amount: int, currency: str) -> Money:
    """Canonical money of an amount in Stripe's smallest unit."""
    code = currency.upper()
    shift = exponent(code) - _STRIPE_EXPONENTS.get(code, exponent(code))
    minor = amount * 10**shift if shift >= 0 else amount // 10**-shift
    return Money(minor, code)


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


def translate(message: Message) -> list[Told] | Ignored:
    """Say what an event means to us: in this version, nothing that we did not know.

    Raises:
        Malformed: the body is not a Stripe event. Codes: those of `deliveries`, and stripe.not_an_event.
    """
    event = event_object(message.body)
    require_id(event)
    if event.get("object") != "event":
        raise _malformed("/object", "expected a Stripe event: an object whose member `object` says `event`")
    kind = event.get("type")
    if not isinstance(kind, str) or not kind:
        raise _malformed("/type", "expected the event's type, such as `customer.created`")
    record = _members(_members(event.get("data"), pointer="/data").get("object"), pointer="/data/object")
    if kind not in KNOWN_EVENTS:
        return Ignored(reason="unknown_type")
    return Ignored(reason="echo" if kind in ECHOES and _is_ours(record) else "not_used")


def _is_ours(record: Mapping[str, Any]) -> bool:
    """Whether we wrote the object: it carries one of our ids."""
    metadata: object = record.get("metadata")
    return isinstance(metadata, dict) and not metadata.keys().isdisjoint({"customer_id", "subscription_id"})


def _members(value: object, *, pointer: str) -> Members:
    if not isinstance(value, dict):
        raise _malformed(pointer, "expected an object")
    return cast(Members, value)


def _malformed(pointer: str, expected: str) -> Malformed:
    return Malformed(
        f"{pointer or 'the body'}: {expected}",
        code="stripe.not_an_event",
        hint="look the delivery up in Stripe's event log; once its mapping knows it, replay the message",
        detail={"pointer": pointer},
    )


def _count(text: object) -> int | None:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 16 else None
