"""Translates a refund between our words and NetSuite's, where a customer refund pays a credit memo out.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/article_0830082954.html (customerRefund: sublist `apply`,
its lines are named by `doc`) and https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3672094.html
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from accordant.canonical.operation import Facts, Receipt
from accordant.canonical.refund import RefundEntry
from accordant.systems.netsuite.mapping.values import Currencies, reference, text_or_none, transaction_facts


def refund_body(entry: RefundEntry, *, memo: Receipt, currencies: Currencies) -> dict[str, Any]:
    """The whole customer refund; sent with `replace=apply`. Account and payment method are the account's defaults."""
    amount = Decimal(entry.amount.decimal_text)
    return {
        "externalId": entry.refund_id,
        "customer": {"externalId": entry.customer_id},
        "subsidiary": reference(entry.erp_entity),
        "currency": currencies.reference(entry.amount.currency),
        "tranDate": entry.posted_on.isoformat(),
        "memo": f"case {entry.case_id}, invoice {entry.invoice_number}, refund {entry.refund_id}",
        "apply": {"items": [{"doc": {"id": memo.native_id}, "apply": True, "amount": amount}]},
    }


def expected_refund(entry: RefundEntry) -> Facts:
    return {
        "business_id": entry.refund_id,
        "customer_id": entry.customer_id,
        "currency": entry.amount.currency,
        "amount_minor": entry.amount.amount_minor,
        "posted_on": entry.posted_on.isoformat(),
    }


def refund_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a customer refund; no page says with which sign it is shown."""
    facts = transaction_facts(row, names=names, currencies=currencies)
    return facts | {"amount_minor": abs(int(facts["amount_minor"] or 0)), "posted_on": text_or_none(row["posted_on"])}
