"""What an invoice means in the books, and what stops it before anything is posted."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from accordant.canonical.account import Balance
from accordant.canonical.customer import Address, Customer
from accordant.canonical.invoice import BilledInvoice, BilledLine
from accordant.canonical.payment import PaymentReceived
from accordant.governance.demo_estate import install
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_json
from accordant.kernel.money import Money
from accordant.masterdata.standing import StandingRow
from accordant.process.billed import invoice_of, moves_nothing, note_of, payment_of, standing_of

HERE = Address(country="US")
CUSTOMER = Customer(
    customer_id="customer-1", name="Lone Star", legal_entity="US01", currency="USD", bill_to=HERE, ship_to=HERE
)
LINE = BilledLine(line_id="il_1", product_word="INS-PRO", description="Insight", quantity=2, total=Money(10_000, "USD"))
NOTHING = Money(0, "USD")
BILLED = BilledInvoice(
    number="ACME-0001",
    source_id="in_1",
    customer_source_id="cus_1",
    lines=(LINE,),
    tax=Money(840, "USD"),
    total=Money(10_840, "USD"),
    covered=NOTHING,
    remaining=Money(10_840, "USD"),
    status="open",
    issued_on=date(2026, 11, 20),
    due_on=date(2026, 12, 20),
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder: Path = tmp_path_factory.mktemp("estate")
    install(folder)
    return load_estate(folder)


def known(**changed: object) -> str:
    return canonical_json(msgspec.structs.replace(CUSTOMER, **changed)).decode()


def test_every_word_of_an_invoice_is_resolved(estate: Estate) -> None:
    invoice = invoice_of(BILLED, BILLED.lines, known(), "demo", estate)
    (line,) = invoice.lines
    assert (line.item, line.dimensions, line.quantity, line.total) == ("INS-PRO", {"class": "SAAS"}, 2, LINE.total)
    assert (invoice.erp_entity, invoice.tax_item, invoice.tax) == ("1", "TAX-US", Money(840, "USD"))
    assert (invoice.posted_on, invoice.due_on) == (BILLED.issued_on, BILLED.due_on)
    assert invoice_of(BILLED, BILLED.lines, known(), "demo", estate) == invoice
    other = msgspec.structs.replace(BILLED, source_id="in_2")
    assert invoice_of(other, other.lines, known(), "demo", estate).invoice_id != invoice.invoice_id


@pytest.mark.parametrize(
    ("billed", "line", "customer", "code", "says"),
    [
        ({}, {"product_word": "INS-PRX"}, {}, "map.missing", "revenue_item.*'INS-PRX'.*INS-PRO.*finance operations"),
        ({}, {"product_word": ""}, {}, "map.missing", "'no product'"),
        ({}, {}, {"legal_entity": "XX99"}, "map.missing", "legal_entity|tax_item"),
        ({}, {}, {"currency": "EUR"}, "currency.mismatch", "EUR"),
        ({"total": Money(10_841, "USD")}, {}, {}, "invoice.sum", "108.40"),
    ],
)
def test_what_has_no_meaning_stops_it(
    billed: dict[str, object],
    line: dict[str, object],
    customer: dict[str, object],
    code: str,
    says: str,
    estate: Estate,
) -> None:
    lines = (msgspec.structs.replace(LINE, **line),)
    told = msgspec.structs.replace(BILLED, lines=lines, **billed)
    with pytest.raises(AccordantError, match=says) as stopped:
        invoice_of(told, lines, known(**customer), "demo", estate)
    assert stopped.value.code == code
    assert stopped.value.hint


def test_an_invoice_for_nothing_is_not_posted_and_one_that_nets_to_nothing_is() -> None:
    nothing = msgspec.structs.replace(LINE, total=NOTHING)
    back = msgspec.structs.replace(LINE, total=Money(-10_000, "USD"))
    assert moves_nothing(msgspec.structs.replace(BILLED, lines=(nothing,)))
    assert not moves_nothing(msgspec.structs.replace(BILLED, lines=(LINE, back)))
    assert not moves_nothing(msgspec.structs.replace(BILLED, lines=(nothing,), lines_left=True))


def test_what_follows_is_made_of_the_invoice_as_it_was_posted(estate: Estate) -> None:
    """Billing's later snapshot may say anything: what was posted is what is countered."""
    invoice = invoice_of(BILLED, BILLED.lines, known(), "demo", estate)
    posted = canonical_json(invoice).decode()
    later = msgspec.structs.replace(BILLED, lines=(), total=NOTHING)
    note = note_of(posted, later, date(2026, 11, 30), estate)
    assert (note.lines, note.total, note.applied, note.tax) == (
        invoice.lines,
        invoice.total,
        invoice.total,
        invoice.tax,
    )
    assert note.posted_on == date(2026, 11, 30)
    fact = PaymentReceived(invoice=later, amount=Money(10_840, "USD"), paid_on=date(2026, 11, 25))
    payment = payment_of(posted, fact, estate)
    assert (payment.amount, payment.invoice_id, payment.paid_on) == (fact.amount, invoice.invoice_id, fact.paid_on)
    assert len({note.note_id, payment.payment_id, invoice.invoice_id}) == 3


@pytest.mark.parametrize(
    ("overdue", "credit", "status", "balance"),
    [(0, 0, "current", 5_000), (1, 0, "past due", 5_000), (0, 7_000, "current", -2_000)],
)
def test_the_standing_says_what_is_owed(overdue: int, credit: int, status: str, balance: int) -> None:
    held = Balance(owed=Money(5_000, "USD"), overdue=Money(overdue, "USD"), credit=Money(credit, "USD"))
    standing = standing_of(held, "customer-1", on=date(2026, 11, 20), decided=(), transaction_id="tx-1")
    assert (standing.status, standing.balance.amount_minor, bool(standing.reason)) == (status, balance, bool(overdue))


@pytest.mark.parametrize(
    ("decided", "overdue", "shown"),
    [
        ("current", 0, "current"),
        ("current", 1, "past due"),
        ("past due", 0, "past due"),
        ("on hold", 1, "on hold"),
        ("suspended", 0, "suspended"),
    ],
)
def test_an_invoice_lifts_nothing_that_was_decided_about_the_account(decided: str, overdue: int, shown: str) -> None:
    held = Balance(owed=Money(5_000, "USD"), overdue=Money(overdue, "USD"), credit=Money(0, "USD"))
    row = StandingRow(
        tenant="t",
        customer_id="customer-1",
        status=decided,
        support="as contracted",
        hold="none",
        collection="running",
        balance_minor=0,
        overdue_minor=0,
        currency="USD",
        reason="decided before",
        settled="yes",
        as_of_ms=1,
        transaction_id="tx-0",
    )
    standing = standing_of(held, "customer-1", on=date(2026, 11, 20), decided=(row,), transaction_id="tx-1")
    assert standing.status == shown
