"""What is open, by cause: mending one cause lets every transaction parked on it go on."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from accordant.backbone.exceptions import policy_code
from accordant.backbone.rows import ExceptionRow, exception_table
from accordant.governance.estate import Estate
from accordant.kernel.database import rows_of
from accordant.kernel.errors import AccordantError

_item = exception_table.c


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """All open items with the same cause."""

    cause_group: str
    title: str
    code: str
    cause_class: str
    severity: str
    owner: str
    count: int
    money: dict[str, int]
    """Currency → sum in its smallest unit, of the items that have an amount."""
    oldest_at_ms: int
    earliest_deadline_ms: int
    table: str
    """Reference table and value where a word has no meaning; else empty."""
    value: str
    candidates: tuple[str, ...]
    """Known words most alike, best first."""
    hint: str


def open_causes(connection: Connection, *, tenant: str, owner: str = "") -> list[Cause]:
    """Every cause with open items, most items first; what a cause is called comes from its oldest item."""
    conditions = [_item.tenant == tenant, _item.state == "open"]
    if owner:
        conditions.append(_item.owner == owner)
    sums = _sums(connection, conditions)
    rank = func.row_number().over(partition_by=_item.cause_group, order_by=(_item.opened_at_ms, _item.exception_id))
    ranked = select(exception_table, rank.label("place")).where(*conditions).subquery()
    query = select(*[ranked.c[name] for name in ExceptionRow.__struct_fields__]).where(ranked.c.place == 1)
    causes = [_cause(ExceptionRow(**row), sums[row["cause_group"]]) for row in connection.execute(query).mappings()]
    return sorted(causes, key=lambda cause: (-cause.count, cause.oldest_at_ms, cause.cause_group))


def open_items(connection: Connection, *, tenant: str, cause_group: str = "", limit: int = 200) -> list[ExceptionRow]:
    """Open items, oldest first; of one cause where it is given."""
    conditions = [_item.tenant == tenant, _item.state == "open"]
    if cause_group:
        conditions.append(_item.cause_group == cause_group)
    query = select(exception_table).where(*conditions).order_by(_item.opened_at_ms, _item.exception_id).limit(limit)
    return rows_of(connection, query, ExceptionRow)


def items_called(connection: Connection, word: str, *, tenant: str) -> list[ExceptionRow]:
    """Items by id or its beginning, open or closed; at most 20."""
    beginning = word if word.startswith("exc-") else f"exc-{word}"
    query = (
        select(exception_table)
        .where(_item.tenant == tenant, _item.exception_id.startswith(beginning, autoescape=True))
        .order_by(_item.exception_id)
        .limit(20)
    )
    return rows_of(connection, query, ExceptionRow)


def runbook_of(item: ExceptionRow, estate: Estate) -> str:
    """Where the steps to take are written."""
    problem = AccordantError(item.message, code=item.code, detail=detail_of(item))
    return estate.policies.for_exception(policy_code(problem)).runbook


def detail_of(item: ExceptionRow) -> dict[str, Any]:
    """What the problem said beside its sentence."""
    return msgspec.json.decode(item.detail, type=dict[str, Any])


class _Sums:
    """What is added up over one cause."""

    def __init__(self) -> None:
        self.count = 0
        self.money: dict[str, int] = {}
        self.oldest_at_ms: int | None = None
        self.earliest_deadline_ms: int | None = None


def _sums(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> dict[str, _Sums]:
    query = (
        select(
            _item.cause_group,
            _item.currency,
            func.count().label("items"),
            func.sum(_item.amount_minor).label("amount"),
            func.min(_item.opened_at_ms).label("opened"),
            func.min(_item.deadline_ms).label("deadline"),
        )
        .where(*conditions)
        .group_by(_item.cause_group, _item.currency)
    )
    found: dict[str, _Sums] = {}
    for row in connection.execute(query):
        one = found.setdefault(row.cause_group, _Sums())
        one.count += row.items
        if row.amount is not None:
            one.money[row.currency] = int(row.amount)
        one.oldest_at_ms = min(one.oldest_at_ms or row.opened, row.opened)
        one.earliest_deadline_ms = min(one.earliest_deadline_ms or row.deadline, row.deadline)
    return found


def _cause(item: ExceptionRow, sums: _Sums) -> Cause:
    detail = detail_of(item)
    candidates: list[object] = detail.get("candidates") or []
    return Cause(
        cause_group=item.cause_group,
        title=item.title,
        code=item.code,
        cause_class=item.cause_class,
        severity=item.severity,
        owner=item.owner,
        count=sums.count,
        money=dict(sorted(sums.money.items())),
        oldest_at_ms=sums.oldest_at_ms or item.opened_at_ms,
        earliest_deadline_ms=sums.earliest_deadline_ms or item.deadline_ms,
        table=str(detail.get("table", "")),
        value=str(detail.get("value", "")) if "table" in detail else "",
        candidates=tuple(str(one) for one in candidates),
        hint=item.hint,
    )
