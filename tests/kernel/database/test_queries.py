"""Queries that are compiled once give what SQLAlchemy would have given, and fail in our own words."""

from pathlib import Path

import pytest
from sqlalchemy import Integer, select, text

from accordant.backbone.inbox import _UNREAD
from accordant.backbone.rows import CursorRow, cursor_table
from accordant.kernel.database import (
    Changes,
    Database,
    NotRead,
    Query,
    Unstorable,
    Writer,
    as_struct,
    first_column,
    given,
    one_of,
)
from tests import databases

_c = cursor_table.c
ROWS = [
    CursorRow(connection=f"c{n}", stream="it's 100 %" if n % 2 else "even", cursor=f'"{n}', at_ms=n) for n in range(9)
]
ODD = Query(
    select(cursor_table)
    .where(_c.stream == "it's 100 %", one_of(_c.connection, "names"))
    .order_by(_c.at_ms)
    .limit(given("most", type_=Integer)),
    as_struct(CursorRow),
)
NAMES = Query(select(_c.connection).where(_c.cursor == given("cursor")), first_column)


@pytest.fixture
async def kept(database: Database, writer: Writer) -> Database:
    changes = Changes()
    for row in ROWS:
        changes.put(cursor_table, row)
    await writer.commit(changes, at="test")
    return database


def names(*numbers: int) -> list[str]:
    return [f"c{n}" for n in numbers]


@pytest.mark.parametrize("listed", [list, set, tuple])
async def test_rows_as_structs_by_a_list_of_any_length(kept: Database, listed: type[list[str]]) -> None:
    many = listed([*names(1, 2, 5, 7), *(f"none {n}" for n in range(5_000))])
    assert await kept.read(lambda c: ODD.all(c, names=many, most=9)) == [ROWS[1], ROWS[5], ROWS[7]]
    assert await kept.read(lambda c: ODD.all(c, names=many, most=2)) == [ROWS[1], ROWS[5]]
    assert await kept.read(lambda c: ODD.all(c, names=listed([]), most=9)) == []


async def test_the_first_or_none(kept: Database) -> None:
    assert await kept.read(lambda c: NAMES.first(c, cursor='"3')) == "c3"
    assert await kept.read(lambda c: NAMES.first(c, cursor="' OR 1=1 --")) is None


async def test_what_cannot_be_asked_is_told_apart_from_what_cannot_be_asked_now(kept: Database) -> None:
    if not kept.is_sqlite:
        with pytest.raises(Unstorable, match="NUL"):
            await kept.read(lambda c: NAMES.all(c, cursor="\x00"))
        with pytest.raises(Unstorable, match="NUL"):
            await kept.read(lambda c: ODD.all(c, names=["\x00"], most=1))
    missing = Query(select(text("1")).select_from(text("no_such_table")), tuple)
    if kept.is_sqlite:
        with pytest.raises(NotRead, match="no such table"):
            await kept.read(missing.all)
    assert await kept.read(lambda c: NAMES.first(c, cursor='"3')) == "c3"


@pytest.mark.postgres
async def test_a_connection_that_died_meanwhile_is_replaced(postgresql: str, postgresql_template: str) -> None:
    url = databases.fresh_postgresql(postgresql, template=postgresql_template)
    database = Database(url, readers=1)
    pid = Query(select(text("pg_backend_pid()")), first_column)
    before = await database.read(pid.first)
    databases.execute(url, f"SELECT pg_terminate_backend({before}, 5000)")
    after = await database.read(pid.first)
    assert after not in (None, before)
    database.close()


def test_what_is_looked_for_all_the_time_is_found_by_its_index(sqlite_template: Path) -> None:
    """A constant given as a parameter would hide that the index holds exactly these rows."""
    database = Database(f"sqlite:///{sqlite_template}")
    with database.engine.connect() as connection:
        sql, order = _UNREAD._compile(connection)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", (1,)).scalars("detail").all()
    database.close()
    assert order == ("limit",)
    assert any("USING INDEX inbox_unread" in step for step in plan)
