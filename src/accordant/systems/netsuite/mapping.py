"""Translates customers, orders and credit memos between our words and NetSuite's; amounts stay exact decimals.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156334828635.html (external ids)
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html (replacing a sublist)
https://timdietrich.me/blog/netsuite-suiteql-transaction-statuses (status is one letter in SuiteQL)
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_0404042133.html (a credit memo's properties)
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.credit import CreditMemo
from accordant.canonical.customer import Address, Customer
from accordant.canonical.operation import Facts
from accordant.canonical.order import Order, OrderLine
from accordant.kernel.errors import Malformed, Unmapped
from accordant.kernel.money import exponent

CUSTOM_PRICE = {"id": "-1"}
"""The price level that lets a line carry its own amount."""
OPEN, CLOSED = "open", "closed"
CLOSED_LETTERS = frozenset({"C", "H"})
"""Sales order statuses Cancelled and Closed."""
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_INTERNAL_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,8})?", re.ASCII)


class Currencies(msgspec.Struct, frozen=True):
    """ISO 4217 codes and the account's internal ids for them, from the connection's option `currency_ids`."""

    id_by_code: Mapping[str, str]
    code_by_id: Mapping[str, str]

    @classmethod
    def read(cls, option: Mapping[str, Any]) -> "Currencies":
        by_code = {str(code): str(number) for code, number in option.items()}
        return cls(by_code, {number: code for code, number in by_code.items()})

    def reference(self, code: str) -> dict[str, str]:
        """NetSuite's reference to a currency.

        Raises:
            Unmapped: the option names no internal id for it.
        """
        if code not in self.id_by_code:
            raise Unmapped(
                f"currency {code} has no internal id of NetSuite; expected it in the option currency_ids",
                code="netsuite.currency_unmapped",
                hint="add the currency with NetSuite's number for it to currency_ids of the connection, then retry",
                detail={"table": "currency_ids", "value": code, "candidates": sorted(self.id_by_code)},
            )
        return {"id": self.id_by_code[code]}


def eid(business_id: str) -> str:
    """Our id as NetSuite takes it in an address.

    Raises:
        Malformed: external ids in addresses are letters, digits, underscores and hyphens.
    """
    if not _EXTERNAL_ID.fullmatch(business_id):
        raise Malformed(
            f"{business_id[:60]!r} cannot be an external id in NetSuite; expected letters, digits, _ and -",
            code="netsuite.external_id",
            hint="report it: ids made here have no other characters",
        )
    return f"eid:{business_id}"


def reference(code: str) -> dict[str, str]:
    """A reference as our reference tables write it: digits are an internal id, anything else an external id."""
    return {"id": code} if _INTERNAL_ID.fullmatch(code) else {"externalId": code}


def customer_body(customer: Customer, *, erp_entity: str, currencies: Currencies) -> dict[str, Any]:
    """The whole customer; sent with `replace=addressBook`, so that sending it again changes nothing."""
    body: dict[str, Any] = {
        "externalId": customer.customer_id,
        "companyName": customer.name,
        "isPerson": False,
        "subsidiary": reference(erp_entity),
        "currency": currencies.reference(customer.currency),
        "addressBook": {"items": _addresses(customer)},
    }
    if customer.parent_id is not None:
        body["parent"] = {"externalId": customer.parent_id}
    return body


def order_body(order: Order, *, currencies: Currencies) -> dict[str, Any]:
    """The whole order; sent with `replace=item`."""
    return {
        "externalId": order.order_id,
        "entity": {"externalId": order.customer_id},
        "subsidiary": reference(order.erp_entity),
        "currency": currencies.reference(order.total.currency),
        "tranDate": order.ordered_on.isoformat(),
        "otherRefNum": order.opportunity_id,
        "memo": order.subscription_id,
        **lines_body(order, closed=False),
    }


def lines_body(order: Order, *, closed: bool) -> dict[str, Any]:
    """All lines of the order, the only part that an amendment or a closing changes."""
    return {"item": {"items": [_line(line, order, closed=closed) for line in order.lines]}}


def credit_memo_body(memo: CreditMemo, *, currencies: Currencies) -> dict[str, Any]:
    """The whole credit memo; sent with `replace=item`. NetSuite takes what is credited as a positive amount."""
    line = {
        "item": {"externalId": memo.item},
        "quantity": 1,
        "price": CUSTOM_PRICE,
        "rate": Decimal(memo.amount.decimal_text),
    }
    return {
        "externalId": memo.credit_id,
        "entity": {"externalId": memo.customer_id},
        "subsidiary": reference(memo.erp_entity),
        "currency": currencies.reference(memo.amount.currency),
        "tranDate": memo.posted_on.isoformat(),
        "memo": f"case {memo.case_id}, credit {memo.credit_id}",
        "item": {"items": [line]},
    }


def expected_customer(customer: Customer) -> Facts:
    return {
        "business_id": customer.customer_id,
        "name": customer.name,
        "parent_id": customer.parent_id,
        "currency": customer.currency,
    }


def expected_order(order: Order, *, status: str) -> Facts:
    return {
        "business_id": order.order_id,
        "customer_id": order.customer_id,
        "currency": order.total.currency,
        "amount_minor": order.total.amount_minor,
        "status": status,
    }


def expected_credit_memo(memo: CreditMemo) -> Facts:
    return {
        "business_id": memo.credit_id,
        "customer_id": memo.customer_id,
        "currency": memo.amount.currency,
        "amount_minor": memo.amount.amount_minor,
        "posted_on": memo.posted_on.isoformat(),
    }


def customer_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `customer` says; `names` gives customers' external ids by internal id."""
    parent = _text(row.get("parent"))
    return {
        "business_id": _text(row.get("externalid")),
        "name": _text(row.get("companyname")),
        "parent_id": names.get(parent) if parent else None,
        "currency": _currency(row.get("currency"), currencies),
    }


def order_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a sales order."""
    facts = _transaction_facts(row, names=names, currencies=currencies)
    return facts | {"status": CLOSED if row.get("status") in CLOSED_LETTERS else OPEN}


def credit_memo_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a credit memo, whose `foreigntotal` is negative there."""
    facts = _transaction_facts(row, names=names, currencies=currencies)
    amount = amount_minor(row.get("foreigntotal"), _currency(row.get("currency"), currencies))
    return facts | {"amount_minor": -amount, "posted_on": _text(row.get("posted_on"))}


def amount_minor(value: object, currency: str | None) -> int:
    """An amount of NetSuite, text or number, in the currency's smallest unit.

    Raises:
        Malformed: not a plain decimal, or finer than the currency's smallest unit.
    """
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    text = value if isinstance(value, str) else format(value, "f") if is_number else ""
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise _no_amount(f"NetSuite gave {str(value)[:40]!r} where an amount belongs")
    try:
        minor = Decimal(text).scaleb(exponent(currency or ""))
    except InvalidOperation as error:
        raise _no_amount(f"NetSuite gave {text[:40]!r} where an amount belongs") from error
    if minor != minor.to_integral_value():
        raise _no_amount(f"NetSuite gave {text}, finer than {currency} can be")
    return int(minor)


def _no_amount(said: str) -> Malformed:
    hint = "look the record up in NetSuite; its currency there may be another than ours"
    return Malformed(f"{said}; expected a plain decimal", code="netsuite.amount", hint=hint)


def translate(message: Message) -> list[Told] | Ignored:
    """NetSuite tells no facts that flows act on: it is asked, never listened to."""
    return Ignored(reason="unknown_type")


def _line(line: OrderLine, order: Order, *, closed: bool) -> dict[str, Any]:
    if line.total.currency != order.total.currency:
        raise Malformed(
            f"a line is in {line.total.currency}, the order in {order.total.currency}; both must be in one currency",
            code="currency.mismatch",
        )
    return {
        "item": {"externalId": line.product_id},
        "quantity": line.quantity,
        "price": CUSTOM_PRICE,
        "amount": Decimal(line.total.decimal_text),
        "isClosed": closed,
    }


def _addresses(customer: Customer) -> list[dict[str, Any]]:
    if customer.bill_to == customer.ship_to:
        return [_address(customer.bill_to, billing=True, shipping=True)]
    return [
        _address(customer.bill_to, billing=True, shipping=False),
        _address(customer.ship_to, billing=False, shipping=True),
    ]


def _address(address: Address, *, billing: bool, shipping: bool) -> dict[str, Any]:
    streets = {f"addr{number}": line for number, line in enumerate(address.lines[:3], start=1)}
    places = {"city": address.city, "state": address.region, "zip": address.postal_code}
    return {
        "defaultBilling": billing,
        "defaultShipping": shipping,
        "addressBookAddress": {
            "country": {"id": address.country},
            **streets,
            **{name: value for name, value in places.items() if value},
        },
    }


def _transaction_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    currency = _currency(row.get("currency"), currencies)
    return {
        "business_id": _text(row.get("externalid")),
        "customer_id": names.get(_text(row.get("entity")) or ""),
        "currency": currency,
        "amount_minor": amount_minor(row.get("foreigntotal"), currency),
    }


def _currency(value: object, currencies: Currencies) -> str | None:
    return currencies.code_by_id.get(_text(value) or "")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
