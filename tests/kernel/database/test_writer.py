"""What is said to be committed is committed, once, and whoever waits is always answered."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import select, text

from accordant.backbone.rows import EffectRow, cursor_table, effect_table, memo_table
from accordant.kernel.database import Changes, Database, NotCommitted, StorageLost, Unstorable, Writer
from accordant.kernel.database.session import WritingSession
from accordant.telemetry.audit import AuditChain, continue_chain, verify_chain
from tests.kernel.database.rows import add, audit_of, audited, count_of, cursors, memos, put

TOO_LARGE = 2**70


def transaction_effect(business_id: str) -> EffectRow:
    texts = dict.fromkeys(EffectRow.__struct_fields__, "")
    numbers = dict.fromkeys(("version", "n", "attempts", "redriven", "own"), 1)
    absent = dict.fromkeys(("first_sent_at_ms", "confirmed_at_ms", "status", "checked_at_ms"))
    fields: dict[str, Any] = {**texts, **numbers, **absent, "business_id": business_id}
    return EffectRow(**fields)


async def test_what_waits_together_is_committed_together(database: Database, writer: Writer) -> None:
    await asyncio.gather(*(writer.commit(put(f"s{n}"), at="test") for n in range(500)))
    assert len(cursors(database)) == 500
    assert writer.commits <= 3
    assert writer.rows == 500


async def test_of_a_key_put_twice_in_one_group_the_last_stays(database: Database, writer: Writer) -> None:
    await asyncio.gather(*(writer.commit(put("s", str(n)), at="test") for n in range(20)))
    assert cursors(database) == {"s": "19"}


async def test_a_row_added_twice_in_one_group_is_new_for_the_first_only(database: Database, writer: Writer) -> None:
    told = await asyncio.gather(*(writer.commit(add("tx", result=str(n)), at="test") for n in range(3)))
    assert [one.is_new(memo_table, "tx") for one in told] == [True, False, False]
    again = await writer.commit(add("tx", result="later"), at="test")
    assert not again.is_new(memo_table, "tx")
    assert memos(database) == {"tx": "0"}


async def test_added_and_put_in_one_group_leaves_what_was_put(database: Database, writer: Writer) -> None:
    changes = add("tx", result="added")
    changes.put_rows.append((memo_table, ("tx", "step", 1, "check", "", "put", 1)))
    assert (await writer.commit(changes, at="test")).is_new(memo_table, "tx")
    assert memos(database) == {"tx": "put"}


async def test_a_fixed_column_keeps_its_first_value(database: Database, writer: Writer) -> None:
    row = transaction_effect("first")
    for business_id, state in (("first", "sent"), ("second", "confirmed")):
        changes = Changes()
        changes.put(effect_table, msgspec.structs.replace(row, business_id=business_id, state=state))
        await writer.commit(changes, at="test")
    held = database.read_now(lambda c: c.execute(select(effect_table.c.business_id, effect_table.c.state)).one())
    assert tuple(held) == ("first", "confirmed")


async def test_what_cannot_be_stored_fails_alone(database: Database, writer: Writer) -> None:
    good = [writer.commit(audited(put(f"s{n}"), f"s{n}"), at="test") for n in range(3)]
    bad = writer.commit(audited(put("bad", at_ms=TOO_LARGE), "bad"), at="test")
    answers = await asyncio.gather(good[0], bad, *good[1:], return_exceptions=True)
    assert isinstance(answers[1], Unstorable)
    assert sorted(cursors(database)) == ["s0", "s1", "s2"]
    assert [subject for _, subject in audit_of(database)] == ["s0", "s1", "s2"]
    assert [n for n, _ in audit_of(database)] == [1, 2, 3]


async def test_a_change_that_cannot_be_stored_leaves_nothing_of_itself(database: Database, writer: Writer) -> None:
    changes = put("half")
    changes.put_rows.extend(put("bad", at_ms=TOO_LARGE).put_rows)
    with pytest.raises(Unstorable):
        await writer.commit(changes, at="test")
    assert cursors(database) == {}
    await writer.commit(put("after"), at="test")
    assert cursors(database) == {"after": "1"}


async def test_a_nul_is_refused_only_where_the_database_has_no_place_for_it(database: Database, writer: Writer) -> None:
    outcome = (await asyncio.gather(writer.commit(put("s", "a\0b"), at="test"), return_exceptions=True))[0]
    assert isinstance(outcome, Unstorable) is not database.is_sqlite


async def test_what_is_posted_is_written_before_what_is_committed_later(database: Database, writer: Writer) -> None:
    writer.post(put("s", "posted"), at="test")
    await writer.commit(put("s", "committed"), at="test")
    assert cursors(database) == {"s": "committed"}


async def test_stopping_writes_what_waits_and_answers_everybody(database: Database, writer: Writer) -> None:
    waiting = [asyncio.create_task(writer.commit(put(f"s{n}"), at="test")) for n in range(50)]
    await asyncio.sleep(0)
    await asyncio.wait_for(writer.stop(), 10)
    await asyncio.gather(*waiting)
    assert len(cursors(database)) == 50
    with pytest.raises(NotCommitted, match="stopped"):
        await writer.commit(put("late"), at="test")


async def test_follow_ups_run_once_for_each_parameter_in_their_own_order(database: Database) -> None:
    statements = {
        "first": "UPDATE poll_cursor SET cursor = cursor || 'a' WHERE stream = :p",
        "second": "UPDATE poll_cursor SET cursor = cursor || 'b' WHERE stream = :p",
    }
    one = Writer(database, chain=AuditChain("test"), follow_ups=statements)
    one.start()
    changes = put("s", "")
    for name in ("second", "first", "second"):
        changes.follow_up(name, "s")
    assert (await one.commit(changes, at="test")).followed_up == 2
    assert cursors(database) == {"s": "ab"}
    unknown = Changes()
    unknown.follow_up("third", "s")
    with pytest.raises(Unstorable, match="third"):
        await one.commit(unknown, at="test")
    await one.stop()


async def test_the_audit_is_numbered_across_groups_failures_and_restarts(database: Database, writer: Writer) -> None:
    await writer.commit(audited(put("a"), "a"), at="test")
    with pytest.raises(Unstorable):
        await writer.commit(audited(put("bad", at_ms=TOO_LARGE), "bad"), at="test")
    await asyncio.gather(*(writer.commit(audited(put(f"s{n}"), f"s{n}"), at="test") for n in range(5)))
    await writer.stop()
    chain = database.read_now(lambda c: continue_chain(c, "test"))
    later = Writer(database, chain=chain, follow_ups={})
    later.start()
    await later.commit(audited(put("z"), "z"), at="test")
    await later.stop()
    assert [n for n, _ in audit_of(database)] == list(range(1, 8))
    assert database.read_now(verify_chain).valid


async def test_a_second_writer_of_the_same_audit_segment_is_noticed(database: Database, writer: Writer) -> None:
    stranger = Writer(database, chain=AuditChain("test"), follow_ups={})
    stranger.start()
    lost = list[BaseException]()
    stranger.on_lost = lost.append
    await writer.commit(audited(put("a"), "ours"), at="test")
    with pytest.raises(StorageLost, match="another process"):
        await stranger.commit(audited(put("b"), "theirs"), at="test")
    await stranger.stop()
    assert len(lost) == 1
    assert audit_of(database) == [(1, "ours")]


def full(database: Database, session: WritingSession) -> Callable[[], None]:
    """The disk is full from here on; gives what makes room again."""
    if database.is_sqlite:
        connection: Any = session._connect()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        return session.close  # the limit is the connection's own
    raising = "BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END"
    with database.engine.begin() as one:
        one.execute(text(f"CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ {raising} $$"))
        one.execute(text("CREATE TRIGGER no_room BEFORE INSERT ON poll_cursor EXECUTE FUNCTION no_room()"))

    def room() -> None:
        with database.engine.begin() as one:
            one.execute(text("DROP TRIGGER no_room ON poll_cursor"))

    return room


async def test_a_full_disk_refuses_everybody_at_once_and_is_survived(database: Database, writer: Writer) -> None:
    await writer.commit(put("before"), at="test")
    loop = asyncio.get_running_loop()
    session, thread = writer._session, writer._thread
    room = await loop.run_in_executor(thread, full, database, session)
    large = [writer.commit(audited(put(f"s{n}", "x" * 9000), f"s{n}"), at="test") for n in range(40)]
    answers = await asyncio.wait_for(asyncio.gather(*large, return_exceptions=True), 10)
    assert {type(one) for one in answers} == {NotCommitted}
    assert list(cursors(database)) == ["before"]
    await loop.run_in_executor(thread, room)
    await writer.commit(audited(put("after"), "after"), at="test")
    assert audit_of(database) == [(1, "after")]


async def test_a_database_that_may_only_be_read_refuses(database: Database, writer: Writer) -> None:
    loop = asyncio.get_running_loop()
    session, thread = writer._session, writer._thread
    setting = "PRAGMA query_only = 1" if database.is_sqlite else "SET default_transaction_read_only = on"
    connection: Any = await loop.run_in_executor(thread, session._connect)
    await loop.run_in_executor(thread, lambda: connection.cursor().execute(setting))
    with pytest.raises(NotCommitted):
        await writer.commit(put("s"), at="test")
    assert cursors(database) == {}


@pytest.mark.parametrize("code", ["SQLITE_IOERR_FSYNC", "SQLITE_CORRUPT", "58030"])
async def test_a_disk_that_fails_ends_everything(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def fail(*_: object) -> None:
        failed: Any = (sqlite3 if code.startswith("SQLITE") else psycopg).OperationalError("disk I/O error")
        failed.sqlite_errorname = failed.sqlstate = code
        raise failed

    lost = list[BaseException]()
    writer.on_lost = lost.append
    monkeypatch.setattr(writer._session, "_write_once", fail)
    answers = await asyncio.gather(*(writer.commit(put(f"s{n}"), at="test") for n in range(3)), return_exceptions=True)
    assert {type(one) for one in answers} == {StorageLost}
    assert len(lost) == 1
    with pytest.raises(StorageLost):
        await writer.commit(put("later"), at="test")
    writer.post(put("later"), at="test")
    await asyncio.wait_for(writer.stop(), 5)


async def test_a_file_that_is_no_database_is_lost(tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 500)
    database = Database(f"sqlite:///{tmp_path / 'broken.db'}")
    session = WritingSession(database, chain=AuditChain("test"), follow_ups={}, shared=False)
    with pytest.raises(StorageLost, match="SQLITE_NOTADB"):
        session.write([put("s")])
    database.close()


async def test_many_writers_of_many_tables_leave_every_row(database: Database, writer: Writer) -> None:
    async def work(n: int) -> None:
        changes = add(f"tx{n}")
        changes.include(put(f"s{n % 7}", str(n)))
        await writer.commit(audited(changes, f"tx{n}"), at="test")

    await asyncio.gather(*(work(n) for n in range(300)))
    assert count_of(database, memo_table) == 300
    assert count_of(database, cursor_table) == 7
    assert database.read_now(verify_chain).entries == 300
