"""What billing gave back, as the books enter it: the memo of a credit note, or of a credit on a customer's balance."""

from datetime import date

import msgspec

from accordant.backbone.transaction import Transaction
from accordant.canonical.credit import CreditMemo
from accordant.canonical.credit_note import BalanceEntry, BilledCreditNote
from accordant.canonical.customer import Customer
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money
from accordant.masterdata import crosswalk, customers
from accordant.masterdata.reference import resolve

TABLE, UNSPECIFIED, BALANCE = "credit_note_reason", "unspecified", "balance"
NOUN = "credit_memo"


async def whose(tx: Transaction, customer_source_id: str) -> str:
    """Our customer that billing's customer is, as JSON.

    Raises:
        Terminal: `credit_note.customer_unknown`, where it is nobody's.
    """
    wanted = crosswalk.ours(tx.row.tenant, "customer", system="billing", native_id=customer_source_id)
    customer_id = await tx.recall("whose credit", lambda ours: ours.find(wanted), result_type=str)
    known = await customers.latest_record(tx, "customer", canonical=customer_id) if customer_id else ""
    if not known:
        raise Terminal(
            f"billing's customer {customer_source_id} is no customer of ours",
            code="credit_note.customer_unknown",
            hint="make it a customer in the CRM under the same name, or take the credit back in billing, then retry",
            detail={"field": "customer", "value": customer_source_id},
        )
    return known


def memo_of_note(
    note: BilledCreditNote, known: str, tenant: str, invoice_native_id: str, estate: Estate, /
) -> CreditMemo:
    """The memo of a credit note, which pays its invoice; none where the books do not hold that.

    Raises:
        Malformed: `credit_note.currency`, another currency than the customer's.
        Unmapped: a reason or a legal entity without a row in its reference table.
    """
    memo = _memo(
        _customer(known),
        note.total,
        item=resolve(estate, TABLE, value=note.reason or UNSPECIFIED, on=note.issued_on).target,
        on=note.issued_on,
        estate=estate,
    )
    pays = invoice_native_id and note.off_invoice.amount_minor > 0
    return msgspec.structs.replace(
        memo,
        credit_id=memo_id(tenant, note.source_id),
        number=note.number,
        invoice_native_id=invoice_native_id if pays else "",
        pays=note.off_invoice if pays else None,
    )


def memo_of_entry(entry: BalanceEntry, known: str, tenant: str, estate: Estate, /) -> CreditMemo:
    """The memo of a credit on the balance; nothing is known that it would pay. Raises like `memo_of_note`."""
    item = resolve(estate, TABLE, value=BALANCE, on=entry.issued_on).target
    memo = _memo(_customer(known), entry.total, item=item, on=entry.issued_on, estate=estate)
    return msgspec.structs.replace(memo, credit_id=memo_id(tenant, entry.source_id), number=entry.number)


def memo_id(tenant: str, source_id: str) -> str:
    """Our id of the memo for a credit note, or an entry, of billing."""
    return canonical_id(NOUN, tenant, source_id)


def _customer(known: str) -> Customer:
    return msgspec.json.decode(known.encode(), type=Customer)


def _memo(customer: Customer, amount: Money, *, item: str, on: date, estate: Estate) -> CreditMemo:
    if amount.currency != customer.currency:
        raise Malformed(
            f"the credit is in {amount.currency}, the customer in {customer.currency}; the books take the customer's",
            code="credit_note.currency",
            hint="take it back in billing and give it in the customer's currency",
            detail={"field": "currency", "value": amount.currency, "record": customer.customer_id},
        )
    return CreditMemo(
        credit_id="",
        customer_id=customer.customer_id,
        legal_entity=customer.legal_entity,
        erp_entity=resolve(estate, "legal_entity", value=customer.legal_entity, on=on).target,
        case_id="",
        item=item,
        amount=amount,
        posted_on=on,
    )
