"""What it means to give a word a meaning: it takes over its days, and the days outside stay as they were."""

from collections.abc import Iterable
from datetime import date

import msgspec

from accordant.governance.estate import Estate, ReferenceRow
from accordant.governance.likeness import did_you_mean, nearest
from accordant.governance.reference_rules import faults
from accordant.kernel.errors import Refused


class RowTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said about a reference row beside its value and target."""

    owner: str | None = None
    """None: the owner the value had, else the owner of the row it is described by."""
    effective_from: date | None = None
    effective_to: date | None = None
    attributes: dict[str, str] = {}
    """Attributes that differ from those of the row it is described by."""
    reason: str = ""


def placed(rows: Iterable[ReferenceRow], row: ReferenceRow) -> tuple[ReferenceRow, ...]:
    """The rows of one value after `row` has taken its days from them, in the order of their days."""
    begin, end = row.effective_from or date.min, row.effective_to or date.max
    kept = [row]
    for other in rows:
        other_begin, other_end = other.effective_from or date.min, other.effective_to or date.max
        if end <= other_begin or other_end <= begin:
            kept.append(other)
            continue
        if other_begin < begin:
            kept.append(msgspec.structs.replace(other, effective_to=row.effective_from))
        if end < other_end:
            kept.append(msgspec.structs.replace(other, effective_from=row.effective_to))
    return tuple(sorted(kept, key=lambda each: each.effective_from or date.min))


def rows_for(estate: Estate, table: str, *, value: str, target: str, terms: RowTerms) -> tuple[ReferenceRow, ...]:
    """The rows that give `value` the meaning of `target`: a value of the table, or a target one of its rows has.

    A target that no row has is taken where the terms bring everything the table says about a target.

    Raises:
        Refused: `reference.unknown_table`, `reference.unknown_target` with the nearest candidates in the detail,
            `reference.invalid`.
    """
    if table not in estate.tables:
        raise Refused(
            f"the estate has no reference table {table!r}; {did_you_mean(table, estate.tables)}",
            code="reference.unknown_table",
            hint="list the tables with `accordant reference list`; a new table is a new file of the estate",
            detail={"table": table, "candidates": nearest(table, estate.tables)},
        )
    described = _described_by(estate, table, target=target) or _new_target(estate, table, target=target, terms=terms)
    before = estate.tables[table].get(value, ())
    made = tuple(
        msgspec.structs.replace(
            row,
            value=value,
            owner=terms.owner or (before[0].owner if before else row.owner),
            attributes={**row.attributes, **terms.attributes},
            effective_from=_later(row.effective_from, terms.effective_from),
            effective_to=_earlier(row.effective_to, terms.effective_to),
        )
        for row in described
        if _meets(row, terms)
    )
    _refuse_faults(table, made, target=target)
    return made


def _described_by(estate: Estate, table: str, *, target: str) -> tuple[ReferenceRow, ...]:
    rows = estate.tables[table]
    if target in rows:
        return rows[target]
    for candidates in rows.values():
        same = tuple(row for row in candidates if row.target == target)
        if same:
            return same
    return ()


def _new_target(estate: Estate, table: str, *, target: str, terms: RowTerms) -> tuple[ReferenceRow, ...]:
    rows = [row for found in estate.tables[table].values() for row in found]
    needed = {name for row in rows for name in row.attributes}
    if needed <= terms.attributes.keys():
        return (ReferenceRow(value=target, target=target, owner=estate.owner_of(table)),)
    candidates = nearest(target, [*estate.tables[table], *(row.target for row in rows)])
    raise Refused(
        f"reference table {table!r} has neither a value nor a target {target!r}; "
        f"nearest: {', '.join(repr(candidate) for candidate in candidates) or 'none'}",
        code="reference.unknown_target",
        hint=f"name one of them, or give the new target its {', '.join(sorted(needed))}",
        detail={"table": table, "target": target, "candidates": candidates, "owner": estate.owner_of(table)},
    )


def _refuse_faults(table: str, rows: tuple[ReferenceRow, ...], *, target: str) -> None:
    wrong = [f"{fault.column}: {fault.what}, expected {fault.expected}" for row in rows for fault in faults(table, row)]
    if not rows:
        wrong = [f"{target!r} holds on none of the days asked for"]
    if wrong:
        raise Refused(
            f"the row for reference table {table!r} makes no sense: {'; '.join(wrong)}",
            code="reference.invalid",
            hint="correct what is named and set the row again; nothing was changed",
            detail={"table": table, "problems": wrong},
        )


def _meets(row: ReferenceRow, terms: RowTerms) -> bool:
    begin = max(row.effective_from or date.min, terms.effective_from or date.min)
    asked_backwards = bool(terms.effective_from and terms.effective_to and terms.effective_from >= terms.effective_to)
    return asked_backwards or begin < min(row.effective_to or date.max, terms.effective_to or date.max)


def _later(left: date | None, right: date | None) -> date | None:
    return max(left, right) if left and right else left or right


def _earlier(left: date | None, right: date | None) -> date | None:
    return min(left, right) if left and right else left or right
