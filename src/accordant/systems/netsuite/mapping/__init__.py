"""Translates customers, orders and credit memos between our words and NetSuite's; amounts stay exact decimals."""

from accordant.systems.netsuite.mapping.credit_memos import credit_memo_body, credit_memo_facts, expected_credit_memo
from accordant.systems.netsuite.mapping.customers import customer_body, customer_facts, expected_customer
from accordant.systems.netsuite.mapping.event import HOLDS, translate
from accordant.systems.netsuite.mapping.invoices import (
    credit_note_body,
    expected_credit_note,
    expected_invoice,
    expected_payment,
    invoice_body,
    invoice_facts,
    payment_body,
    payment_facts,
)
from accordant.systems.netsuite.mapping.orders import (
    CLOSED,
    CLOSED_LETTERS,
    OPEN,
    expected_order,
    lines_body,
    order_body,
    order_facts,
)
from accordant.systems.netsuite.mapping.refunds import expected_refund, refund_body, refund_facts
from accordant.systems.netsuite.mapping.values import Currencies, amount_minor, eid

__all__ = [
    "CLOSED",
    "CLOSED_LETTERS",
    "HOLDS",
    "OPEN",
    "Currencies",
    "amount_minor",
    "credit_memo_body",
    "credit_memo_facts",
    "credit_note_body",
    "customer_body",
    "customer_facts",
    "eid",
    "expected_credit_memo",
    "expected_credit_note",
    "expected_customer",
    "expected_invoice",
    "expected_order",
    "expected_payment",
    "expected_refund",
    "invoice_body",
    "invoice_facts",
    "lines_body",
    "order_body",
    "order_facts",
    "payment_body",
    "payment_facts",
    "refund_body",
    "refund_facts",
    "translate",
]
