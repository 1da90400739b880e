"""What a credit request means, and what stops it before anything is written."""

from datetime import date
from pathlib import Path

import msgspec
import pytest

from accordant.canonical.case import CreditRequest
from accordant.canonical.customer import Address, Customer
from accordant.governance.demo_estate import install
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_json
from accordant.kernel.money import Money
from accordant.process.case_party import was_withdrawn
from accordant.process.service_credit import credit_of, outcome

HERE = Address(country="US")
CUSTOMER = Customer(
    customer_id="customer-1", name="Lone Star", legal_entity="US01", currency="USD", bill_to=HERE, ship_to=HERE
)
ASKED = CreditRequest(
    case_id="5158",
    source_id="5158",
    customer_source_id="88",
    severity="critical",
    subject="Cannot log in",
    amount_text="120.00",
    reason="outage",
    requested_by="7",
    requested_on=date(2026, 11, 21),
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    folder: Path = tmp_path_factory.mktemp("estate")
    install(folder)
    return load_estate(folder)


def known(**changed: object) -> str:
    return canonical_json(msgspec.structs.replace(CUSTOMER, **changed)).decode()


def test_a_request_becomes_a_credit_and_its_memo(estate: Estate) -> None:
    agreed = credit_of(ASKED, known(), "tx-1", estate)
    assert agreed.credit.amount == agreed.memo.amount == Money(12_000, "USD")
    assert agreed.credit.credit_id == agreed.memo.credit_id
    assert (agreed.memo.item, agreed.memo.erp_entity, agreed.memo.legal_entity) == ("CREDIT-SLA", "1", "US01")
    assert agreed.credit.granted_on == agreed.memo.posted_on == ASKED.requested_on
    assert credit_of(ASKED, known(), "tx-1", estate) == agreed
    assert credit_of(ASKED, known(), "tx-2", estate).credit.credit_id != agreed.credit.credit_id


def test_the_amount_is_in_the_customers_own_currency(estate: Estate) -> None:
    asked = msgspec.structs.replace(ASKED, amount_text="15000")
    assert credit_of(asked, known(currency="JPY"), "tx-1", estate).credit.amount == Money(15_000, "JPY")


@pytest.mark.parametrize(
    ("asked", "customer", "code"),
    [
        ({}, "", "case.customer_unknown"),
        ({"customer_source_id": ""}, "", "case.customer_unknown"),
        ({"amount_text": "0.00"}, known(), "money.negative"),
        ({"amount_text": "-1"}, known(), "money.negative"),
        ({"amount_text": "1.005"}, known(), "money.too_many_decimals"),
        ({"amount_text": "1.50"}, known(currency="JPY"), "money.too_many_decimals"),
        ({"reason": "weather"}, known(), "map.missing"),
        ({}, known(legal_entity="XX99"), "map.missing"),
    ],
)
def test_what_has_no_meaning_stops_it(asked: dict[str, str], customer: str, code: str, estate: Estate) -> None:
    with pytest.raises(AccordantError) as stopped:
        credit_of(msgspec.structs.replace(ASKED, **asked), customer, "tx-1", estate)
    assert stopped.value.code == code
    assert stopped.value.hint


def test_only_a_later_request_withdraws_one(estate: Estate) -> None:
    assert not was_withdrawn("evt-1", "evt-1", estate)
    assert not was_withdrawn("", "evt-1", estate)
    assert was_withdrawn("evt-2", "evt-1", estate)


def test_what_the_case_shows_fits_its_field() -> None:
    assert len(outcome(ASKED, "blocked", transaction_id="tx-1", reason="x" * 400).reason) == 255
