"""Support asks that a customer be given back what was paid on an invoice; somebody else always agrees first.

Trigger       RefundRequested
Reads         whose case it is, the customer's record; billing: the invoice, what came for it and was given back;
              approvals.yaml; policies.yaml; reference credit_reason and legal_entity
Writes        billing: refund · erp: credit memo, and the customer refund that pays it out · support: the outcome
Undo          none: money that went back stays there, and what was posted is for finance to counter
Owner         finance operations

No amount is too small to be asked about, and who asks may not approve. What was given back of the invoice before counts
towards the limit of whoever agrees. The invoice is looked at twice: when it is asked for, and again once it is agreed.
A refund that was made stays made while the books cannot be reached: memo and refund follow.
"""

from datetime import date, timedelta

import msgspec

from accordant.backbone.approvals import Asked
from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.case import CaseOutcome
from accordant.canonical.credit import CreditMemo
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.ports import Billing, Erp, Support
from accordant.canonical.refund import Refund, RefundEntry, RefundRequest, RefundRequested
from accordant.canonical.settlement import Paid, Settlement
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority
from accordant.masterdata import keeping
from accordant.masterdata.reference import resolve
from accordant.process.case_party import by, customer_of, newest_request, party_of, require_account, was_withdrawn

KIND = "refund"
"""Kind of approvals.yaml."""
_REASON_MAX = 255


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What would be written, once every word of the request has a meaning."""

    refund: Refund
    memo: CreditMemo
    entry: RefundEntry
    before: Money
    """What was given back of the invoice already, by anybody."""


def tell_support(fact: RefundRequested, stop: Stop, *, support: Support, **_: object) -> Operation:
    """Show on the case that its refund is blocked, and who is asked."""
    reason = f"{stop.reason} (owner: {stop.owner})"
    return support.answer_case(outcome(fact.request, "blocked", transaction_id=stop.transaction_id, reason=reason))


@flow(
    on=RefundRequested,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"case {fact.request.case_id}", worth=lambda _: None),
    priority=Priority.FINANCE,
    blocked=tell_support,
)
async def refund(
    tx: Transaction, event: RefundRequested, *, billing: Billing, erp: Erp, support: Support, **_: object
) -> None:
    """Nothing is written before it is agreed; then the money, the books, and the case."""
    request, transaction_id = event.request, tx.row.transaction_id
    party = await party_of(tx, request)
    await tx.check("customer", customer_of_case, party.customer, request)
    account = await tx.check("account", require_account, party.account, request)
    found = await _settlement(tx, "settlement", billing=billing, account=account, request=request)
    agreed = await tx.check("refund", refund_of, request, party.customer, found, transaction_id)
    asked = _asked(request, agreed, account=account)
    reviewed = outcome(request, "in review", transaction_id=transaction_id, reason=asked.what)
    decision = await tx.approval("approval", asked, tell=support.answer_case(reviewed))
    if not decision.is_approved:
        rejected = outcome(request, "rejected", transaction_id=transaction_id, reason=by(decision))
        await tx.effect("tell support", support.answer_case(rejected))
        return
    if await tx.check("withdrawn", was_withdrawn, await newest_request(tx), tx.row.event_id):
        return
    now = await _settlement(tx, "settlement now", billing=billing, account=account, request=request)
    await tx.check("still left", still_left, request, agreed.refund, now)
    refunding = billing.refund_payment(agreed.refund)
    await tx.effect("refund payment", refunding, keeps=keeping.first(tx, refunding, body=agreed.refund))
    posting = erp.post_credit_memo(agreed.memo)
    memo = await tx.effect("post credit memo", posting, keeps=keeping.first(tx, posting, body=agreed.memo))
    paying = erp.post_refund(agreed.entry, memo=memo)
    await tx.effect("post refund", paying, keeps=keeping.first(tx, paying, body=agreed.entry))
    refunded = outcome(request, "refunded", transaction_id=transaction_id, credit=agreed.refund.amount)
    await tx.effect("tell support", support.answer_case(refunded))


async def _settlement(
    tx: Transaction, name: str, *, billing: Billing, account: Receipt, request: RefundRequest
) -> list[Settlement]:
    """How the invoice stands in billing, our own refund apart; none where the customer has no such invoice."""
    own = canonical_id("refund", tx.row.transaction_id)

    async def ask(_: object) -> list[Settlement]:
        found = await billing.settlement(request.invoice_number, account=account, apart_from=own)
        return [found] if found else []

    return await tx.recall(name, ask, result_type=list[Settlement])


def customer_of_case(known: str, request: RefundRequest, estate: Estate, /) -> str:
    """Our id of the customer. Raises Terminal `case.customer_unknown`."""
    return customer_of(known, request).customer_id


def refund_of(
    request: RefundRequest, known: str, found: list[Settlement], transaction_id: str, estate: Estate, /
) -> Agreed:
    """The refund in our words, in the currency that was paid.

    Raises:
        Terminal: `refund.*`, naming why this invoice cannot be refunded so.
        Malformed: an amount that is no positive amount of the invoice's currency.
        Unmapped: a reason or legal entity without a row in its reference table.
    """
    customer, on = customer_of(known, request), request.requested_on
    if not found:
        raise problem(
            request, code="refund.invoice_unknown", said=f"{customer.name} has no invoice {request.invoice_number}"
        )
    invoice = found[0]
    amount = parse_money(request.amount_text, invoice.total.currency)
    if amount.amount_minor <= 0:
        raise Malformed(
            f"a refund of {amount} gives nothing back; expected an amount above zero",
            code="money.negative",
            hint="correct the amount on the case",
            detail={"field": "amount", "value": request.amount_text, "record": request.case_id},
        )
    paid = _payment(request, invoice, amount)
    _require_young(request, paid, days=estate.policies.for_flow("refund").not_after_days)
    refund = Refund(
        refund_id=canonical_id("refund", transaction_id),
        customer_id=customer.customer_id,
        case_id=request.case_id,
        invoice_number=invoice.number,
        payment_source_id=paid.source_id,
        amount=amount,
        reason=request.reason,
        refunded_on=on,
    )
    memo = CreditMemo(
        credit_id=canonical_id("credit", transaction_id),
        customer_id=customer.customer_id,
        legal_entity=customer.legal_entity,
        erp_entity=resolve(estate, "legal_entity", value=customer.legal_entity, on=on).target,
        case_id=request.case_id,
        item=resolve(estate, "credit_reason", value=request.reason, on=on).target,
        amount=amount,
        posted_on=on,
    )
    return Agreed(refund=refund, memo=memo, entry=_entry(refund, memo), before=_given_back(invoice))


def _given_back(invoice: Settlement) -> Money:
    return _total([one.refunded for one in invoice.payments], invoice.total.currency)


def _entry(refund: Refund, memo: CreditMemo) -> RefundEntry:
    """What pays the memo out in the books."""
    return RefundEntry(
        refund_id=refund.refund_id,
        credit_id=memo.credit_id,
        customer_id=memo.customer_id,
        legal_entity=memo.legal_entity,
        erp_entity=memo.erp_entity,
        case_id=memo.case_id,
        invoice_number=refund.invoice_number,
        amount=refund.amount,
        posted_on=memo.posted_on,
    )


def still_left(request: RefundRequest, refund: Refund, found: list[Settlement], estate: Estate, /) -> None:
    """Raise `refund.*` where somebody gave it back while it was in review."""
    number = refund.invoice_number
    if not found:
        raise problem(request, code="refund.invoice_unknown", said=f"invoice {number} is no longer in billing")
    same = [one for one in found[0].payments if one.source_id == refund.payment_source_id]
    _payment(request, msgspec.structs.replace(found[0], payments=tuple(same)), refund.amount)


def outcome(
    request: RefundRequest, status: str, *, transaction_id: str, credit: Money | None = None, reason: str = ""
) -> CaseOutcome:
    """What the case shows."""
    return CaseOutcome(
        case_id=request.case_id,
        source_id=request.source_id,
        status=status,
        credit=credit,
        reason=reason[:_REASON_MAX],
        transaction_id=transaction_id,
    )


def _payment(request: RefundRequest, invoice: Settlement, amount: Money, /) -> Paid:
    """The newest payment of which so much is left."""
    number, left = invoice.number, _total([one.left for one in invoice.payments], amount.currency)
    if not invoice.payments:
        if invoice.status != "paid":
            raise problem(
                request, code="refund.unpaid", said=f"invoice {number} is {invoice.status}; nothing was paid on it"
            )
        raise problem(request, code="refund.paid_elsewhere", said=f"invoice {number} was paid outside of billing")
    if left.amount_minor <= 0:
        raise problem(request, code="refund.already_refunded", said=f"all of {number} was given back already")
    if amount.amount_minor > left.amount_minor:
        raise problem(request, code="refund.exceeds", said=f"{amount} is more than the {left} left of {number}")
    for one in invoice.payments:
        if one.left.amount_minor >= amount.amount_minor:
            return one
    said = f"no single payment of invoice {number} has {amount} left; {left} is spread over {len(invoice.payments)}"
    raise problem(request, code="refund.several_payments", said=said)


def _require_young(request: RefundRequest, paid: Paid, *, days: int) -> None:
    """Raise `refund.too_late` past the days that the policy gives; 0 sets no limit."""
    last: date = paid.paid_on + timedelta(days=days)
    if days and request.requested_on > last:
        raise problem(
            request, code="refund.too_late", said=f"it was paid on {paid.paid_on}, and could be refunded until {last}"
        )


_NEXT = {
    "refund.invoice_unknown": "correct the number on the case, or put the case under the customer who paid it",
    "refund.unpaid": "dispute the invoice, or have it credited; a refund gives back what was paid",
    "refund.paid_elsewhere": "have finance pay it back the way it came, and cancel this transaction with a reason",
    "refund.already_refunded": "tell the customer when it was given back; billing shows it on the payment",
    "refund.exceeds": "ask for no more than what is left",
    "refund.several_payments": "ask for one refund per payment, each on a case of its own",
    "refund.too_late": "grant a service credit, or let finance raise not_after_days in policies.yaml and retry",
}


def problem(request: RefundRequest, *, code: str, said: str) -> Terminal:
    detail = {"field": "invoice", "value": request.invoice_number, "record": request.case_id}
    return Terminal(f"case {request.case_id}: {said}", code=code, hint=_NEXT[code], detail=detail)


def _asked(request: RefundRequest, agreed: Agreed, *, account: Receipt) -> Asked:
    given = f"; {agreed.before} of it was given back before" if agreed.before.amount_minor else ""
    of = f"invoice {agreed.refund.invoice_number} for {request.reason} on case {request.case_id}"
    return Asked(
        kind=KIND,
        what=f"refund {agreed.refund.amount} of {of}{given}",
        amount=agreed.refund.amount,
        recent=agreed.before,
        payload={"refund": agreed.refund, "memo": agreed.memo, "entry": agreed.entry, "account": account.native_id},
        requested_by=f"support/{request.requested_by}",
    )


def _total(amounts: list[Money], currency: str) -> Money:
    return sum(amounts, Money(0, currency))
