"""Translates a credit memo between our words and NetSuite's.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Source:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_0404042133.html (a credit memo's properties)
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from accordant.canonical.credit import CreditMemo
from accordant.canonical.operation import Facts
from accordant.systems.netsuite.mapping.values import (
    CUSTOM_PRICE,
    Currencies,
    amount_minor,
    currency_code,
    reference,
    text_or_none,
    transaction_facts,
)


def credit_memo_body(memo: CreditMemo, *, currencies: Currencies) -> dict[str, Any]:
    """The whole credit memo; sent with `replace=item`. NetSuite takes what is credited as a positive amount."""
    line = {
        "item": {"externalId": memo.item},
        "quantity": 1,
        "price": CUSTOM_PRICE,
        "rate": Decimal(memo.amount.decimal_text),
    }
    named = f"case {memo.case_id}" if memo.case_id else f"credit note {memo.number}"
    body: dict[str, Any] = {
        "externalId": memo.credit_id,
        "entity": {"externalId": memo.customer_id},
        "subsidiary": reference(memo.erp_entity),
        "currency": currencies.reference(memo.amount.currency),
        "tranDate": memo.posted_on.isoformat(),
        "memo": ", ".join(part for part in (named, f"credit {memo.credit_id}", memo.about) if part),
        "item": {"items": [line]},
    }
    if memo.number:
        body["otherRefNum"] = memo.number
    if memo.invoice_native_id and memo.pays is not None:
        paid = {"apply": True, "doc": {"id": memo.invoice_native_id}, "amount": Decimal(memo.pays.decimal_text)}
        body["apply"] = {"items": [paid]}
    return body


def expected_credit_memo(memo: CreditMemo) -> Facts:
    return {
        "business_id": memo.credit_id,
        "customer_id": memo.customer_id,
        "currency": memo.amount.currency,
        "amount_minor": memo.amount.amount_minor,
        "posted_on": memo.posted_on.isoformat(),
    }


def credit_memo_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a credit memo, whose `foreigntotal` is negative there."""
    facts = transaction_facts(row, names=names, currencies=currencies)
    amount = amount_minor(row.get("foreigntotal"), currency_code(row.get("currency"), currencies))
    return facts | {"amount_minor": -amount, "posted_on": text_or_none(row.get("posted_on"))}
