"""What every test may ask for: a fresh database of each kind, its writer, a clock that stands still, seeded chance."""

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Database, Writer
from accordant.telemetry.audit import continue_chain
from tests import databases

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server for this session."""
    yield from databases.postgresql_server(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture(scope="session")
def postgresql_template(postgresql: str) -> str:
    """Name of a database at the present schema, to be copied."""
    databases.execute(postgresql, "CREATE DATABASE prepared TEMPLATE template0")
    databases.prepared(databases.named(postgresql, "prepared"))
    return "prepared"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "prepared.db"
    databases.prepared(f"sqlite:///{file}")
    return file


@pytest.fixture(params=BOTH)
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> databases.FreshUrl:
    """A function that gives the address of a new database, as often as it is called."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        return lambda: databases.fresh_sqlite(template, tmp_path)
    server: str = request.getfixturevalue("postgresql")
    name: str = request.getfixturevalue("postgresql_template")
    return lambda: databases.fresh_postgresql(server, template=name)


@pytest.fixture
def url(fresh_url: databases.FreshUrl) -> str:
    return fresh_url()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
async def writer(database: Database) -> AsyncIterator[Writer]:
    chain = database.read_now(lambda connection: continue_chain(connection, "test"))
    one = Writer(database, chain=chain, follow_ups=FOLLOW_UPS)
    one.start()
    yield one
    await one.stop()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(20_261_121)
