"""Support asks that a customer be credited for a case; billing grants it, the books post it, the case says so.

Trigger       CreditRequested
Reads         whose case it is, the customer's record; billing: what is owed, overdue and was credited before;
              approvals.yaml; reference credit_reason and legal_entity
Writes        billing: credit · erp: credit memo · support: where the credit stands, on the case
Undo          billing counters the credit by an entry of its own; a posted memo is for finance to counter
Owner         finance operations

Within the limit of approvals.yaml nobody is asked; above it, or where the customer is in arrears, finance decides, and
the case says that it is in review. Who asks may not approve. What was credited before counts, so that a large credit
split into small ones is seen. A credit that was agreed stays agreed while the books cannot be reached: the memo waits.
"""

from datetime import timedelta

import msgspec

from accordant.backbone.approvals import Asked
from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.case import CaseOutcome, CreditRequest, CreditRequested
from accordant.canonical.credit import CreditMemo, Exposure, ServiceCredit
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.ports import Billing, Erp, Support
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority
from accordant.masterdata import crosswalk, customers, keeping
from accordant.masterdata.reference import resolve
from accordant.process.case_party import by, customer_of, held, newest_request, was_withdrawn

KIND, IN_ARREARS = "service_credit", "service_credit_in_arrears"
"""Kinds of approvals.yaml."""
_REASON_MAX = 255


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What would be written, once every word of the request has a meaning."""

    credit: ServiceCredit
    memo: CreditMemo


def tell_support(fact: CreditRequested, stop: Stop, *, support: Support, **_: object) -> Operation:
    """Show on the case that its credit is blocked, and who is asked."""
    reason = f"{stop.reason} (owner: {stop.owner})"
    return support.answer_case(outcome(fact.request, "blocked", transaction_id=stop.transaction_id, reason=reason))


@flow(
    on=CreditRequested,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"case {fact.request.case_id}", worth=lambda _: None),
    priority=Priority.FINANCE,
    blocked=tell_support,
)
async def service_credit(
    tx: Transaction, event: CreditRequested, *, billing: Billing, erp: Erp, support: Support, **_: object
) -> None:
    """Nothing is written before it is agreed; then billing, the books, and the case."""
    request = event.request
    asked_for = crosswalk.ours(tx.row.tenant, "customer", system="support", native_id=request.customer_source_id)
    customer_id = await tx.recall("whose case", lambda ours: ours.find(asked_for), result_type=str)
    known = await customers.latest_record(tx, "customer", canonical=customer_id)
    agreed = await tx.check("credit", credit_of, request, known, tx.row.transaction_id)
    account = await customers.known_receipt(tx, "customer", canonical=customer_id, system="billing")
    credit, holder = agreed.credit, held(account, customer_id)
    exposure = await _exposure(tx, billing, holder, credit=credit)
    asked = _asked(request, agreed, exposure, account=holder)
    reviewed = outcome(request, "in review", transaction_id=tx.row.transaction_id, reason=asked.what)
    decision = await tx.approval("approval", asked, tell=support.answer_case(reviewed))
    if not decision.is_approved:
        rejected = outcome(request, "rejected", transaction_id=tx.row.transaction_id, reason=by(decision))
        await tx.effect("tell support", support.answer_case(rejected))
        return
    if await tx.check("withdrawn", was_withdrawn, await newest_request(tx), tx.row.event_id):
        return
    granting = billing.grant_credit(credit, account=holder)
    await tx.effect(
        "grant credit",
        granting,
        undo=lambda _: billing.counter_credit(credit, account=holder),
        keeps=keeping.first(tx, granting, body=credit),
    )
    posting = erp.post_credit_memo(agreed.memo)
    await tx.effect("post credit memo", posting, keeps=keeping.first(tx, posting, body=agreed.memo))
    granted = outcome(request, "credited", transaction_id=tx.row.transaction_id, credit=credit.amount)
    await tx.effect("tell support", support.answer_case(granted))


async def _exposure(tx: Transaction, billing: Billing, account: Receipt, /, credit: ServiceCredit) -> Exposure:
    on, window = credit.granted_on, timedelta(days=_window_days(tx.estate))
    return await tx.recall(
        "exposure",
        lambda _: billing.exposure(account, currency=credit.amount.currency, on=on, since=on - window),
        result_type=Exposure,
    )


def credit_of(request: CreditRequest, known: str, transaction_id: str, estate: Estate, /) -> Agreed:
    """The credit in our words, in the customer's own currency.

    Raises:
        Terminal: `case.customer_unknown`, where the case names no customer of ours.
        Malformed: an amount that is no positive amount of the customer's currency.
        Unmapped: a reason or legal entity without a row in its reference table.
    """
    customer = customer_of(known, request)
    amount = parse_money(request.amount_text, customer.currency)
    if amount.amount_minor <= 0:
        raise Malformed(
            f"a credit of {amount} gives nothing; expected an amount above zero",
            code="money.negative",
            hint="correct the amount on the case",
            detail={"field": "amount", "value": request.amount_text, "record": request.case_id},
        )
    on = request.requested_on
    credit_id = canonical_id("credit", transaction_id)
    credit = ServiceCredit(
        credit_id=credit_id,
        customer_id=customer.customer_id,
        case_id=request.case_id,
        amount=amount,
        reason=request.reason,
        granted_on=on,
    )
    memo = CreditMemo(
        credit_id=credit_id,
        customer_id=customer.customer_id,
        legal_entity=customer.legal_entity,
        erp_entity=resolve(estate, "legal_entity", value=customer.legal_entity, on=on).target,
        case_id=request.case_id,
        item=resolve(estate, "credit_reason", value=request.reason, on=on).target,
        amount=amount,
        posted_on=on,
    )
    return Agreed(credit=credit, memo=memo)


def outcome(
    request: CreditRequest, status: str, *, transaction_id: str, credit: Money | None = None, reason: str = ""
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


def _asked(request: CreditRequest, agreed: Agreed, exposure: Exposure, /, account: Receipt) -> Asked:
    credit = agreed.credit
    in_arrears = exposure.overdue.amount_minor > 0
    owes = f"; {exposure.overdue} of {exposure.owed} owed is overdue" if in_arrears else ""
    return Asked(
        kind=IN_ARREARS if in_arrears else KIND,
        what=f"credit {credit.amount} for {credit.reason} on {request.severity} case {request.case_id}{owes}",
        amount=credit.amount,
        recent=exposure.credited,
        payload={"credit": credit, "memo": agreed.memo, "account": account.native_id},
        requested_by=f"support/{request.requested_by}",
    )


def _window_days(estate: Estate) -> int:
    kind = estate.approvals.kinds.get(KIND)
    return kind.window_days if kind else 0
