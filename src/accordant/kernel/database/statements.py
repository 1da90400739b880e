"""The few statements that writing in groups needs, made from the tables once per database kind."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Table

from accordant.kernel.database.changes import RowValues

Cursor = Any
NewKeys = set[tuple[str, object]]


def key_width(table: Table) -> int:
    """How many leading columns form the primary key."""
    return len(table.primary_key.columns)


@lru_cache(maxsize=256)
def _insert(table: Table, replace: bool) -> str:
    columns = [column.name for column in table.columns]
    keys = ", ".join(columns[: key_width(table)])
    return f"INSERT INTO {table.name} ({', '.join(columns)}) %s ON CONFLICT ({keys}) DO " + (
        _overwrite(table) if replace else "NOTHING"
    )


def _overwrite(table: Table) -> str:
    columns = [column.name for column in table.columns][key_width(table) :]
    return "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in columns)


@lru_cache(maxsize=256)
def _sqlite_insert(table: Table, replace: bool) -> str:
    return _insert(table, replace) % f"VALUES ({', '.join('?' * len(table.columns))})"


def write_sqlite(
    cursor: Cursor, *, added: Sequence[tuple[Table, RowValues]], put: dict[Table, list[RowValues]]
) -> NewKeys:
    """Write the rows inside the open transaction; returns which added keys were new."""
    new: NewKeys = set()
    for table, row in added:
        cursor.execute(_sqlite_insert(table, False), row)
        if cursor.rowcount:
            new.add((table.name, row[0]))
    for table, rows in put.items():
        cursor.executemany(_sqlite_insert(table, True), rows)
    return new


def _array_type(column: Any) -> str:
    if isinstance(column.type, BigInteger):
        return "bigint[]"
    if isinstance(column.type, Integer):
        return "integer[]"
    return "bytea[]" if isinstance(column.type, LargeBinary) else "text[]"


@lru_cache(maxsize=256)
def _postgresql_insert(table: Table, replace: bool) -> str:
    arrays = ", ".join(f"%s::{_array_type(column)}" for column in table.columns)
    return _insert(table, replace) % f"SELECT * FROM unnest({arrays})"


@lru_cache(maxsize=1024)
def _postgresql_batch(added: tuple[Table, ...], put: tuple[Table, ...]) -> str:
    parts = [
        f"a{n} AS ({_postgresql_insert(table, False)} RETURNING '{table.name}' AS t, {table.columns.keys()[0]} AS k)"
        for n, table in enumerate(added)
    ]
    parts += [f"p{n} AS ({_postgresql_insert(table, True)})" for n, table in enumerate(put)]
    asked = " UNION ALL ".join(f"SELECT t, k FROM a{n}" for n in range(len(added)))
    return f"WITH {', '.join(parts)} {asked or 'SELECT 1 WHERE false'}"


def write_postgresql(
    cursor: Cursor, *, added: Sequence[tuple[Table, RowValues]], put: dict[Table, list[RowValues]]
) -> NewKeys:
    """Write all rows of all tables with one statement; returns which added keys were new."""
    adding: dict[Table, dict[RowValues, RowValues]] = {}
    for table, row in added:
        adding.setdefault(table, {}).setdefault(row[: key_width(table)], row)
    if not adding and not put:
        return set()
    parameters: list[object] = []
    for rows in adding.values():
        parameters.extend(list(column) for column in zip(*rows.values(), strict=True))
    for table_rows in put.values():
        parameters.extend(list(column) for column in zip(*table_rows, strict=True))
    cursor.execute(_postgresql_batch(tuple(adding), tuple(put)), parameters)
    return {(name, key) for name, key in cursor.fetchall()} if adding else set()


WriteRows = Callable[..., NewKeys]
