"""What a dispute and its ruling mean, and what stops them by name before anything is written."""

import msgspec

from accordant.canonical.credit import CreditMemo
from accordant.canonical.dispute import OPEN, Dispute, DisputeClaim, DisputeRuling, InvoiceCredit
from accordant.canonical.settlement import Settlement
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.masterdata.reference import resolve
from accordant.process.case_party import customer_of

REASON = "dispute"
"""Word of the reference table `credit_reason`: what the books enter a dispute's credit under."""
_ASKED_FOR = frozenset({"open", "paid"})
_NEXT = {
    "dispute.invoice_unknown": "correct the number on the case, or put the case under the customer who was billed",
    "dispute.not_billed": "nothing is asked for; tell the customer, and cancel this transaction with a reason",
    "dispute.already_open": "rule the dispute that is open on the other case, and merge this case into it",
    "dispute.exceeds": "rule again on the case, with no more than what is disputed",
    "dispute.unanswered": "say on the case what came of it, then retry: the retry waits once more and finds it",
}


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A claim, with what is known when it is made."""

    claim: DisputeClaim
    customer_id: str
    dispute_id: str
    opened_at_ms: int


class Ruled(msgspec.Struct, frozen=True, kw_only=True):
    """A ruling, and the event that told it."""

    event_id: str
    ruling: DisputeRuling


class Credited(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer who was right is given."""

    credit: InvoiceCredit
    memo: CreditMemo


def customer_of_claim(known: str, claim: DisputeClaim, estate: Estate, /) -> str:
    """Our id of the customer. Raises Terminal `case.customer_unknown`."""
    return customer_of(known, claim).customer_id


def dispute_of(opening: Opening, found: list[Settlement], before: str, estate: Estate, /) -> Dispute:
    """The dispute that is opened; the one that this very case opened before, where it is retried.

    `before` is the invoice's newest dispute as JSON. Raises Terminal `dispute.*`.
    """
    claim = opening.claim
    if not found:
        raise problem(claim, code="dispute.invoice_unknown", said=f"the customer has no invoice {claim.invoice_number}")
    invoice = found[0]
    last = msgspec.json.decode(before.encode(), type=Dispute) if before else None
    if last is not None and last.dispute_id == opening.dispute_id:
        return last if last.status == OPEN else _as_it_opened(last)
    if last is not None and last.status == OPEN:
        said = f"invoice {invoice.number} is under dispute already: {last.dispute_id}, on case {last.case_id}"
        raise problem(claim, code="dispute.already_open", said=said)
    if invoice.status not in _ASKED_FOR:
        raise problem(claim, code="dispute.not_billed", said=f"invoice {invoice.number} is {invoice.status}")
    return Dispute(
        version=last.version + 1 if last else 1,
        dispute_id=opening.dispute_id,
        customer_id=opening.customer_id,
        case_id=claim.case_id,
        invoice_number=invoice.number,
        invoice_source_id=invoice.source_id,
        disputed=invoice.remaining if invoice.remaining.amount_minor else invoice.total,
        status=OPEN,
        opened_at_ms=opening.opened_at_ms,
    )


def credit_of(
    dispute: Dispute, ruling: DisputeRuling, known: str, found: list[Settlement], estate: Estate, /
) -> Credited:
    """The credit that is ruled, and how much of it lowers what is still owed.

    Raises:
        Terminal: `dispute.exceeds`, more than is disputed; `dispute.invoice_unknown`, billing has it no more.
        Malformed: an amount that is no positive amount of the invoice's currency.
        Unmapped: a legal entity, or the reason `dispute`, without a row in its reference table.
    """
    customer, on = customer_of(known, ruling), ruling.ruled_on
    if not found:
        raise problem(ruling, code="dispute.invoice_unknown", said=f"{dispute.invoice_number} is no longer there")
    amount = _amount_of(dispute, ruling)
    owed = min(amount.amount_minor, found[0].remaining.amount_minor)
    credit = InvoiceCredit(
        credit_id=canonical_id("credit", dispute.dispute_id),
        dispute_id=dispute.dispute_id,
        customer_id=customer.customer_id,
        case_id=ruling.case_id,
        invoice_number=dispute.invoice_number,
        invoice_source_id=dispute.invoice_source_id,
        amount=amount,
        off_owed=Money(owed, amount.currency),
        granted_on=on,
    )
    memo = CreditMemo(
        credit_id=credit.credit_id,
        customer_id=customer.customer_id,
        legal_entity=customer.legal_entity,
        erp_entity=resolve(estate, "legal_entity", value=customer.legal_entity, on=on).target,
        case_id=ruling.case_id,
        item=resolve(estate, "credit_reason", value=REASON, on=on).target,
        amount=amount,
        posted_on=on,
        about=dispute.dispute_id,
    )
    return Credited(credit=credit, memo=memo)


def _amount_of(dispute: Dispute, ruling: DisputeRuling) -> Money:
    """What is ruled, within what is disputed."""
    amount = parse_money(ruling.amount_text, dispute.disputed.currency)
    if amount.amount_minor <= 0:
        raise Malformed(
            f"a credit of {amount} gives nothing; expected an amount above zero, or `confirmed`",
            code="money.negative",
            hint="correct the ruling on the case",
            detail={"field": "amount", "value": ruling.amount_text, "record": ruling.case_id},
        )
    if amount.amount_minor > dispute.disputed.amount_minor:
        raise problem(
            ruling, code="dispute.exceeds", said=f"{amount} is more than {dispute.disputed}, the sum disputed"
        )
    return amount


def problem(said_on: DisputeClaim | DisputeRuling, *, code: str, said: str) -> Terminal:
    """A dispute that cannot go on, in one voice."""
    detail = {"field": "invoice", "record": said_on.case_id}
    return Terminal(f"case {said_on.case_id}: {said}", code=code, hint=_NEXT[code], detail=detail)


def _as_it_opened(last: Dispute) -> Dispute:
    return msgspec.structs.replace(last, version=last.version - 1, status=OPEN, credited=None)
