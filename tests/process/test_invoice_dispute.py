"""What a dispute and its ruling mean, what stops them by name, and how long disputes took."""

from datetime import date
from typing import Any

import msgspec
import pytest

from accordant.canonical.dispute import Dispute, DisputeClaim, DisputeRuling
from accordant.canonical.settlement import Settlement
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_json
from accordant.kernel.money import Money
from accordant.masterdata.disputes import as_it_stands
from accordant.operations.disputes import Case, by_month
from accordant.process.dispute_rules import Opening, credit_of, dispute_of
from tests.process.test_refund import paid, settled, usd
from tests.process.test_service_credit import estate, known

__all__ = ["estate"]

HOUR_MS = 3_600_000
CLAIM = DisputeClaim(
    case_id="5158",
    source_id="5158",
    customer_source_id="88",
    subject="Wrong",
    invoice_number="ABC-0001",
    claimed_by="7",
    claimed_on=date(2026, 11, 21),
)
OPENING = Opening(claim=CLAIM, customer_id="customer-1", dispute_id="dispute-1", opened_at_ms=1_000)
RULING = DisputeRuling(
    case_id="5158",
    source_id="5158",
    customer_source_id="88",
    outcome="credited",
    amount_text="80.00",
    ruled_by="7",
    ruled_on=date(2026, 11, 23),
)


def owed(minor: int = 12_000, *, total: int = 12_000, status: str = "open") -> list[Settlement]:
    (one,) = settled(paid(total), status=status)
    return [msgspec.structs.replace(one, remaining=usd(minor), payments=())]


def opened(estate: Estate, found: list[Settlement] | None = None, *, before: str = "", **changed: Any) -> Dispute:
    opening = msgspec.structs.replace(OPENING, **changed)
    return dispute_of(opening, owed() if found is None else found, before, estate)


def kept(dispute: Dispute, **changed: Any) -> str:
    return canonical_json(msgspec.structs.replace(dispute, **changed)).decode()


def test_a_claim_opens_a_dispute_of_what_is_owed_or_was_paid(estate: Estate) -> None:
    dispute = opened(estate)
    assert (dispute.version, dispute.status, dispute.disputed) == (1, "open", usd(12_000))
    assert opened(estate, owed(4_000)).disputed == usd(4_000)
    assert opened(estate, owed(0, status="paid")).disputed == usd(12_000)


def test_the_same_invoice_may_be_disputed_again_once_it_is_ruled(estate: Estate) -> None:
    first = opened(estate)
    over = kept(first, status="confirmed", version=2)
    assert opened(estate, before=over, dispute_id="dispute-2").version == 3
    with pytest.raises(AccordantError, match="dispute-1, on case 5158") as refused:
        opened(estate, before=kept(first), dispute_id="dispute-2")
    assert refused.value.code == "dispute.already_open"
    given_up = as_it_stands(first, state="compensated")
    assert opened(estate, before=kept(given_up), dispute_id="dispute-2").version == 2
    assert {as_it_stands(first, state=state).status for state in ("waiting", "exception", "completed")} == {"open"}


def test_a_retry_finds_the_dispute_as_it_opened_whatever_was_paid_since(estate: Estate) -> None:
    first = opened(estate)
    for before in (kept(first), kept(first, status="credited", version=2, credited=usd(5))):
        assert opened(estate, owed(0, status="paid"), before=before) == first


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], "dispute.invoice_unknown"),
        (owed(status="void"), "dispute.not_billed"),
        (owed(status="draft"), "dispute.not_billed"),
        (owed(status="uncollectible"), "dispute.not_billed"),
    ],
)
def test_what_nobody_asks_for_is_not_disputed(estate: Estate, found: list[Settlement], code: str) -> None:
    with pytest.raises(AccordantError) as refused:
        opened(estate, found)
    assert refused.value.code == code


@pytest.mark.parametrize(("left", "off_owed"), [(12_000, 8_000), (8_000, 8_000), (7_999, 7_999), (0, 0)], ids=str)
def test_a_credit_first_lowers_what_is_owed_and_the_rest_is_kept(estate: Estate, left: int, off_owed: int) -> None:
    credited = credit_of(opened(estate), RULING, known(), owed(left), estate)
    assert credited.credit.amount == credited.memo.amount == usd(8_000)
    assert credited.credit.off_owed == usd(off_owed)
    assert credited.credit.credit_id == credited.memo.credit_id
    assert (credited.memo.item, credited.memo.about) == ("CREDIT-PRICE", "dispute-1")


@pytest.mark.parametrize(
    ("amount", "found", "code"),
    [
        ("120.01", owed(), "dispute.exceeds"),
        ("80.001", owed(), "money.too_many_decimals"),
        ("80.00", [], "dispute.invoice_unknown"),
    ],
)
def test_a_ruling_that_cannot_be_carried_out_is_refused_by_name(
    estate: Estate, amount: str, found: list[Settlement], code: str
) -> None:
    ruling = msgspec.structs.replace(RULING, amount_text=amount)
    with pytest.raises(AccordantError) as refused:
        credit_of(opened(estate), ruling, known(), found, estate)
    assert refused.value.code == code
    assert refused.value.hint


def test_the_whole_of_it_may_be_credited(estate: Estate) -> None:
    ruling = msgspec.structs.replace(RULING, amount_text="120")
    assert credit_of(opened(estate), ruling, known(), owed(), estate).credit.amount == usd(12_000)


def test_how_long_disputes_took_is_counted_in_the_month_in_which_they_ended(estate: Estate) -> None:
    december_ms = 1_796_083_200_000  # 2026-12-01T00:00:00Z
    first = opened(estate, opened_at_ms=december_ms - 10 * HOUR_MS)

    def case(hours: float | None, credited: Money | None = None) -> Case:
        dispute = msgspec.structs.replace(first, credited=credited, status="credited" if credited else "confirmed")
        ended = None if hours is None else first.opened_at_ms + round(hours * HOUR_MS)
        return Case(dispute=dispute, party="", transaction_id="tx", state="completed", resolved_at_ms=ended)

    cases = [case(9.999), case(10, usd(500)), case(30, usd(700)), case(50, Money(9, "EUR")), case(None)]
    december, november = by_month(cases)
    assert (december.month, december.resolved, december.credited) == ("2026-12", 3, 3)
    assert (december.median_hours, december.mean_hours) == (30, 30)
    assert december.credits == (Money(9, "EUR"), usd(1_200))
    assert (november.month, november.resolved, november.credited, november.credits) == ("2026-11", 1, 0, ())
    assert case(None).hours(first.opened_at_ms + 5 * HOUR_MS) == 5
