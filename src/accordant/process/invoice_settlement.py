"""Money that came for an invoice is entered in the books and set against it, and what is owed is shown anew.

Trigger       PaymentReceived
Reads         whose invoice it is, the invoice as it was posted; billing: what is owed and overdue
Writes        erp: payment · crm, support: how the account stands
Undo          none: money that came is given back by a refund, never undone
Owner         finance operations

Deliveries overtake each other: where the books do not hold the invoice yet, it is waited for. Where the customer's
credit covered it wholly, no money came, and no payment is entered: the credit's memo is in the books, and finance sets
it against the invoice there.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.payment import PaymentReceived
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.masterdata import customers, keeping
from accordant.process.billed import in_the_books, payment_of, tell_standing, whose


@flow(
    on=PaymentReceived,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"invoice {fact.invoice.number}", worth=lambda fact: fact.amount),
    priority=Priority.FINANCE,
)
async def invoice_settlement(
    tx: Transaction, event: PaymentReceived, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """The invoice first, then what pays it."""
    known = await whose(tx, event.invoice)
    if event.amount.amount_minor:
        invoice = await in_the_books(tx, event.invoice)
        posted = await customers.latest_record(tx, "invoice", canonical=invoice.business_id)
        payment = await tx.check("payment", payment_of, posted, event)
        posting = erp.post_payment(payment, invoice=invoice)
        await tx.effect("post payment", posting, keeps=keeping.first(tx, posting, body=payment))
    await tell_standing(tx, known, on=event.paid_on, billing=billing, tell=(crm, support))
