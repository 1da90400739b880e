"""What the flows of an invoice share: whose it is, where the books hold it, and how the account then stands."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from accordant.backbone.transaction import Transaction
from accordant.canonical.account import AccountStanding, Balance
from accordant.canonical.customer import Customer
from accordant.canonical.invoice import BilledInvoice, BilledLine, CreditNote, Invoice, RevenueLine
from accordant.canonical.operation import Receipt
from accordant.canonical.payment import Payment, PaymentReceived
from accordant.canonical.ports import Billing, Crm, Support
from accordant.governance.collections import STATUSES
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money
from accordant.masterdata import crosswalk, customers
from accordant.masterdata.reference import resolve
from accordant.masterdata.standing import StandingRow, last_decided

ITEMS, TAX_ITEMS = "revenue_item", "tax_item"
NO_PRODUCT = "no product"
"""The word of `revenue_item` for a line that names none."""
_DIMENSIONS = ("department", "class", "location")
_LOOKS_S = (1, 3, 10, 60, 600, 3_600, 21_600, 86_400, 259_200)
"""When a later fact of an invoice looks for it in the books; billing repeats a delivery for three days."""


async def whose(tx: Transaction, invoice: BilledInvoice) -> str:
    """Our customer who owes the invoice, as JSON.

    Raises:
        Terminal: `invoice.customer_unknown`, where it is nobody's.
    """
    source_id = invoice.customer_source_id
    wanted = crosswalk.ours(tx.row.tenant, "customer", system="billing", native_id=source_id)
    customer_id = await tx.recall("whose invoice", lambda ours: ours.find(wanted), result_type=str)
    known = await customers.latest_record(tx, "customer", canonical=customer_id) if customer_id else ""
    if not known:
        raise Terminal(
            f"invoice {invoice.number} is for billing's customer {source_id}, who is no customer of ours",
            code="invoice.customer_unknown",
            hint="open the customer from the CRM, or void the invoice in billing, then retry",
            detail={"field": "customer", "value": source_id, "record": invoice.number},
        )
    return known


def invoice_id_of(tenant: str, invoice: BilledInvoice) -> str:
    """Our id of an invoice of billing."""
    return canonical_id("invoice", tenant, invoice.source_id)


def moves_nothing(invoice: BilledInvoice) -> bool:
    """Whether every line is for nothing: such an invoice is not posted."""
    return not invoice.lines_left and not any(line.total.amount_minor for line in invoice.lines)


async def in_the_books(tx: Transaction, invoice: BilledInvoice) -> Receipt:
    """Where the books hold the invoice; what is told before it is posted waits for it.

    Raises:
        Terminal: `invoice.not_posted`, where it is not there after three days.
    """
    invoice_id = invoice_id_of(tx.row.tenant, invoice)
    wanted = crosswalk.natives(tx.row.tenant, "invoice", canonical_id=invoice_id)
    for after_s in _LOOKS_S:
        held = await tx.recall(
            f"in the books after {after_s} s", lambda ours: ours.find(wanted), result_type=dict[str, str]
        )
        if "erp" in held:
            return Receipt(kind="invoice", native_id=held["erp"], business_id=invoice_id)
        await tx.until(f"look again after {after_s} s", tx.row.opened_at_ms + after_s * 1000)
    raise Terminal(
        f"invoice {invoice.number} is not in the books, three days after this was told of it",
        code="invoice.not_posted",
        hint="look for the invoice's own transaction and complete it, then retry",
        detail={"record": invoice.number, "cause": f"invoice {invoice.number} is not in the books"},
    )


def invoice_of(
    billed: BilledInvoice, lines: Sequence[BilledLine], known: str, tenant: str, estate: Estate, /
) -> Invoice:
    """The invoice as it is posted, every word of it resolved.

    Raises:
        Malformed: `currency.mismatch`, another currency than the customer's; `invoice.sum`.
        Unmapped: a product, legal entity or tax without a row in its reference table.
    """
    customer, on = msgspec.json.decode(known.encode(), type=Customer), billed.issued_on
    if customer.currency != billed.total.currency:
        raise _mismatch(
            "currency.mismatch", billed, expected=f"{customer.currency}, the customer's currency in the books"
        )
    told = sum((line.total for line in lines), billed.tax)
    if told != billed.total:
        raise _mismatch("invoice.sum", billed, expected=f"lines and tax that make {billed.total}, and they make {told}")
    entity = customer.legal_entity
    return Invoice(
        invoice_id=invoice_id_of(tenant, billed),
        number=billed.number,
        customer_id=customer.customer_id,
        legal_entity=entity,
        erp_entity=resolve(estate, "legal_entity", value=entity, on=on).target,
        lines=tuple(_line(line, estate, on=on) for line in lines),
        tax=billed.tax,
        tax_item=resolve(estate, TAX_ITEMS, value=entity, on=on).target if billed.tax.amount_minor else "",
        total=billed.total,
        posted_on=on,
        due_on=billed.due_on,
    )


def note_of(posted: str, billed: BilledInvoice, voided_on: date, estate: Estate, /) -> CreditNote:
    """What takes the whole posted invoice back."""
    invoice = msgspec.json.decode(posted.encode(), type=Invoice)
    return CreditNote(
        note_id=canonical_id("credit_note", invoice.invoice_id, "voided"),
        number=invoice.number,
        invoice_id=invoice.invoice_id,
        customer_id=invoice.customer_id,
        legal_entity=invoice.legal_entity,
        erp_entity=invoice.erp_entity,
        lines=invoice.lines,
        tax=invoice.tax,
        tax_item=invoice.tax_item,
        total=invoice.total,
        applied=invoice.total,
        reason="voided in billing",
        posted_on=voided_on,
    )


def payment_of(posted: str, fact: PaymentReceived, estate: Estate, /) -> Payment:
    """What came for the posted invoice."""
    invoice = msgspec.json.decode(posted.encode(), type=Invoice)
    return Payment(
        payment_id=canonical_id("payment", invoice.invoice_id),
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        customer_id=invoice.customer_id,
        legal_entity=invoice.legal_entity,
        erp_entity=invoice.erp_entity,
        amount=fact.amount,
        paid_on=fact.paid_on,
    )


async def tell_standing(
    tx: Transaction, known: str, /, *, on: date, billing: Billing, tell: tuple[Crm, Support]
) -> None:
    """Show in the CRM and in support what the customer owes, asked of billing now."""
    customer = msgspec.json.decode(known.encode(), type=Customer)
    customer_id, currency = customer.customer_id, customer.currency
    wanted = crosswalk.natives(tx.row.tenant, "customer", canonical_id=customer_id)
    at = await tx.recall("where the customer is", lambda ours: ours.find(wanted), result_type=dict[str, str])

    def receipt(system: str) -> Receipt:
        return Receipt(kind="customer", native_id=at[system], business_id=customer_id)

    async def ask(_: Any) -> Balance:
        return await billing.balance(receipt("billing"), currency=currency, on=on)

    balance = await tx.recall("balance", ask, result_type=Balance)
    decided = await last_decided(tx, "how the account stands", customer_id=customer_id)
    standing = standing_of(balance, customer_id, on=on, decided=decided, transaction_id=tx.row.transaction_id)
    crm, support = tell
    if "crm" in at:
        await tx.effect("tell sales", crm.tell_account(standing, account=receipt("crm")))
    if "support" in at:
        await tx.effect("tell support", support.tell_account(standing, account=receipt("support")))


def standing_of(
    balance: Balance, customer_id: str, *, on: date, decided: tuple[StandingRow, ...], transaction_id: str
) -> AccountStanding:
    """What is owed less what the customer holds with us; past due where a due date has passed.

    Where it was decided before that the account stands worse, that stays: only what decides about the account lifts it.
    """
    is_late = balance.overdue.amount_minor > 0
    status, reason = ("past due", f"{balance.overdue} is overdue") if is_late else ("current", "")
    if decided and STATUSES.index(decided[0].status) > STATUSES.index(status):
        status, reason = decided[0].status, decided[0].reason
    return AccountStanding(
        customer_id=customer_id,
        status=status,
        balance=balance.owed - balance.credit,
        overdue=balance.overdue,
        as_of=on,
        reason=reason,
        transaction_id=transaction_id,
    )


def worth(fact: Any) -> Money | None:
    return fact.invoice.total


def _line(line: BilledLine, estate: Estate, *, on: date) -> RevenueLine:
    row = resolve(estate, ITEMS, value=line.product_word or NO_PRODUCT, on=on)
    dimensions = {name: row.attributes[name] for name in _DIMENSIONS if row.attributes.get(name)}
    return RevenueLine(
        line_id=line.line_id,
        item=row.target,
        dimensions=dimensions,
        description=line.description,
        quantity=line.quantity,
        total=line.total,
    )


def _mismatch(code: str, billed: BilledInvoice, *, expected: str) -> Malformed:
    return Malformed(
        f"invoice {billed.number} over {billed.total} cannot be posted; expected {expected}",
        code=code,
        hint="correct it in billing: void the invoice and issue another one",
        detail={"record": billed.number, "field": "invoice", "value": str(billed.total)},
    )
