"""The few statements that writing in groups needs, made from the tables once per database kind."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Table

from accordant.kernel.database.changes import RowValues

Cursor = Any
KeyOf = tuple[str, object]
NewKeys = set[tuple[str, RowValues]]
"""Table name and full key of each added row that was not there before."""


FIXED = {"fixed": True}
"""`info` of a column that keeps the value with which its row was added: SQLite makes every index anew whose columns an
UPDATE names, whether their values change or not."""


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
    columns = [column.name for column in table.columns if not (column.primary_key or column.info.get("fixed"))]
    return "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in columns) if columns else "NOTHING"


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
            new.add((table.name, row[: key_width(table)]))
    for table, rows in put.items():
        cursor.executemany(_sqlite_insert(table, True), rows)
    return new


def append_sqlite(cursor: Cursor, table: Table, *, rows: Sequence[RowValues]) -> None:
    """Write rows that must all be new."""
    cursor.executemany(f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(table.columns))})", rows)


def _array_type(column: Any) -> str:
    if isinstance(column.type, BigInteger):
        return "bigint[]"
    if isinstance(column.type, Integer):
        return "integer[]"
    return "bytea[]" if isinstance(column.type, LargeBinary) else "text[]"


@lru_cache(maxsize=256)
def _postgresql_insert(table: Table, replace: bool) -> str:
    # Binary parameters: escaping arrays as text costs eighteen times the CPU.
    arrays = ", ".join(f"%b::{_array_type(column)}" for column in table.columns)
    return _insert(table, replace).replace("%s", f"SELECT * FROM unnest({arrays})")


@lru_cache(maxsize=1024)
def _postgresql_batch(added: tuple[Table, ...], put: tuple[Table, ...]) -> str:
    parts = [
        f"a{n} AS ({_postgresql_insert(table, False)} RETURNING '{table.name}' AS t, {_key_text(table)} AS k)"
        for n, table in enumerate(added)
    ]
    parts += [f"p{n} AS ({_postgresql_insert(table, True)})" for n, table in enumerate(put)]
    asked = "".join(f" UNION ALL SELECT t, k FROM a{n}" for n in range(len(added)))
    lead = f"WITH {', '.join(parts)} " if parts else ""
    return f"{lead}SELECT '' AS t, ARRAY[pg_current_xact_id()::text] AS k{asked}"


def _key_text(table: Table) -> str:
    """The whole key as texts, so that tables with numbers for keys fit into the same answer."""
    return f"ARRAY[{', '.join(f'{name}::text' for name in table.columns.keys()[: key_width(table)])}]"


def write_postgresql(
    cursor: Cursor, *, added: Sequence[tuple[Table, RowValues]], put: dict[Table, list[RowValues]]
) -> tuple[NewKeys, str]:
    """Write all rows of all tables with one statement; returns which added keys were new, and the transaction's id."""
    adding: dict[Table, dict[RowValues, RowValues]] = {}
    for table, row in added:
        adding.setdefault(table, {}).setdefault(row[: key_width(table)], row)
    if _overlap(adding, put):  # one statement may not write a row twice
        new, _ = _write(cursor, adding, put={})
        return new, _write(cursor, {}, put=put)[1]
    return _write(cursor, adding, put=put)


def _write(
    cursor: Cursor, adding: dict[Table, dict[RowValues, RowValues]], *, put: dict[Table, list[RowValues]]
) -> tuple[NewKeys, str]:
    parameters: list[object] = []
    for rows in (*(list(by_key.values()) for by_key in adding.values()), *put.values()):
        parameters.extend(list(column) for column in zip(*rows, strict=True))
    cursor.execute(_postgresql_batch(tuple(adding), tuple(put)), parameters)
    keys = {(table.name, tuple(map(str, key))): key for table, by_key in adding.items() for key in by_key}
    new: NewKeys = set()
    transaction = ""
    for name, texts in cursor.fetchall():
        if name:
            new.add((name, keys[(name, tuple(texts))]))
        else:
            transaction = texts[0]
    return new, transaction


def append_postgresql(cursor: Cursor, table: Table, *, rows: Sequence[RowValues]) -> None:
    """Write rows that must all be new, with one statement."""
    cursor.execute(_postgresql_append(table), [list(column) for column in zip(*rows, strict=True)])


@lru_cache(maxsize=16)
def _postgresql_append(table: Table) -> str:
    arrays = ", ".join(f"%b::{_array_type(column)}" for column in table.columns)
    return f"INSERT INTO {table.name} SELECT * FROM unnest({arrays})"


def _overlap(adding: dict[Table, dict[RowValues, RowValues]], put: dict[Table, list[RowValues]]) -> bool:
    return any(
        row[: key_width(table)] in adding[table] for table, rows in put.items() if table in adding for row in rows
    )
