"""Translates invoices, what takes them back, and payments for them between our words and NetSuite's.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html (replacing a sublist)
https://meir.prolecto.com/2023/02/19/sql-ar-and-ap-fields/ (paid, unpaid and unused amounts in SuiteQL)
Tax was computed by billing, to the cent: it is a line under an item of its own, which NetSuite does not compute again.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from accordant.canonical.invoice import CreditNote, Invoice, RevenueLine
from accordant.canonical.operation import Facts, Receipt
from accordant.canonical.payment import Payment
from accordant.kernel.money import Money
from accordant.systems.netsuite.mapping.values import (
    CUSTOM_PRICE,
    Currencies,
    amount_minor,
    reference,
    text_or_none,
    transaction_facts,
)

OUR_REFERENCE_CHARS = 45


def invoice_body(invoice: Invoice, *, currencies: Currencies) -> dict[str, Any]:
    """The whole invoice; sent with `replace=item`."""
    due = {"dueDate": invoice.due_on.isoformat()} if invoice.due_on else {}
    return {
        "externalId": invoice.invoice_id,
        "entity": {"externalId": invoice.customer_id},
        "subsidiary": reference(invoice.erp_entity),
        "currency": currencies.reference(invoice.total.currency),
        "tranDate": invoice.posted_on.isoformat(),
        **due,
        "otherRefNum": invoice.number[:OUR_REFERENCE_CHARS],
        "memo": f"invoice {invoice.number}",
        "item": {"items": _lines(invoice.lines, tax=invoice.tax, tax_item=invoice.tax_item)},
    }


def credit_note_body(note: CreditNote, *, invoice: Receipt, currencies: Currencies) -> dict[str, Any]:
    """A credit memo with the lines that are given back, applied to the invoice; sent with `replace=item,apply`."""
    return {
        "externalId": note.note_id,
        "entity": {"externalId": note.customer_id},
        "subsidiary": reference(note.erp_entity),
        "currency": currencies.reference(note.total.currency),
        "tranDate": note.posted_on.isoformat(),
        "otherRefNum": note.number[:OUR_REFERENCE_CHARS],
        "memo": f"{note.number}: {note.reason}"[:999],
        "item": {"items": _lines(note.lines, tax=note.tax, tax_item=note.tax_item)},
        "apply": _applied_to(invoice, note.applied),
    }


def payment_body(payment: Payment, *, invoice: Receipt, currencies: Currencies) -> dict[str, Any]:
    """The whole payment, applied to its invoice; sent with `replace=apply`."""
    return {
        "externalId": payment.payment_id,
        "customer": {"externalId": payment.customer_id},
        "subsidiary": reference(payment.erp_entity),
        "currency": currencies.reference(payment.amount.currency),
        "tranDate": payment.paid_on.isoformat(),
        "memo": f"invoice {payment.number}",
        "payment": Decimal(payment.amount.decimal_text),
        "apply": _applied_to(invoice, payment.amount),
    }


def expected_invoice(invoice: Invoice) -> Facts:
    return {
        "business_id": invoice.invoice_id,
        "customer_id": invoice.customer_id,
        "currency": invoice.total.currency,
        "amount_minor": invoice.total.amount_minor,
        "posted_on": invoice.posted_on.isoformat(),
        "number": invoice.number[:OUR_REFERENCE_CHARS],
    }


def expected_credit_note(note: CreditNote) -> Facts:
    """As `credit_memo_facts` reads it."""
    return {
        "business_id": note.note_id,
        "customer_id": note.customer_id,
        "currency": note.total.currency,
        "amount_minor": note.total.amount_minor,
        "posted_on": note.posted_on.isoformat(),
    }


def expected_payment(payment: Payment) -> Facts:
    return {
        "business_id": payment.payment_id,
        "customer_id": payment.customer_id,
        "currency": payment.amount.currency,
        "amount_minor": payment.amount.amount_minor,
        "posted_on": payment.paid_on.isoformat(),
        "unapplied_minor": 0,
    }


def invoice_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about an invoice."""
    facts = transaction_facts(row, names=names, currencies=currencies)
    return facts | {"posted_on": text_or_none(row.get("posted_on")), "number": text_or_none(row.get("otherrefnum"))}


def payment_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `transaction` says about a payment."""
    facts = transaction_facts(row, names=names, currencies=currencies)
    currency = facts["currency"]
    unused = amount_minor(row.get("foreignpaymentamountunused"), currency if isinstance(currency, str) else None)
    return facts | {"posted_on": text_or_none(row.get("posted_on")), "unapplied_minor": unused}


def _lines(lines: Sequence[RevenueLine], *, tax: Money, tax_item: str) -> list[dict[str, Any]]:
    rows = [_line(line) for line in lines]
    if tax.amount_minor:
        rows.append(_row(tax_item, 1, total=tax) | {"description": "Tax"})
    return rows


def _line(line: RevenueLine) -> dict[str, Any]:
    dimensions = {name: reference(code) for name, code in line.dimensions.items()}
    said = {"description": line.description[:999]} if line.description else {}
    return _row(line.item, line.quantity, total=line.total) | said | dimensions


def _row(item: str, quantity: int, *, total: Money) -> dict[str, Any]:
    amount = Decimal(total.decimal_text)
    return {"item": {"externalId": item}, "quantity": quantity, "price": CUSTOM_PRICE, "amount": amount}


def _applied_to(invoice: Receipt, amount: Money) -> dict[str, Any]:
    if not amount.amount_minor:
        return {"items": []}
    return {"items": [{"doc": {"id": invoice.native_id}, "apply": True, "amount": Decimal(amount.decimal_text)}]}
