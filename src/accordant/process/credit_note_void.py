"""A credit note that billing took back is countered in the books: what it gave is owed again.

Trigger       CreditNoteVoided
Reads         whose credit it was, the customer's record; the memo that was posted for it
Writes        erp: invoice over what the memo gave, under the note's number · crm, support: how the account stands
Undo          none: a posted invoice is countered, never undone
Owner         finance operations

The memo stays as it was posted, and so does what it paid. A note that is taken back before its memo was posted waits
for that, so that the books show both.
"""

from datetime import date, timedelta

import msgspec

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.credit import CreditMemo
from accordant.canonical.credit_note import CreditNoteVoided
from accordant.canonical.invoice import Invoice, RevenueLine
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.governance.estate import Estate
from accordant.kernel.errors import Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority
from accordant.masterdata import keeping, records
from accordant.process.billed import tell_standing
from accordant.process.credit_memo import NOUN, memo_id, whose

PATIENCE = timedelta(minutes=10)
"""Longer than a note waits for its invoice."""


@flow(
    on=CreditNoteVoided,
    owner="finance operations",
    describe=Describe(party=lambda fact: fact.credit_note.number, worth=lambda fact: fact.credit_note.total),
    priority=Priority.FINANCE,
)
async def credit_note_void(
    tx: Transaction, event: CreditNoteVoided, *, billing: Billing, erp: Erp, crm: Crm, support: Support
) -> None:
    """Owed again in the books, then told."""
    known = await whose(tx, event.credit_note.customer_source_id)
    posted = await _memo(tx, "memo", event.credit_note.source_id)
    if not posted:
        await tx.until("patience", tx.row.opened_at_ms + round(PATIENCE.total_seconds() * 1000))
        posted = await _memo(tx, "memo after a while", event.credit_note.source_id)
    counter = await tx.check("counter", counter_of, posted, event.credit_note.number, event.voided_on)
    posting = erp.post_invoice(counter)
    await tx.effect("post counter", posting, keeps=keeping.first(tx, posting, body=counter))
    await tell_standing(tx, known, on=event.voided_on, billing=billing, tell=(crm, support))


def counter_of(posted: str, number: str, voided_on: date, estate: Estate, /) -> Invoice:
    """An invoice over what the memo gave.

    Raises:
        Terminal: `credit_note.not_posted`, where the books hold no memo for the note.
    """
    if not posted:
        raise Terminal(
            f"credit note {number} was taken back, and the books hold no memo for it that could be countered",
            code="credit_note.not_posted",
            hint="look for the note's own transaction and complete it, then retry; skip this where it was cancelled",
            detail={"record": number, "cause": f"credit note {number} is not in the books"},
        )
    memo = msgspec.json.decode(posted.encode(), type=CreditMemo)
    line = RevenueLine(
        line_id=memo.credit_id,
        item=memo.item,
        description=f"credit note {number} taken back",
        quantity=1,
        total=memo.amount,
    )
    return Invoice(
        invoice_id=canonical_id("credit_counter", memo.credit_id),
        number=number,
        customer_id=memo.customer_id,
        legal_entity=memo.legal_entity,
        erp_entity=memo.erp_entity,
        lines=(line,),
        tax=Money(0, memo.amount.currency),
        tax_item="",
        total=memo.amount,
        posted_on=voided_on,
        due_on=None,
    )


async def _memo(tx: Transaction, name: str, source_id: str, /) -> str:
    """The memo of a note as it was posted, as JSON; empty where none was."""
    wanted = records.latest_body(tx.row.tenant, NOUN, canonical_id=memo_id(tx.row.tenant, source_id))
    return await tx.recall(name, lambda ours: ours.find(wanted), result_type=str)
