"""A credit that somebody enters on a customer's balance in billing reaches the books as a memo that pays nothing yet.

Trigger       BalanceCredited
Reads         whose balance it is, the customer's record; billing: the entries of these days; reference
              credit_note_reason and legal_entity
Writes        erp: credit memo, one for each entry · crm, support: how the account stands
Undo          none: a posted memo is countered, never undone
Owner         finance operations

Billing tells that a balance moved, not what moved it: the entries are asked for. What an invoice or a credit note
stands behind is posted with those, what we entered ourselves with its case. An entry has one memo, however
often its balance is told of, and a telling that was lost is made good by the next.
"""

from datetime import timedelta

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.credit_note import BalanceCredited, BalanceEntry
from accordant.canonical.operation import Receipt
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.kernel.priority import Priority
from accordant.masterdata import crosswalk, keeping
from accordant.process.billed import tell_standing
from accordant.process.credit_memo import NOUN, memo_id, memo_of_entry, whose

LOOK_BACK = timedelta(days=7)
"""Longer than billing tries to deliver."""


@flow(
    on=BalanceCredited,
    owner="finance operations",
    describe=Describe(party=lambda fact: fact.customer_source_id, worth=lambda fact: fact.amount),
    priority=Priority.FINANCE,
)
async def balance_credit(
    tx: Transaction, event: BalanceCredited, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """Every entry that the books do not hold yet."""
    account = Receipt(kind="customer", native_id=event.customer_source_id, business_id="")
    since = event.credited_on - LOOK_BACK
    entries = await tx.recall(
        "entries",
        lambda _: billing.balance_entries(account, currency=event.amount.currency, since=since),
        result_type=tuple[BalanceEntry, ...],
    )
    if not entries:
        return
    known = await whose(tx, event.customer_source_id)
    for entry in entries:
        wanted = crosswalk.natives(tx.row.tenant, NOUN, canonical_id=memo_id(tx.row.tenant, entry.source_id))
        posted = await tx.recall(
            f"where {entry.source_id} is", lambda ours, w=wanted: ours.find(w), result_type=dict[str, str]
        )
        if "erp" in posted:
            continue
        memo = await tx.check(f"memo of {entry.source_id}", memo_of_entry, entry, known, tx.row.tenant)
        posting = erp.post_credit_memo(memo)
        name = f"post credit memo of {entry.source_id}"
        await tx.effect(name, posting, keeps=keeping.first(tx, posting, body=memo))
    await tell_standing(tx, known, on=event.credited_on, billing=billing, tell=(crm, support))
