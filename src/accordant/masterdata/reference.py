"""What a word means: exactly what a row of the reference table says on that day, and never a guess."""

from datetime import date

from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.likeness import nearest
from accordant.kernel.errors import Unmapped


def resolve(estate: Estate, table: str, *, value: str, on: date) -> ReferenceRow:
    """The row of a value on a day; letter by letter, nothing trimmed, never a default.

    Raises:
        Unmapped: `map.missing` without a row, `map.ambiguous` with rows that contradict each other; the detail holds
            table, value, owner and the nearest candidates, best first.
    """
    rows = estate.effective(table, value, on=on)
    targets = sorted({row.target for row in rows})
    if len(targets) == 1:
        return rows[0]
    if targets:
        raise _ambiguous(estate, rows, table=table, on=on)
    raise _missing(estate, table, value=value, on=on)


def candidates_for(estate: Estate, table: str, *, value: str, on: date) -> list[str]:
    """Up to three values of the table that are written most alike and hold on this day, best first."""
    rows = estate.tables.get(table, {})
    return nearest(value, (known for known in rows if estate.effective(table, known, on=on)))


def _missing(estate: Estate, table: str, *, value: str, on: date) -> Unmapped:
    owner, candidates = estate.owner_of(table), candidates_for(estate, table, value=value, on=on)
    alike = ", ".join(f"{candidate!r}" for candidate in candidates) or "none"
    if table not in estate.tables:
        found = f"the estate has no reference table {table!r}, so {value!r} has no meaning"
    elif estate.tables[table].get(value):
        found = f"reference table {table!r} has {value!r}, but no row of it holds on {on.isoformat()}"
    else:
        found = f"reference table {table!r} has no row for {value!r}"
    return Unmapped(
        f"{found}; nearest: {alike}; {owner} decides",
        code="map.missing",
        hint=f"add the row (`accordant reference set {table} VALUE TARGET`), then release the cause",
        detail={"table": table, "value": value, "owner": owner, "candidates": candidates, "on": on.isoformat()},
    )


def _ambiguous(estate: Estate, rows: tuple[ReferenceRow, ...], *, table: str, on: date) -> Unmapped:
    value, owner = rows[0].value, estate.owner_of(table)
    targets = sorted({row.target for row in rows})
    return Unmapped(
        f"reference table {table!r} gives {value!r} more than one meaning on {on.isoformat()}: "
        f"{', '.join(targets)}; {owner} decides",
        code="map.ambiguous",
        hint="leave one row for that day, then release the cause",
        detail={"table": table, "value": value, "owner": owner, "candidates": targets, "on": on.isoformat()},
    )
