"""PostgreSQL is asked to look at its tables as soon as there is something to see, and its plans follow."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from accordant.kernel.database import Database
from accordant.kernel.database.statistics import FIRST_ROWS, Statistics
from tests import databases

pytestmark = pytest.mark.postgres
_FILL = (
    "INSERT INTO crosswalk SELECT 't', 'customer', 'c' || n, 'crm', 'n' || n, 'crm', 1, 'tx'"
    " FROM generate_series(1, 5000) AS n"
)
_SELECT = "SELECT * FROM crosswalk WHERE tenant = $1 AND noun = $2 AND canonical_id = ANY($3)"


@pytest.fixture
def database(postgresql: str, postgresql_template: str) -> Iterator[Database]:
    opened = Database(databases.fresh_postgresql(postgresql, template=postgresql_template))
    yield opened
    opened.close()


def rows_known(database: Database) -> float:
    """Rows that the server thinks the table has; -1 where it has never looked."""
    query = text("SELECT reltuples FROM pg_class WHERE relname = 'crosswalk'")
    return database.read_now(lambda connection: connection.execute(query).scalar_one())


def plan_of(database: Database) -> str:
    """How the server finds one thing by its id, as it does for prepared queries."""

    def ask(connection: Connection) -> str:
        cursor = connection.connection.cursor()
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE wanted (text, text, text[]) AS {_SELECT}")
        cursor.execute("EXPLAIN EXECUTE wanted('t', 'customer', ARRAY['c7'])")
        return "\n".join(row[0] for row in cursor.fetchall())

    return database.read_now(ask)


def fill(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE crosswalk SET (autovacuum_enabled = off)"))
        connection.execute(text(_FILL))


def test_it_looks_when_there_is_something_to_see_and_plans_follow(database: Database) -> None:
    fill(database)
    statistics = Statistics(database)
    statistics.wrote(FIRST_ROWS - 1)
    assert statistics._looking is None
    assert rows_known(database) == -1
    statistics.wrote(1)
    statistics.close()
    assert rows_known(database) == 5000
    assert "canonical_id = ANY ($3)" in plan_of(database).partition("Index Cond:")[2].partition("\n")[0]


def test_the_next_look_waits_for_ten_times_as_much(database: Database) -> None:
    statistics = Statistics(database, first_rows=10)
    looked = list[int]()
    statistics._look = lambda: looked.append(1)
    for _ in range(11_109):
        statistics.wrote(1)
        if statistics._looking is not None:
            statistics._looking.result()
    statistics.close()
    assert len(looked) == 3, "after 10, 100 and 1,000 rows more, and not yet after 9,999 more"


def test_a_server_that_is_gone_is_no_reason_to_stop(postgresql: str) -> None:
    gone = Database(databases.named(postgresql, "no_such_database"))
    statistics = Statistics(gone, first_rows=1)
    statistics.wrote(1)
    assert statistics._looking is not None
    assert statistics._looking.exception(timeout=30) is None
    statistics.close()
    gone.close()
