"""An invoice that billing finalized is posted to the books, once, and sales and support see what is owed.

Trigger       InvoiceFinalized
Reads         whose invoice it is, the customer's record; reference revenue_item, tax_item and legal_entity; billing:
              the lines that the event left out, what is owed and overdue
Writes        erp: invoice · crm, support: how the account stands
Undo          none: a posted invoice is countered when billing voids it, never undone
Owner         finance operations

Nothing is posted before every word has a meaning: the item and its dimensions line by line, the item of the tax, the
legal entity. It is posted on the day that it bears; where the books are closed for that, finance is asked. An invoice
for nothing is not posted.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.invoice import BilledLine, InvoiceFinalized
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.masterdata import keeping
from accordant.process.billed import invoice_of, moves_nothing, tell_standing, whose, worth


@flow(
    on=InvoiceFinalized,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"invoice {fact.invoice.number}", worth=worth),
    priority=Priority.FINANCE,
)
async def invoice_posting(
    tx: Transaction, event: InvoiceFinalized, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """Posted first, told then."""
    billed = event.invoice
    known = await whose(tx, billed)
    lines = billed.lines
    if billed.lines_left:
        lines = await tx.recall(
            "lines", lambda _: billing.invoice_lines(billed.source_id), result_type=tuple[BilledLine, ...]
        )
    if not moves_nothing(billed):
        invoice = await tx.check("invoice", invoice_of, billed, lines, known, tx.row.tenant)
        posting = erp.post_invoice(invoice)
        await tx.effect("post invoice", posting, keeps=keeping.first(tx, posting, body=invoice))
    await tell_standing(tx, known, on=billed.issued_on, billing=billing, tell=(crm, support))
