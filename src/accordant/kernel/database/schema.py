"""Bringing a database to the schema of this release: all of it or nothing, whoever starts at the same moment."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from sqlalchemy import Connection, inspect

from accordant.kernel.database.connection import Database, metadata
from accordant.kernel.errors import Misconfigured
from accordant.kernel.failpoints import around

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision this release knows, oldest first; the last is the one it needs."""
MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = "alembic_version"
_ONE_AT_A_TIME = 7_305_118_220
"""Advisory lock that the preparing process holds on PostgreSQL; on SQLite the write lock does the same."""


def prepare_schema(database: Database, rooms: Sequence[ModuleType]) -> None:
    """Create or migrate the schema; does nothing, and loads nothing, where it is up to date.

    `rooms` are the modules that declare the tables; naming them makes sure that they are loaded.

    Raises:
        Misconfigured: the database belongs to a newer release, or its tables were not made by a migration.
    """
    if not rooms:
        raise Misconfigured("no module with tables was named", hint="pass the modules that declare the tables")
    if database.read_now(_present) == REVISIONS[-1]:
        return
    with database.engine.connect() as connection:
        if database.is_sqlite:
            with around("schema.begin"):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            with around("schema.turn"):
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ONE_AT_A_TIME})")
        try:
            if _present(connection) != REVISIONS[-1]:
                _upgrade(connection)
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        with around("schema.commit"):
            connection.exec_driver_sql("COMMIT")


def _present(connection: Connection) -> str | None:
    """The revision a database is at; None for an empty one."""
    existing = set(inspect(connection).get_table_names())
    if _VERSIONS not in existing:
        unknown = existing.intersection(metadata.tables)
        if unknown:
            raise Misconfigured(
                f"this database holds {', '.join(sorted(unknown))}, but no migration made them",
                code="schema.foreign",
                hint="give an empty database with --db, or another --state",
            )
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {_VERSIONS}").scalars().all()
    if found and found[0] not in REVISIONS:
        raise Misconfigured(
            f"this database is at schema {found[0]}; this release knows schemas up to {REVISIONS[-1]}",
            code="schema.newer",
            hint="start the newer release that wrote it, or restore a backup made before the upgrade",
        )
    return found[0] if found else None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
