"""An invoice that billing voided is countered in the books by a credit memo set against it; it is never deleted.

Trigger       InvoiceVoided
Reads         whose invoice it is, the invoice as it was posted; billing: what is owed and overdue
Writes        erp: credit memo · crm, support: how the account stands
Undo          none: the memo is for finance to counter
Owner         finance operations

Deliveries overtake each other: where the books do not hold the invoice yet, it is waited for.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.invoice import InvoiceVoided
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.masterdata import customers, keeping
from accordant.process.billed import in_the_books, moves_nothing, note_of, tell_standing, whose, worth


@flow(
    on=InvoiceVoided,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"invoice {fact.invoice.number}", worth=worth),
    priority=Priority.FINANCE,
)
async def invoice_voiding(
    tx: Transaction, event: InvoiceVoided, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """The invoice first, then what takes it back."""
    billed = event.invoice
    known = await whose(tx, billed)
    if not moves_nothing(billed):
        invoice = await in_the_books(tx, billed)
        posted = await customers.latest_record(tx, "invoice", canonical=invoice.business_id)
        note = await tx.check("credit memo", note_of, posted, billed, event.voided_on)
        posting = erp.post_credit_note(note, invoice=invoice)
        await tx.effect("post credit memo", posting, keeps=keeping.first(tx, posting, body=note))
    await tell_standing(tx, known, on=event.voided_on, billing=billing, tell=(crm, support))
