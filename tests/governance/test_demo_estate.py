import re
from datetime import date
from pathlib import Path

import pycountry
import pytest

from accordant.governance.connections import load_connections
from accordant.governance.demo_estate import install
from accordant.governance.estate import Estate
from accordant.governance.estate_files import load_estate

ANY_DAY = date(2017, 3, 1)
OWNERS = {
    "map.missing": "master data",
    "map.ambiguous": "master data",
    "entity.missing": "finance operations",
    "vendor.rejected": "revenue operations",
    "vendor.rejected.erp": "finance operations",
    "vendor.rejected.billing": "billing operations",
    "vendor.rejected.support": "support operations",
    "vendor.rejected.crm": "sales operations",
    "vendor.unknown_outcome": "platform operations",
    "effect.in_doubt": "platform operations",
    "vendor.unavailable": "platform operations",
    "vendor.credentials": "platform operations",
    "flow.non_deterministic": "platform operations",
    "flow.crashed": "platform operations",
    "money.format": "finance operations",
    "date.format": "sales operations",
    "stage.unknown": "sales operations",
    "row.malformed": "sales operations",
    "account.missing": "sales operations",
    "currency.mismatch": "finance operations",
    "identity.ambiguous": "master data",
    "hierarchy.cycle": "master data",
    "contract.line_missing": "revenue operations",
    "deal.corrected": "sales operations",
    "event.id.conflict": "platform operations",
    "value.malformed": "sales operations",
    "storage.lost": "platform operations",
}


@pytest.fixture
def estate(folder: Path) -> Estate:
    return load_estate(folder)


def test_every_exception_has_its_owner_and_none_falls_through(estate: Estate) -> None:
    fallback = estate.policies.for_exception("nothing.of.the.kind")
    found = {code: estate.policies.for_exception(code) for code in OWNERS}
    assert {code: policy.owner for code, policy in found.items()} == OWNERS
    assert [code for code, policy in found.items() if policy is fallback] == []


def test_every_runbook_exists(estate: Estate) -> None:
    root = Path(__file__).parents[2]
    for policy in estate.policies.exceptions.values():
        file, _, anchor = policy.runbook.partition("#")
        titles = re.findall(r"^## (.+)$", (root / file).read_text(), re.MULTILINE)
        assert anchor in {title.lower().replace(",", "").replace(" ", "-") for title in titles}


def test_every_country_has_a_row_and_a_legal_entity_the_erp_knows(estate: Estate) -> None:
    rows = [row for found in estate.tables["country"].values() for row in found]
    assert {row.target for row in rows} == {country.alpha_2 for country in pycountry.countries}
    for row in rows:
        assert estate.row("legal_entity", row.attributes["legal_entity"], on=ANY_DAY)


@pytest.mark.parametrize(
    ("word", "code", "entity"),
    [
        ("United States", "US", "US01"),
        ("Brazil", "BR", "US01"),
        ("Germany", "DE", "EU01"),
        ("Kenya", "KE", "EU01"),
        ("Jordan", "JO", "EU01"),
        ("Japan", "JP", "AP01"),
        ("South Korea", "KR", "AP01"),
        ("Korea", "KR", "AP01"),
        ("Philippines", "PH", "AP01"),
        ("Philipines", "PH", "AP01"),
        ("Russia", "RU", "EU01"),
    ],
)
def test_countries_lead_to_their_legal_entity(estate: Estate, word: str, code: str, entity: str) -> None:
    row = estate.row("country", word, on=ANY_DAY)
    assert row is not None
    assert (row.target, row.attributes["legal_entity"], row.owner) == (code, entity, "master data")


def test_every_product_has_a_tier_and_a_currency(estate: Estate) -> None:
    for (row,) in estate.tables["product"].values():
        assert estate.row("service_tier", row.attributes["service_tier"], on=ANY_DAY)
        assert estate.row("currency", row.attributes["currency"], on=ANY_DAY)


def test_the_default_systems_of_record(estate: Estate) -> None:
    asked = ("customer.legal_entity", "opportunity.stage", "invoice.status", "payment.status", "subscription", "case")
    assert [estate.system_of_record(field) for field in asked] == ["erp", "crm", "erp", "erp", "billing", "support"]


def test_the_four_sandboxes_are_connected(folder: Path) -> None:
    assert {entry.name: entry.base_url for entry in load_connections(folder)} == {
        name: f"sandbox://{name}" for name in ("salesforce", "stripe", "netsuite", "zendesk")
    }


def test_an_estate_that_is_there_is_not_touched(folder: Path) -> None:
    (folder / "policies.yaml").write_text("mine")
    (folder / "ownership.yaml").unlink()
    assert not install(folder)
    assert (folder / "policies.yaml").read_text() == "mine"
    assert not (folder / "ownership.yaml").exists()
