"""Whether a customer pays decides what support it gets, whether the books sell to it, and whether billing goes on.

Trigger       PaymentFailed, InvoiceOverdue, PaymentReceived, InvoiceVoided
Reads         billing: open invoices now · erp: credit hold now · collections.yaml · the customer's contract
Writes        support: entitlement · erp: credit hold · billing: collection · crm, support: how the account stands
Undo          the next fact finds the account as it is then, and brings every system in line with that
Owner         revenue operations

The fact only says that something changed; how the account stands is asked of billing and of the books. So a payment
that overtakes the failure before it, or an event that comes twice or a day late, undoes nothing that happened since.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.invoice import InvoiceOverdue, InvoiceVoided
from accordant.canonical.payment import PaymentFailed, PaymentReceived
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.process.account import Systems, bring_in_line, whose

AboutAnInvoice = PaymentFailed | InvoiceOverdue | PaymentReceived | InvoiceVoided


@flow(
    on=PaymentFailed,
    also=(InvoiceOverdue, PaymentReceived, InvoiceVoided),
    owner="revenue operations",
    describe=Describe(
        party=lambda fact: f"invoice {fact.invoice.number}",
        worth=lambda fact: fact.invoice.remaining,
    ),
    priority=Priority.FINANCE,
)
async def payment_status(
    tx: Transaction, event: AboutAnInvoice, *, crm: Crm, billing: Billing, erp: Erp, support: Support
) -> None:
    """Whatever the fact was, every system shows what is so now."""
    holder = await whose(tx, event.invoice.customer_source_id, system="billing")
    await bring_in_line(tx, holder, systems=Systems(crm=crm, billing=billing, erp=erp, support=support))
