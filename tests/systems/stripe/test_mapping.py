"""Stripe's words and ours."""

import json
from typing import Any

import pytest

from accordant.backbone.message import Ignored, Message
from accordant.canonical.refund import PaymentRefunded
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.systems.stripe.mapping import from_stripe, to_stripe, translate, unit_split
from tests.systems.stripe.account import a_subscription


def _message(body: bytes) -> Message:
    return Message(
        message_id="m",
        tenant="t",
        connection="stripe",
        stream="webhook",
        delivery_id="evt_1",
        body=body,
        received_at_ms=0,
        correlation_id="c",
    )


def _event(kind: str, **record: Any) -> bytes:
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": record}}).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_event("customer.created", metadata={"customer_id": "c"}), "echo"),
        (_event("customer.subscription.updated", metadata={"subscription_id": "s"}), "echo"),
        (_event("customer.created", metadata={}), "not_used"),
        (_event("customer.created"), "not_used"),
        (_event("customer.created", metadata="none"), "not_used"),
        (_event("invoice.created", metadata={"customer_id": "c"}), "not_used"),
        (_event("invoice.upcoming"), "not_used"),
        (_event("issuing.card.created"), "unknown_type"),
    ],
)
def test_events_tell_nothing_yet_and_say_why(body: bytes, reason: str) -> None:
    assert translate(_message(body)) == Ignored(reason=reason)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"[]", ""),
        (b"{}", "/id"),
        (b'{"id":"evt_1","object":"list"}', "/object"),
        (b'{"object":"event","id":"evt.1","type":"x"}', "/id"),
        (b'{"object":"event","id":"evt_1"}', "/type"),
        (b'{"object":"event","type":"x"}', "/id"),
        (b'{"object":"event","type":"x","id":"evt_1"}', "/data"),
        (b'{"object":"event","type":"x","id":"evt_1","data":{"object":[]}}', "/data/object"),
    ],
)
def test_what_is_no_event_is_malformed_at_a_place(body: bytes, pointer: str) -> None:
    with pytest.raises(Malformed) as malformed:
        translate(_message(body))
    assert malformed.value.detail["pointer"] == pointer


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff", b"[" * 100_000, b'{"a":1}trailing', b"null"])
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        translate(_message(body))


@pytest.mark.parametrize(
    ("money", "amount"),
    [
        (Money(105_400, "USD"), 105_400),
        (Money(1_000, "JPY"), 1_000),
        (Money(1_000, "ISK"), 100_000),
        (Money(7, "UGX"), 700),
        (Money(1_500, "MGA"), 15),
        (Money(12_340, "KWD"), 12_340),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(money: Money, amount: int) -> None:
    assert to_stripe(money) == (amount, money.currency.lower())
    assert from_stripe(amount, money.currency.lower()) == money


@pytest.mark.parametrize("money", [Money(1_501, "MGA"), Money(12_345, "KWD")])
def test_decimals_that_stripe_does_not_take_are_refused(money: Money) -> None:
    with pytest.raises(Malformed):
        to_stripe(money)


@pytest.mark.parametrize(
    ("amount_minor", "quantity", "split"),
    [(100, 4, (25, 4)), (100, 3, (100, 1)), (99, 3, (33, 3)), (5, 0, (5, 1)), (1, 2, (1, 1))],
)
def test_units_times_price_is_always_the_total(amount_minor: int, quantity: int, split: tuple[int, int]) -> None:
    assert unit_split(a_subscription(amount_minor=amount_minor, quantity=quantity)) == split


REFUND: dict[str, Any] = {
    "id": "re_1",
    "object": "refund",
    "amount": 500,
    "currency": "usd",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "created": 1_795_000_000,
    "metadata": {},
    "reason": None,
}


def test_a_refund_made_by_hand_is_told_with_its_money_and_ours_is_an_echo() -> None:
    told = translate(_message(_event("refund.created", **REFUND)))
    assert isinstance(told, list)
    (one,) = told
    assert isinstance(one.fact, PaymentRefunded)
    assert (one.fact.amount, one.fact.payment_source_id, one.subject) == (Money(500, "USD"), "pi_1", "re_1")
    ours = {**REFUND, "metadata": {"refund_id": "refund-1"}}
    assert translate(_message(_event("refund.created", **ours))) == Ignored(reason="echo")
    older = translate(_message(_event("refund.created", **{**REFUND, "payment_intent": None})))
    assert isinstance(older, list)
    assert isinstance(older[0].fact, PaymentRefunded)
    assert older[0].fact.payment_source_id == "ch_1"


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"amount": "500"}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": True}, "amount"),
        ({"currency": None}, "currency"),
        ({"created": 10**15}, "created"),
        ({"id": ""}, "id"),
        ({"payment_intent": ["pi_1"]}, "payment_intent"),
        ({"payment_intent": None, "charge": None}, "charge"),
    ],
)
def test_a_refund_that_is_not_as_documented_is_kept_aside(changed: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Malformed) as refused:
        translate(_message(_event("refund.created", **{**REFUND, **changed})))
    assert (refused.value.code, refused.value.detail["pointer"]) == ("stripe.not_an_event", f"/data/object/{pointer}")


@pytest.mark.parametrize("kind", ["charge.refunded", "charge.dispute.created", "charge.dispute.closed"])
def test_what_a_card_network_disputes_is_known_and_not_used(kind: str) -> None:
    assert translate(_message(_event(kind, id="dp_1"))) == Ignored(reason="not_used")
