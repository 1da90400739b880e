"""Translates an order between our words and NetSuite's sales order.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html (replacing a sublist)
https://timdietrich.me/blog/netsuite-suiteql-transaction-statuses (status is one letter in SuiteQL)
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from accordant.canonical.operation import Facts
from accordant.canonical.order import Order, OrderLine
from accordant.kernel.errors import Malformed
from accordant.systems.netsuite.mapping.values import CUSTOM_PRICE, Currencies, reference, transaction_facts

OPEN, CLOSED = "open", "closed"
CLOSED_LETTERS = frozenset({"C", "H"})
"""Sales order statuses Cancelled and Closed."""


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


def expected_order(order: Order, *, status: str) -> Facts:
    return {
        "business_id": order.order_id,
        "customer_id": order.customer_id,
        "currency": order.total.currency,
        "amount_minor": order.total.amount_minor,
        "status": status,
    }


def order_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a sales order."""
    facts = transaction_facts(row, names=names, currencies=currencies)
    return facts | {"status": CLOSED if row.get("status") in CLOSED_LETTERS else OPEN}


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
        **({"description": line.description} if line.description else {}),
    }
