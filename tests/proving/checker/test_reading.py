"""A history is read from both databases, the ledgers and the files; what no rule reads is left out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import delete, update

from accordant.backbone.rows import (
    effect_table,
    exception_table,
    inbox_table,
    transaction_table,
)
from accordant.kernel.database import Changes, Database, Writer
from accordant.proving.checker import Moments, artefacts_of, judge, read_history
from accordant.proving.checker.history import History, Truth
from accordant.proving.checker.matching import body_of
from accordant.telemetry.audit import AuditEntry, audit_table, record
from tests.proving.checker.company import Company

LINE = {
    "n": 1,
    "at": "2026-11-21T15:48:29.091Z",
    "operation": "PUT /order/1",
    "kind": "order",
    "change": "create",
    "native_id": 50054,
    "business_id": "order-D-1",
    "amount_minor": 100_00,
    "currency": "EUR",
    "key": None,
    "body": {"id": "50054", "total": "100.00"},
}


def deal() -> Company:
    company = Company()
    company.deal("D-1", customer="customer-a", stops_before="opportunity")
    company.delivery("evt-1")
    return company


async def kept(company: Company, writer: Writer) -> None:
    """The company's records, written by the platform's own writer."""
    changes = Changes()
    for table, rows in _rows(company):
        for row in rows:
            changes.put(table, row)
    for entry in company.audit:
        fields = {name: entry[name] for name in ("at_ms", "transaction_id", "action", "subject")}
        detail = json.loads(entry["detail"])
        record(changes, AuditEntry(tenant="demo", correlation_id="", detail=detail, **fields))
    await writer.commit(changes, at="test")


def _rows(company: Company) -> list[tuple[Any, Sequence[Any]]]:
    bodies = [msgspec.structs.replace(row, body=b"large" * 1000) for row in company.messages]
    return [
        (inbox_table, bodies),
        (transaction_table, company.transactions),
        (effect_table, company.effects),
        (exception_table, company.exceptions),
    ]


def read(state: Path, database: Database) -> History:
    url = database.url.render_as_string(hide_password=False)
    return read_history(state, Truth(), held={}, moments=Moments(healed_ms=1, at_rest_ms=2), database_url=url)


async def test_the_records_of_both_databases_come_back_without_what_no_rule_reads(
    database: Database, writer: Writer, tmp_path: Path
) -> None:
    company = deal()
    await kept(company, writer)
    history = read(tmp_path, database)
    told = history.records
    assert told.messages == tuple(company.messages), "the body is left out"
    assert told.transactions == tuple(company.transactions)
    assert sorted(told.effects, key=lambda one: one.n) == company.effects
    assert told.exceptions == tuple(company.exceptions)
    assert [entry["action"] for entry in told.audit] == [entry["action"] for entry in company.audit]
    assert told.chain_problem == ""
    assert (history.healed_ms, history.at_rest_ms) == (1, 2)
    assert not judge(history, rules=["audit", "lost"]).findings


@pytest.mark.parametrize("spoil", ["changed", "deleted"])
async def test_a_chain_that_was_tampered_with_is_reported_with_its_place(
    database: Database, writer: Writer, tmp_path: Path, spoil: str
) -> None:
    await kept(deal(), writer)
    third = audit_table.c.n == 3
    with database.engine.connect() as connection:
        change = update(audit_table).values(actor="somebody") if spoil == "changed" else delete(audit_table)
        connection.execute(change.where(third))
        connection.commit()
    (found,) = [one for one in judge(read(tmp_path, database)).of("audit") if one.what == "the chain is broken"]
    assert f"test/{3 if spoil == 'changed' else 4}" in found.where


async def test_every_table_is_searched_for_secrets_in_either_database(
    database: Database, writer: Writer, tmp_path: Path
) -> None:
    company = deal()
    company.messages[0] = msgspec.structs.replace(company.messages[0], note="whsec_canary")
    await kept(company, writer)
    history = read(tmp_path, database)
    searched = msgspec.structs.replace(history, truth=Truth(canaries=("whsec_canary",)))
    places = {one.where for one in judge(searched, rules=["secrets"]).findings}
    assert {place for place in places if place.startswith("table ")} == {"table inbox"}


def test_a_ledger_is_read_line_by_line_and_its_bodies_stay_encoded(tmp_path: Path, url: str) -> None:
    (tmp_path / "ledger").mkdir()
    lines = [LINE, {**LINE, "n": 2, "business_id": None, "amount_minor": None, "currency": None, "key": "acc-1"}]
    (tmp_path / "ledger" / "erp.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read_history(tmp_path, Truth(), held={}, moments=Moments(), database_url=url)
    first, second = history.applied
    assert (first.system, first.native_id, first.key, first.amount_minor) == ("erp", "50054", "", 100_00)
    assert (second.business_id, second.amount_minor, second.currency, second.key) == ("", None, "", "acc-1")
    assert isinstance(first.body, msgspec.Raw)
    assert body_of(first) == LINE["body"]


def test_an_amount_that_is_no_whole_number_is_read_as_it_is_and_found(tmp_path: Path, url: str) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "erp.jsonl").write_text(json.dumps({**LINE, "amount_minor": 100.5}) + "\n")
    history = read_history(tmp_path, Truth(), held={}, moments=Moments(), database_url=url)
    (found,) = judge(history).of("money")
    assert found.what == "erp says 100.5, which is no whole number of minor units"


def test_files_made_to_hold_secrets_are_no_artefacts_and_all_others_are(tmp_path: Path) -> None:
    (tmp_path / "estate").mkdir()
    for name in ("secrets.json", "token", "api.json", "platform.log", "estate/policies.yaml"):
        (tmp_path / name).write_text(name)
    more = tmp_path.parent / "export.csv"
    more.write_text("a,b")
    found = artefacts_of(tmp_path, more=[more])
    assert sorted(found) == sorted(["estate/policies.yaml", "platform.log", str(more)])
    assert found["estate/policies.yaml"] == b"estate/policies.yaml"
    (tmp_path / "platform.log").unlink()
    assert found["platform.log"] == b"", "a database's side file may be gone by then"
