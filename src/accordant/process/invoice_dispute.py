"""A customer disputes an invoice: nobody asks for it until an agent says on the case what came of it.

Trigger       InvoiceDisputed; DisputeRuled is waited for
Reads         whose case it is, the customer's record; billing: the invoice, what was credited lately; approvals.yaml;
              policies.yaml; reference credit_reason and legal_entity
Writes        billing: collection stopped and started, credit note · erp: credit memo · support: where the dispute
              stands · the dispute itself, under one id everywhere
Undo          billing goes on asking; a credit note and a posted memo are for finance to counter
Owner         finance operations

A dispute is `credited` or `confirmed`. A credit passes through the limits of service credits, and an agent who changes
the ruling in review is asked about again. Where finance refuses the credit, the invoice is confirmed. What was paid
meanwhile is not owed any more: the credit is then kept for the next invoice.
"""

from datetime import timedelta

import msgspec

from accordant.backbone import standing
from accordant.backbone.approvals import Asked
from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.standing import Said
from accordant.backbone.transaction import Transaction
from accordant.canonical.credit import Exposure
from accordant.canonical.dispute import (
    CONFIRMED,
    CREDITED,
    GIVEN_UP,
    Dispute,
    DisputeClaim,
    DisputeRuled,
    DisputeStanding,
    InvoiceDisputed,
)
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.ports import Billing, Erp, Support
from accordant.canonical.settlement import Settlement
from accordant.kernel.errors import Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.priority import Priority
from accordant.masterdata import crosswalk, disputes, keeping
from accordant.process.case_party import by, party_of, require_account
from accordant.process.dispute_rules import Credited, Opening, Ruled, credit_of, customer_of_claim, dispute_of, problem

KIND = "service_credit"
"""Kind of approvals.yaml: the credit of a dispute passes through the same limits."""
_REASON_MAX = 255


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """What the whole flow is about."""

    claim: DisputeClaim
    dispute: Dispute
    known: str
    """The customer's record as JSON."""
    account: Receipt
    transaction_id: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    credited: Credited | None
    reason: str = ""


def tell_support(fact: InvoiceDisputed, stop: Stop, *, support: Support, **_: object) -> Operation:
    """Show on the case that its dispute is blocked, and who is asked."""
    claim, reason = fact.claim, f"{stop.reason} (owner: {stop.owner})"
    return support.show_dispute(
        DisputeStanding(
            case_id=claim.case_id,
            source_id=claim.source_id,
            dispute_id="",
            status="blocked",
            credited=None,
            reason=reason[:_REASON_MAX],
            transaction_id=stop.transaction_id,
        )
    )


@flow(
    on=InvoiceDisputed,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"invoice {fact.claim.invoice_number}", worth=lambda _: None),
    priority=Priority.FINANCE,
    blocked=tell_support,
)
async def invoice_dispute(
    tx: Transaction, event: InvoiceDisputed, *, billing: Billing, erp: Erp, support: Support, **_: object
) -> None:
    """Stop asking, wait for the ruling, then credit or go on asking."""
    matter = await _opened(tx, event.claim, billing=billing)
    dispute = matter.dispute
    await disputes.keep(tx, dispute)
    await tx.effect(
        "stop collecting",
        billing.stop_collecting(dispute),
        undo=lambda _: billing.collect_again(msgspec.structs.replace(dispute, status=GIVEN_UP), owes=True),
    )
    await tx.effect("tell support", support.show_dispute(told(matter, "open")))
    outcome = await _outcome(tx, matter, billing=billing, support=support)
    credited = outcome.credited
    if credited is not None:
        crediting = billing.credit_invoice(credited.credit)
        await tx.effect("credit invoice", crediting, keeps=keeping.first(tx, crediting, body=credited.credit))
        memo = msgspec.structs.replace(credited.memo, invoice_native_id=await _paid_in_books(tx, credited))
        posting = erp.post_credit_memo(memo)
        await tx.effect("post credit memo", posting, keeps=keeping.first(tx, posting, body=memo))
    closed = msgspec.structs.replace(
        dispute,
        version=dispute.version + 1,
        status=CREDITED if credited else CONFIRMED,
        credited=credited.credit.amount if credited else None,
    )
    after = await _settlement(tx, "invoice in the end", claim=matter.claim, account=matter.account, billing=billing)
    owes = bool(after and after[0].status == "open")
    await tx.effect("collect again", billing.collect_again(closed, owes=owes))
    await disputes.keep(tx, closed)
    final = msgspec.structs.replace(matter, dispute=closed)
    await tx.effect("tell outcome", support.show_dispute(told(final, closed.status, reason=outcome.reason)))


async def _paid_in_books(tx: Transaction, credited: Credited) -> str:
    """The posted invoice that the memo pays; empty where the books hold none, or where a part is kept for the next."""
    credit = credited.credit
    invoice_id = canonical_id("invoice", tx.row.tenant, credit.invoice_source_id)
    wanted = crosswalk.natives(tx.row.tenant, "invoice", canonical_id=invoice_id)
    held = await tx.recall("invoice in the books", lambda ours: ours.find(wanted), result_type=dict[str, str])
    return held.get("erp", "") if credit.off_owed == credit.amount else ""


async def _opened(tx: Transaction, claim: DisputeClaim, *, billing: Billing) -> Matter:
    """Whose invoice it is, and the dispute as it opens."""
    party = await party_of(tx, claim)
    customer_id = await tx.check("customer", customer_of_claim, party.customer, claim)
    account = await tx.check("account", require_account, party.account, claim)
    found = await _settlement(tx, "invoice", claim=claim, account=account, billing=billing)
    source_id = found[0].source_id if found else ""
    before = await disputes.latest(tx, "disputed before", invoice_source_id=source_id)
    opening = Opening(
        claim=claim,
        customer_id=customer_id,
        dispute_id=canonical_id("dispute", tx.row.transaction_id),
        opened_at_ms=tx.row.opened_at_ms,
    )
    dispute = await tx.check("dispute", dispute_of, opening, found, before)
    return Matter(
        claim=claim, dispute=dispute, known=party.customer, account=account, transaction_id=tx.row.transaction_id
    )


async def _outcome(tx: Transaction, matter: Matter, *, billing: Billing, support: Support) -> Outcome:
    """What was ruled, once it is agreed; a ruling that changes in review is asked about anew."""
    ruled = await _first_ruling(tx, matter.claim)
    while ruled.ruling.outcome == CREDITED:
        turn = ruled.event_id[-12:]
        found = await _settlement(tx, f"invoice at {turn}", claim=matter.claim, account=matter.account, billing=billing)
        credited = await tx.check(f"credit {turn}", credit_of, matter.dispute, ruled.ruling, matter.known, found)
        asked = await _asked(tx, matter, credited=credited, ruled=ruled, billing=billing)
        reviewed = support.show_dispute(told(matter, "in review", reason=asked.what))
        decision = await tx.approval(f"approval of {turn}", asked, tell=reviewed)
        newest = await _newest_ruling(tx, f"ruling after {turn}")
        if newest.event_id != ruled.event_id:
            ruled = newest
            continue
        return Outcome(credited=credited) if decision.is_approved else Outcome(credited=None, reason=by(decision))
    return Outcome(credited=None)


async def _first_ruling(tx: Transaction, claim: DisputeClaim) -> Ruled:
    """Wait for what an agent says on the case. Raises Terminal `dispute.unanswered` past the policy's time."""
    hours = tx.estate.policies.for_flow("invoice_dispute").answer_within_h
    try:
        await tx.expect("ruling", DisputeRuled, match=tx.row.subject, within_s=hours * 3600)
    except Terminal as late:
        if late.code != "promise.broken":
            raise
        raise problem(claim, code="dispute.unanswered", said=f"nobody said within {hours} h what came of it") from late
    return await _newest_ruling(tx, "ruling said")


async def _newest_ruling(tx: Transaction, name: str) -> Ruled:
    """The last word counts, also where an earlier one woke the transaction."""
    said = await tx.recall(
        name,
        lambda ours: ours.read(
            lambda connection: standing.newest_said(connection, tx.row, event_type=DisputeRuled.type)
        ),
        result_type=Said,
    )
    return Ruled(event_id=said.event_id, ruling=msgspec.json.decode(said.data.encode(), type=DisputeRuled).ruling)


async def _settlement(
    tx: Transaction, name: str, *, claim: DisputeClaim, account: Receipt, billing: Billing
) -> list[Settlement]:
    """How the invoice stands, this dispute's own credit apart; none where the customer has no such invoice."""
    own = canonical_id("credit", canonical_id("dispute", tx.row.transaction_id))

    async def ask(_: object) -> list[Settlement]:
        found = await billing.settlement(claim.invoice_number, account=account, apart_from=own)
        return [found] if found else []

    return await tx.recall(name, ask, result_type=list[Settlement])


async def _asked(tx: Transaction, matter: Matter, *, credited: Credited, ruled: Ruled, billing: Billing) -> Asked:
    credit, on = credited.credit, credited.credit.granted_on
    kind = tx.estate.approvals.kinds.get(KIND)
    since = on - timedelta(days=kind.window_days if kind else 0)
    exposure = await tx.recall(
        f"exposure at {ruled.event_id[-12:]}",
        lambda _: billing.exposure(matter.account, currency=credit.amount.currency, on=on, since=since),
        result_type=Exposure,
    )
    return Asked(
        kind=KIND,
        what=f"credit {credit.amount} of the disputed invoice {credit.invoice_number} on case {credit.case_id}",
        amount=credit.amount,
        recent=exposure.credited,
        payload={"credit": credit, "memo": credited.memo, "account": matter.account.native_id},
        requested_by=f"support/{ruled.ruling.ruled_by}",
    )


def told(matter: Matter, status: str, *, reason: str = "") -> DisputeStanding:
    """What the case shows."""
    return DisputeStanding(
        case_id=matter.claim.case_id,
        source_id=matter.claim.source_id,
        dispute_id=matter.dispute.dispute_id,
        status=status,
        credited=matter.dispute.credited,
        reason=reason[:_REASON_MAX],
        transaction_id=matter.transaction_id,
    )
