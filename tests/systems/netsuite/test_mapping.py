"""Our words and NetSuite's, both ways."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accordant.backbone.message import Ignored, Message
from accordant.canonical.customer import Address
from accordant.kernel.errors import Malformed, Unmapped
from accordant.kernel.money import Money
from accordant.systems.netsuite import mapping
from tests.systems.netsuite.sold import AT, customer, memo, order

CURRENCIES = mapping.Currencies.read({"USD": 1, "EUR": "4", "JPY": 8})


def test_a_customer_carries_our_id_its_entity_currency_parent_and_country() -> None:
    body = mapping.customer_body(customer(parent_id="customer-0"), erp_entity="US01", currencies=CURRENCIES)
    assert body == {
        "externalId": "customer-1",
        "companyName": "Acme GmbH & Co. <KG>",
        "isPerson": False,
        "subsidiary": {"externalId": "US01"},
        "currency": {"id": "1"},
        "parent": {"externalId": "customer-0"},
        "addressBook": {
            "items": [
                {
                    "defaultBilling": True,
                    "defaultShipping": True,
                    "addressBookAddress": {
                        "country": {"id": "US"},
                        "addr1": "1 Main Street",
                        "addr2": "Floor 2",
                        "city": "Boston",
                        "state": "MA",
                        "zip": "02110",
                    },
                }
            ]
        },
    }


def test_two_addresses_become_two_lines_and_no_parent_is_no_property() -> None:
    shipped = customer(ship_to=Address(country="DE"))
    body = mapping.customer_body(shipped, erp_entity="3", currencies=CURRENCIES)
    lines = body["addressBook"]["items"]
    assert [(line["defaultBilling"], line["defaultShipping"]) for line in lines] == [(True, False), (False, True)]
    assert lines[1]["addressBookAddress"] == {"country": {"id": "DE"}}
    assert body["subsidiary"] == {"id": "3"}
    assert "parent" not in body


def test_an_order_carries_exact_amounts_and_our_ids() -> None:
    body = mapping.order_body(order(105450, 1), currencies=CURRENCIES)
    assert {name: value for name, value in body.items() if name != "item"} == {
        "externalId": "order-1",
        "entity": {"externalId": "customer-1"},
        "subsidiary": {"externalId": "US01"},
        "currency": {"id": "1"},
        "tranDate": "2026-03-31",
        "otherRefNum": "OPP-1",
        "memo": "subscription-1",
    }
    encoded = msgspec.json.Encoder(decimal_format="number").encode(body["item"])
    assert b'"amount":1054.50,' in encoded
    assert b'"amount":0.01,' in encoded


@pytest.mark.parametrize(
    ("amount", "currency", "sent"), [(1000, "JPY", "1000"), (-1, "USD", "-0.01"), (5, "EUR", "0.05")]
)
def test_amounts_follow_the_currencys_decimals(amount: int, currency: str, sent: str) -> None:
    line = mapping.lines_body(order(amount, currency=currency), closed=True)["item"]["items"][0]
    assert str(line["amount"]) == sent
    assert line["isClosed"] is True


@given(amount=st.integers(-(10**14), 10**14), currency=st.sampled_from(["USD", "JPY", "EUR"]))
def test_every_amount_comes_back_as_it_went(amount: int, currency: str) -> None:
    line = mapping.lines_body(order(amount, currency=currency), closed=False)["item"]["items"][0]
    assert mapping.amount_minor(line["amount"], currency) == amount
    assert mapping.amount_minor(str(line["amount"]), currency) == amount


@pytest.mark.parametrize("value", ["", "1e5", "NaN", "1,054.00", " 1", "١", None, True, 1.5, {}, "9" * 30])
def test_what_is_no_plain_decimal_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        mapping.amount_minor(value, "USD")


def test_a_number_in_exponent_form_is_read_exactly() -> None:
    assert mapping.amount_minor(Decimal("1E+3"), "USD") == 100000


def test_an_amount_finer_than_its_currency_is_malformed() -> None:
    with pytest.raises(Malformed):
        mapping.amount_minor("10.5", "JPY")
    with pytest.raises(Malformed):
        mapping.amount_minor("10.5", None)


def test_an_order_in_two_currencies_is_malformed() -> None:
    with pytest.raises(Malformed) as raised:
        mapping.order_body(order(total=Money(105450, "EUR")), currencies=CURRENCIES)
    assert raised.value.code == "currency.mismatch"


def test_a_currency_without_internal_id_is_unmapped_by_name() -> None:
    with pytest.raises(Unmapped) as raised:
        mapping.customer_body(customer(currency="GBP"), erp_entity="1", currencies=CURRENCIES)
    assert raised.value.detail["candidates"] == ["EUR", "JPY", "USD"]


@pytest.mark.parametrize("business_id", ["", "a b", "a|b", "a/b", "../b", "ä", "x" * 101, "a\n"])
def test_what_an_address_cannot_carry_is_no_external_id(business_id: str) -> None:
    with pytest.raises(Malformed):
        mapping.eid(business_id)


def test_rows_become_the_facts_that_were_expected() -> None:
    row = {"id": "50001", "externalid": "order-1", "entity": "1001", "currency": "1", "foreigntotal": "1054.5"}
    facts = mapping.order_facts({**row, "status": "B"}, names={"1001": "customer-1"}, currencies=CURRENCIES)
    assert facts == mapping.expected_order(order(), status="open")
    closed = mapping.order_facts({**row, "status": "H"}, names={}, currencies=CURRENCIES)
    assert (closed["status"], closed["customer_id"]) == ("closed", None)
    row = {"id": "1001", "externalid": "customer-1", "companyname": "Acme GmbH & Co. <KG>", "currency": "1"}
    facts = mapping.customer_facts(row, names={}, currencies=CURRENCIES)
    assert facts == mapping.expected_customer(customer(bill_to=AT))


def test_a_memo_is_one_line_of_the_exact_positive_amount() -> None:
    body = mapping.credit_memo_body(memo(), currencies=CURRENCIES)
    (line,) = body.pop("item")["items"]
    assert body == {
        "externalId": "credit-1",
        "entity": {"externalId": "customer-1"},
        "subsidiary": {"externalId": "US01"},
        "currency": {"id": "1"},
        "tranDate": "2026-10-15",
        "memo": "case 4711, credit credit-1",
    }
    assert line == {"item": {"externalId": "SKU-2"}, "quantity": 1, "price": {"id": "-1"}, "rate": Decimal("250.50")}


def test_a_row_of_a_memo_is_negative_and_its_fact_positive() -> None:
    row = {"id": "50001", "externalid": "credit-1", "entity": "1001", "currency": "1", "foreigntotal": "-250.5"}
    row["posted_on"] = "2026-10-15"
    facts = mapping.credit_memo_facts(row, names={"1001": "customer-1"}, currencies=CURRENCIES)
    assert facts == mapping.expected_credit_memo(memo())
    charged = mapping.credit_memo_facts({**row, "foreigntotal": "250.5"}, names={}, currencies=CURRENCIES)
    assert charged["amount_minor"] == -25050


def test_nothing_that_arrives_is_a_fact() -> None:
    message = Message(
        message_id="m",
        tenant="t",
        connection="netsuite",
        stream="webhook",
        delivery_id="d",
        body=b"{}",
        received_at_ms=0,
        correlation_id="c",
    )
    assert mapping.translate(message) == Ignored(reason="unknown_type")
