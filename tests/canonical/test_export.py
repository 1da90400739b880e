"""The published schemas are those of the code, and events say truly who tells them and how they are ordered."""

import json
from pathlib import Path

import jsonschema_rs
import msgspec
import pytest

from accordant.canonical.contract import ContractAmended
from accordant.canonical.envelope import Fact
from accordant.canonical.export import INDEX, exported, main
from accordant.canonical.opportunity import OpportunityCorrected, OpportunityWon

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
ACCOUNT = {"source_id": "001A", "name": "Acme", "country_word": "Germany"}
DEAL = {
    "opportunity_id": "D-1",
    "source_id": "006A",
    "account": ACCOUNT,
    "product_word": "GTX Pro",
    "amount_text": "1.00",
    "currency_word": "USD",
    "closed_on": "2026-01-31",
}


def test_the_published_schemas_are_those_of_the_code() -> None:
    for name, text in exported().items():
        published = PUBLISHED / name
        assert published.exists(), f"{name} is not published; run `make docs` and commit docs/reference"
        assert published.read_bytes() == text, f"{name} differs from the code; run `make docs`; raise its version first"


def test_the_export_is_written_as_it_is_published(tmp_path: Path) -> None:
    assert main([str(tmp_path)]) == 0
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == dict(exported())
    assert main([]) == 2


def test_the_index_names_every_event_with_its_producer_and_ordering_key() -> None:
    index = json.loads(exported()[INDEX])
    assert index["events"]["accordant.opportunity.won"] == {
        "version": 1,
        "producer": "crm",
        "ordering_key": "/opportunity/account/source_id",
        "schema": "opportunity.won.v1.json",
    }
    named = [one["schema"] for group in ("nouns", "events") for one in index[group].values()]
    assert {INDEX, index["envelope"], *named} == set(exported())
    assert len(named) == len(set(named))


@pytest.mark.parametrize("event", [OpportunityWon, OpportunityCorrected, ContractAmended])
def test_the_ordering_key_stands_where_the_event_says(event: type[Fact]) -> None:
    schema = json.loads(exported()[f"{event.type.removeprefix('accordant.')}.v{event.version}.json"])
    node = schema
    for step in ["", *event.ordering_key.split("/")[1:]]:
        node = node["properties"][step] if step else node
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    assert node["type"] == "string"


def test_a_schema_accepts_what_the_code_accepts_and_refuses_what_it_refuses() -> None:
    validator = jsonschema_rs.validator_for(json.loads(exported()["opportunity.won.v1.json"]))
    assert msgspec.convert({"opportunity": DEAL}, OpportunityWon).opportunity.account.name == "Acme"
    assert validator.is_valid({"opportunity": DEAL})
    assert not validator.is_valid({"opportunity": {**DEAL, "quantity": "two"}})
    assert not validator.is_valid({})
