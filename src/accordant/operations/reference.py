"""What every word means today, who answers for it, and which words people use that have no meaning yet."""

from datetime import date

import msgspec
from sqlalchemy import Connection, select

from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.versions import estate_version_table
from accordant.operations.causes import Cause, open_causes


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A word in use that the table does not know, with what is parked on it."""

    value: str
    count: int
    money: dict[str, int]
    candidates: tuple[str, ...]
    cause_group: str


class TableCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """One reference table."""

    table: str
    owner: str
    values: int
    in_force: int
    """Values with a row that holds today."""
    missing: tuple[Missing, ...]


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table, and whether it holds today."""

    row: ReferenceRow
    holds: str
    """in force, not yet, or ended."""


def estate_in_force(connection: Connection) -> Estate | None:
    """The newest version of the estate, or None before the platform was ever started."""
    columns = estate_version_table.c
    body = connection.execute(select(columns.body).order_by(columns.n.desc()).limit(1)).scalar()
    return msgspec.json.decode(body, type=Estate) if body else None


def coverage(connection: Connection, estate: Estate, *, tenant: str, on: date) -> list[TableCoverage]:
    """Every table, and the words that open exceptions miss in it."""
    missing: dict[str, list[Cause]] = {}
    for cause in open_causes(connection, tenant=tenant):
        if cause.table:
            missing.setdefault(cause.table, []).append(cause)
    return [
        TableCoverage(
            table=table,
            owner=estate.owner_of(table),
            values=len(rows),
            in_force=sum(any(row.is_effective(on) for row in periods) for periods in rows.values()),
            missing=tuple(_missing(cause) for cause in missing.get(table, [])),
        )
        for table, rows in sorted(estate.tables.items())
    ]


def words_of(estate: Estate, table: str, *, on: date) -> list[Word]:
    """Every row of a table in the order of its values and days; empty for a table there is not."""
    rows = [row for _, periods in sorted(estate.tables.get(table, {}).items()) for row in periods]
    return [Word(row=row, holds=_holds(row, on)) for row in rows]


def _holds(row: ReferenceRow, on: date) -> str:
    if row.is_effective(on):
        return "in force"
    return "not yet" if row.effective_from is not None and row.effective_from > on else "ended"


def _missing(cause: Cause) -> Missing:
    return Missing(
        value=cause.value,
        count=cause.count,
        money=cause.money,
        candidates=cause.candidates,
        cause_group=cause.cause_group,
    )
