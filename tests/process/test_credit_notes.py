"""What a credit of billing means to the books, and what stops it before anything is written."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from accordant.canonical.credit_note import BalanceEntry, BilledCreditNote
from accordant.canonical.customer import Address, Customer, SourceAccount
from accordant.governance.demo_estate import install
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_json
from accordant.kernel.money import Money
from accordant.process.credit_memo import memo_of_entry, memo_of_note, whose
from accordant.process.credit_note_void import counter_of
from accordant.process.customer_opening import parties_of

HERE = Address(country="GB")
CUSTOMER = Customer(
    customer_id="customer-1", name="17850", legal_entity="EU01", currency="GBP", bill_to=HERE, ship_to=HERE
)
DAY = date(2010, 12, 1)
NOTE = BilledCreditNote(
    number="C536379",
    source_id="cn_1",
    customer_source_id="cus_1",
    invoice_source_id="in_1",
    total=Money(2_750, "GBP"),
    off_invoice=Money(2_750, "GBP"),
    issued_on=DAY,
)
ENTRY = BalanceEntry(number="C536391", source_id="cus_1/cbtxn_1", total=Money(14_148, "GBP"), issued_on=DAY)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder: Path = tmp_path_factory.mktemp("estate")
    install(folder)
    return load_estate(folder)


def known(**changed: object) -> str:
    return canonical_json(msgspec.structs.replace(CUSTOMER, **changed)).decode()


def test_a_note_becomes_a_memo_that_pays_its_invoice(estate: Estate) -> None:
    memo = memo_of_note(NOTE, known(), "demo", "50017", estate)
    assert (memo.number, memo.amount, memo.posted_on) == ("C536379", NOTE.total, DAY)
    assert (memo.invoice_native_id, memo.erp_entity, memo.item, memo.case_id) == ("50017", "2", "CREDIT-NOTE", "")
    assert memo.pays == NOTE.off_invoice
    assert memo_of_note(NOTE, known(), "demo", "", estate).invoice_native_id == ""
    partly = msgspec.structs.replace(NOTE, off_invoice=Money(1, "GBP"))
    assert memo_of_note(partly, known(), "demo", "50017", estate).pays == Money(1, "GBP")
    paid = msgspec.structs.replace(NOTE, off_invoice=Money(0, "GBP"))
    assert memo_of_note(paid, known(), "demo", "50017", estate).invoice_native_id == ""
    other = msgspec.structs.replace(NOTE, source_id="cn_2")
    assert memo_of_note(other, known(), "demo", "50017", estate).credit_id != memo.credit_id
    assert memo_of_note(NOTE, known(), "other", "50017", estate).credit_id != memo.credit_id


def test_an_entry_of_the_balance_becomes_a_memo_that_pays_nothing(estate: Estate) -> None:
    memo = memo_of_entry(ENTRY, known(), "demo", estate)
    assert (memo.number, memo.amount, memo.item) == ("C536391", ENTRY.total, "CREDIT-BALANCE")
    assert memo.invoice_native_id == ""


@pytest.mark.parametrize(
    ("note", "customer", "code"),
    [
        ({}, {"currency": "EUR"}, "credit_note.currency"),
        ({"reason": "goodwill"}, {}, "map.missing"),
        ({}, {"legal_entity": "XX99"}, "map.missing"),
    ],
)
def test_what_has_no_meaning_stops_it(
    note: dict[str, str], customer: dict[str, str], code: str, estate: Estate
) -> None:
    with pytest.raises(AccordantError) as stopped:
        memo_of_note(msgspec.structs.replace(NOTE, **note), known(**customer), "demo", "", estate)
    assert stopped.value.code == code
    assert stopped.value.hint


def test_a_note_taken_back_is_owed_again_under_its_number(estate: Estate) -> None:
    memo = memo_of_note(NOTE, known(), "demo", "50017", estate)
    counter = counter_of(canonical_json(memo).decode(), NOTE.number, date(2010, 12, 9), estate)
    assert (counter.number, counter.total, counter.posted_on) == (NOTE.number, NOTE.total, date(2010, 12, 9))
    assert (counter.customer_id, counter.erp_entity, counter.lines[0].item) == ("customer-1", "2", "CREDIT-NOTE")
    assert counter.invoice_id != memo.credit_id
    with pytest.raises(AccordantError) as stopped:
        counter_of("", NOTE.number, date(2010, 12, 9), estate)
    assert stopped.value.code == "credit_note.not_posted"


async def test_a_credit_of_nobody_stops_before_anything_is_written() -> None:
    class Asked:
        row = SimpleNamespace(tenant="demo")

        async def recall(self, *_: object, **__: object) -> str:
            return ""

    asked: Any = Asked()
    with pytest.raises(AccordantError, match="cus_9") as stopped:
        await whose(asked, "cus_9")
    assert stopped.value.code == "credit_note.customer_unknown"


def test_an_account_becomes_a_party_with_its_parents_before_it(estate: Estate) -> None:
    parent = SourceAccount(source_id="001P", name="Holding", country_word="Germany")
    account = SourceAccount(source_id="001C", name="Daughter", country_word="United Kingdom", parent=parent)
    first, second = parties_of(account, "GBP", DAY, estate)
    assert (first.account.name, first.country, second.account.name, second.country) == (
        "Holding",
        "DE",
        "Daughter",
        "GB",
    )
    assert {one.currency for one in (first, second)} == {"GBP"}
    with pytest.raises(AccordantError) as stopped:
        parties_of(msgspec.structs.replace(account, country_word="Atlantis"), "GBP", DAY, estate)
    assert stopped.value.code == "map.missing"
