"""A credit note of billing reaches the books as a credit memo, which pays the invoice that it lowers.

Trigger       CreditNoteIssued
Reads         whose credit it is, the customer's record; where the books hold the invoice; reference credit_note_reason
              and legal_entity
Writes        erp: credit memo · crm, support: how the account stands
Undo          none: a posted memo is countered, never undone
Owner         finance operations

Deliveries overtake each other, so that a note may be told before its invoice: where the books do not hold that yet, it
is waited for a while. A note whose invoice the books never saw, because it is older than the platform, is posted all
the same: what a customer was given must not be missing from the books. Its memo then pays nothing until finance says
what.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.credit_note import CreditNoteIssued
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.ids import canonical_id
from accordant.kernel.priority import Priority
from accordant.masterdata import crosswalk, keeping
from accordant.process.billed import tell_standing
from accordant.process.credit_memo import memo_of_note, whose

_LOOKS_S = (1, 3, 10, 60, 300)
"""When a note that overtook its invoice looks for it again."""


@flow(
    on=CreditNoteIssued,
    owner="finance operations",
    describe=Describe(party=lambda fact: fact.credit_note.number, worth=lambda fact: fact.credit_note.total),
    priority=Priority.FINANCE,
)
async def credit_note(
    tx: Transaction, event: CreditNoteIssued, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """The invoice first, then what lowers it."""
    note = event.credit_note
    known = await whose(tx, note.customer_source_id)
    invoice = await _invoice(tx, "invoice", note.invoice_source_id)
    for after_s in _LOOKS_S:
        if not invoice:
            await tx.until(f"patience of {after_s} s", tx.row.opened_at_ms + after_s * 1000)
            invoice = await _invoice(tx, f"invoice after {after_s} s", note.invoice_source_id)
    memo = await tx.check("memo", memo_of_note, note, known, tx.row.tenant, invoice)
    posting = erp.post_credit_memo(memo)
    await tx.effect("post credit memo", posting, keeps=keeping.first(tx, posting, body=memo))
    await tell_standing(tx, known, on=note.issued_on, billing=billing, tell=(crm, support))


async def _invoice(tx: Transaction, name: str, source_id: str, /) -> str:
    """Where the books hold the invoice; empty where they do not."""
    invoice_id = canonical_id("invoice", tx.row.tenant, source_id)
    wanted = crosswalk.natives(tx.row.tenant, "invoice", canonical_id=invoice_id)
    held = await tx.recall(name, lambda ours: ours.find(wanted), result_type=dict[str, str])
    return held.get("erp", "")
