"""Translates customers, orders and credit memos between our words and NetSuite's; amounts stay exact decimals."""

from accordant.systems.netsuite.mapping.credit_memos import credit_memo_body, credit_memo_facts, expected_credit_memo
from accordant.systems.netsuite.mapping.customers import customer_body, customer_facts, expected_customer
from accordant.systems.netsuite.mapping.event import translate
from accordant.systems.netsuite.mapping.orders import (
    CLOSED,
    CLOSED_LETTERS,
    OPEN,
    expected_order,
    lines_body,
    order_body,
    order_facts,
)
from accordant.systems.netsuite.mapping.values import Currencies, amount_minor, eid

__all__ = [
    "CLOSED",
    "CLOSED_LETTERS",
    "OPEN",
    "Currencies",
    "amount_minor",
    "credit_memo_body",
    "credit_memo_facts",
    "customer_body",
    "customer_facts",
    "eid",
    "expected_credit_memo",
    "expected_customer",
    "expected_order",
    "lines_body",
    "order_body",
    "order_facts",
    "translate",
]
