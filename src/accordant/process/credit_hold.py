"""Somebody holds a customer in the books, or lets it go: support and sales follow.

Trigger       CreditHoldPlaced, CreditHoldReleased
Reads         billing: open invoices now · erp: credit hold now · collections.yaml · the customer's contract
Writes        support: entitlement · crm, support: how the account stands · what else follows from the standing
Undo          letting the customer go in the books
Owner         finance operations

A hold is a fact of the books. One that a person placed is never released by a payment; one of ours that a person took
back is not placed again while the same debt stands.
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.account import CreditHoldPlaced, CreditHoldReleased
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.process.account import Systems, bring_in_line, whose


@flow(
    on=CreditHoldPlaced,
    also=(CreditHoldReleased,),
    owner="finance operations",
    describe=Describe(party=lambda fact: fact.name, worth=lambda _: None),
    priority=Priority.FINANCE,
)
async def credit_hold(
    tx: Transaction,
    event: CreditHoldPlaced | CreditHoldReleased,
    *,
    crm: Crm,
    billing: Billing,
    erp: Erp,
    support: Support,
) -> None:
    """The books said something; every system shows what is so now."""
    holder = await whose(tx, event.customer_source_id, system="erp")
    await bring_in_line(tx, holder, systems=Systems(crm=crm, billing=billing, erp=erp, support=support))
