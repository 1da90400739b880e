"""Each decision says by which rule, under which version of the estate, and on what it fell."""

from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from accordant.experience.cli import tx_why
from accordant.experience.cli.screen import Screen
from accordant.operations.transactions import story
from accordant.operations.why import Why, why
from tests.process.beginnings import BEGINNINGS
from tests.process.bench import Bench, benched


async def reasons(bench: Bench, flow: str) -> list[Why]:
    row = await bench.play(await BEGINNINGS[flow](bench, "100"), "100")

    def read(connection: object) -> list[Why]:
        found = story(connection, row.transaction_id)  # pyright: ignore[reportArgumentType]
        assert found is not None
        return why(connection, found)  # pyright: ignore[reportArgumentType]

    return bench.rig.database.read_now(read)


async def test_a_decision_names_its_rule_its_estate_and_what_it_was_given(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        found = {one.name: one for one in await reasons(bench, "service_credit")}
    assert {one.estate for one in found.values()} == {1}
    assert all(len(one.input_hash) == 32 and one.rule for one in found.values())
    credit, agreed = found["credit"], found["approval"]
    assert credit.rule == "credit_of"
    assert [one.kept_in for one in credit.inputs] == ["event: request", "latest customer", "transaction id"]
    assert msgspec.json.decode(credit.inputs[0].text)["amount_text"] == "400.00"
    assert msgspec.json.decode(credit.result)["credit"]["amount"] == {"amount_minor": 40_000, "currency": "USD"}
    assert "400.00 USD needs approval: finance reviewer decides" in agreed.rule
    assert agreed.by == "director@finance"
    (asked,) = agreed.inputs
    assert asked.kept_in == f"approval {agreed.approval}"
    assert msgspec.json.decode(asked.text)["credit"]["amount"]["amount_minor"] == 40_000
    monkeypatch.setenv("COLUMNS", "80")
    for whole in (False, True):
        tx_why.draw(Screen(), list(found.values()), whole=whole)
        lines = capsys.readouterr().out.splitlines()
        assert any("credit_of" in line for line in lines)
        assert whole or max(map(cell_len, lines)) <= 80
        assert any('"amount_text": "400.00"' in line for line in lines) == whole
    told = next(one for one in tx_why.as_json(list(found.values())) if one["name"] == "credit")
    assert told["inputs"][0]["value"]["amount_text"] == "400.00"


async def test_what_was_decided_before_is_among_what_a_rule_is_given(sqlite_template: Path, tmp_path: Path) -> None:
    async with benched(tmp_path, sqlite_template) as bench:
        found = {one.name: one for one in await reasons(bench, "contract_amendment")}
    given = {name: [kept.kept_in for kept in one.inputs] for name, one in found.items()}
    assert given["terms"] == ["event: amendment"]
    assert given["change"] == ["latest subscription", "event: amendment", "terms"]
    assert given["contract"] == ["latest contract: contract", "change", "terms"]
    assert given["entitlement"] == ["contract", "latest contract: support"]
