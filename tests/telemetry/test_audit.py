"""Whoever changes the audit afterwards is found out; what only an anchor shows is shown by the anchor."""

import msgspec
import pytest
from sqlalchemy import text

from accordant.kernel.database import Changes, Database, Writer
from accordant.telemetry.audit import AuditEntry, heads, record, verify_chain

ENTRIES = 10


@pytest.fixture
async def audited(database: Database, writer: Writer) -> Database:
    for n in range(ENTRIES):
        changes = Changes()
        entry = AuditEntry(at_ms=n, tenant="t", correlation_id="c", action="a.done", subject=f"s{n}", detail={"n": n})
        record(changes, entry)
        await writer.commit(changes, at="test")
    return database


def tamper(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_chain_is_valid(audited: Database) -> None:
    anchors = audited.read_now(heads)
    assert [(one.segment, one.n) for one in anchors] == [("test", ENTRIES)]
    verdict = audited.read_now(lambda c: verify_chain(c, anchors))
    assert (verdict.valid, verdict.entries) == (True, ENTRIES)


@pytest.mark.parametrize(
    "column",
    [
        "at_ms",
        "tenant",
        "correlation_id",
        "transaction_id",
        "action",
        "subject",
        "actor",
        "detail",
        "hash",
        "previous_hash",
    ],
)
def test_a_changed_value_is_found_where_it_was_changed(audited: Database, column: str) -> None:
    tamper(audited, f"UPDATE audit SET {column} = {'99' if column == 'at_ms' else repr('x')} WHERE n = 4")
    assert audited.read_now(verify_chain).first_broken == "test/4"


def test_a_deleted_entry_is_found(audited: Database) -> None:
    tamper(audited, "DELETE FROM audit WHERE n = 4")
    assert audited.read_now(verify_chain).first_broken == "test/5"


def test_a_deleted_beginning_is_found(audited: Database) -> None:
    tamper(audited, "DELETE FROM audit WHERE n <= 3")
    assert audited.read_now(verify_chain).first_broken == "test/4"


def test_an_entry_cut_out_with_the_numbers_closed_up_is_found(audited: Database) -> None:
    moves = [f"UPDATE audit SET n = {n - 1} WHERE n = {n}" for n in range(5, ENTRIES + 1)]
    tamper(audited, "DELETE FROM audit WHERE n = 4", *moves)
    assert audited.read_now(verify_chain).first_broken == "test/4"


def test_an_inserted_entry_is_found(audited: Database) -> None:
    moves = [f"UPDATE audit SET n = {n + 1} WHERE n = {n}" for n in range(ENTRIES, 4, -1)]
    columns = "at_ms, tenant, correlation_id, transaction_id, action, subject, actor, detail, previous_hash, hash"
    tamper(audited, *moves, f"INSERT INTO audit SELECT segment, 5, {columns} FROM audit WHERE n = 4")
    assert audited.read_now(verify_chain).first_broken == "test/5"


def test_two_entries_that_changed_places_are_found(audited: Database) -> None:
    tamper(
        audited,
        "UPDATE audit SET n = 100 WHERE n = 4",
        "UPDATE audit SET n = 4 WHERE n = 5",
        "UPDATE audit SET n = 5 WHERE n = 100",
    )
    assert audited.read_now(verify_chain).first_broken == "test/4"


def test_an_entry_moved_to_a_segment_of_its_own_is_found(audited: Database) -> None:
    tamper(audited, f"UPDATE audit SET segment = 'other' WHERE n = {ENTRIES}")
    assert audited.read_now(verify_chain).first_broken == f"other/{ENTRIES}"


@pytest.mark.parametrize("cut", [f"DELETE FROM audit WHERE n > {ENTRIES - 2}", "DELETE FROM audit"])
def test_a_cut_at_the_end_shows_against_an_anchor_only(audited: Database, cut: str) -> None:
    anchors = audited.read_now(heads)
    tamper(audited, cut)
    assert audited.read_now(verify_chain).valid
    assert audited.read_now(lambda c: verify_chain(c, anchors)).first_broken == f"test/{ENTRIES}"


def test_a_chain_computed_anew_shows_against_an_anchor(audited: Database) -> None:
    anchors = [msgspec.structs.replace(one, hash="0" * 64) for one in audited.read_now(heads)]
    assert audited.read_now(lambda c: verify_chain(c, anchors)).first_broken == f"test/{ENTRIES}"
