"""Answers SuiteQL: the part of it that reads one table by conditions joined with AND, in an order.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html (REST, 2026.1)
"""

import operator
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from accordant.connector.sandbox import Record, Refused
from accordant.systems.netsuite.sandbox.answers import error
from accordant.systems.netsuite.sandbox.records import TYPES, Books, customer_of, hold_of

_COLUMNS: dict[str, dict[str, str]] = {
    "customer": {
        "id": "id", "externalid": "externalId", "companyname": "companyName", "entityid": "entityId",
        "parent": "parent", "currency": "currency", "isinactive": "isInactive", "subsidiary": "subsidiary",
        "lastmodifieddate": "lastModifiedDate", "datecreated": "dateCreated",
        "creditholdoverride": "creditHoldOverride", "manualcredithold": "creditHoldOverride",
        "custentity_accordant_hold": "custentity_accordant_hold",
    },
    "transaction": {
        "id": "id", "externalid": "externalId", "entity": "entity", "currency": "currency", "foreigntotal": "total",
        "status": "orderStatus", "trandate": "tranDate", "tranid": "tranId", "otherrefnum": "otherRefNum",
        "memo": "memo", "type": "type", "lastmodifieddate": "lastModifiedDate", "duedate": "dueDate",
        "foreignamountpaid": "amountPaid", "foreignamountunpaid": "amountRemaining",
        "foreignpaymentamountused": "applied", "foreignpaymentamountunused": "unapplied",
    },
    "item": {
        "id": "id", "externalid": "externalId", "itemid": "itemId", "isinactive": "isInactive",
        "lastmodifieddate": "lastModifiedDate",
    },
    "subsidiary": {
        "id": "id", "externalid": "externalId", "name": "name", "isinactive": "isInactive", "country": "country",
    },
    "accountingperiod": {
        "id": "id", "periodname": "periodName", "startdate": "startDate", "enddate": "endDate", "closed": "closed",
    },
    "currency": {"id": "id", "symbol": "symbol", "name": "name", "isinactive": "isInactive"},
}  # fmt: skip
HOLDS = {"creditholdoverride": "OFF", "manualcredithold": "ON"}
"""What the form shows as Hold, in two columns.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4103800262.html
"""
_QUERY = re.compile(
    r"\s*SELECT\s+(?P<columns>.+?)\s+FROM\s+(?P<table>\w+)(?:\s+WHERE\s+(?P<where>.+?))?"
    r"(?:\s+ORDER\s+BY\s+(?P<order>.+?))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_TEXT = r"'(?:[^']|'')*'"
_VALUE = rf"{_TEXT}|-?\d+(?:\.\d+)?|TO_(?:TIMESTAMP(?:_TZ)?|DATE)\(\s*{_TEXT}\s*,\s*{_TEXT}\s*\)"
_CONDITION = re.compile(
    rf"\s*(?P<column>\w+)\s*(?:(?P<op>>=|<=|<>|=|>|<)\s*(?P<value>{_VALUE})"
    rf"|IN\s*\((?P<values>\s*(?:{_VALUE})(?:\s*,\s*(?:{_VALUE}))*\s*)\))\s*(?P<more>AND\b)?",
    re.IGNORECASE,
)
_SELECTED = re.compile(
    r"\s*(?:(?P<column>\w+)|TO_CHAR\(\s*(?P<dated>\w+)\s*,\s*'[^']*'\s*\))(?:\s+(?:AS\s+)?(?P<alias>\w+))?\s*",
    re.IGNORECASE,
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


class Condition(msgspec.Struct, frozen=True):
    column: str
    op: str
    values: tuple[str, ...]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query taken apart; `selected` is (name in the answer, column)."""

    table: str
    selected: tuple[tuple[str, str], ...]
    conditions: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]
    """Column, and whether it descends."""


def parse(text: str) -> Query:
    """Take a query apart.

    Raises:
        Refused: not in the part of SuiteQL that this sandbox knows, or an unknown table or column.
    """
    match = _QUERY.fullmatch(text)
    if match is None:
        raise _invalid("Invalid or unsupported search")
    table = match["table"].lower()
    if table not in _COLUMNS:
        raise _invalid(f"Record '{match['table']}' was not found.")
    return Query(
        table=table,
        selected=tuple(_selected(table, part) for part in _split(match["columns"])),
        conditions=tuple(_conditions(table, match["where"] or "")),
        order=tuple(_ordered(table, part) for part in _split(match["order"] or "")),
    )


def run(books: Books, query: Query) -> list[Record]:
    """The matching rows as NetSuite shows them: all values text, empty columns left out."""
    rows = _candidates(books, query)
    rows = [row for row in rows if all(_holds(query.table, row, condition=condition) for condition in query.conditions)]
    for column, descending in reversed(query.order):
        rows.sort(key=lambda row, c=column: _sort_key(_shown(query.table, row, column=c)), reverse=descending)
    answer: list[Record] = []
    for row in rows:
        shown: Record = {"links": []}
        for name, column in query.selected:
            value = _shown(query.table, row, column=column)
            if value is not None:
                shown[name] = value
        answer.append(shown)
    return answer


def _candidates(books: Books, query: Query) -> list[Record]:
    """Rows by index where a condition names ids, so that a read-back does not walk the whole table."""
    store = books.tables[query.table]
    for condition in query.conditions:
        if condition.column in ("id", "externalid") and condition.op in ("=", "IN"):
            wanted = dict.fromkeys(condition.values)
            return [record for value in wanted for record in store.find(condition.column, value)]
    return store.search()


def _holds(table: str, row: Record, *, condition: Condition) -> bool:
    value = _shown(table, row, column=condition.column)
    if value is None:
        return False
    if condition.op == "IN":
        return value in condition.values
    return _OPERATORS[condition.op](_sort_key(value), _sort_key(condition.values[0]))


def _shown(table: str, row: Record, *, column: str) -> str | None:
    if column == "type":
        return TYPES[row["recordType"]].code
    if column == "entity":
        return customer_of(row)
    value = row.get(_COLUMNS[table][column])
    if column in HOLDS:
        return "T" if hold_of(row) == HOLDS[column] else "F"
    if column == "status":
        value = value or row.get("status")
    if value is None:
        return None
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, Decimal):
        sign = TYPES[row["recordType"]].sign if column == "foreigntotal" else 1
        return format(value.normalize() * sign, "f")
    if column in ("lastmodifieddate", "datecreated"):
        return str(value)[:19].replace("T", " ")
    return str(value)


def _sort_key(value: str | None) -> tuple[int, Decimal, str]:
    if value is not None and re.fullmatch(r"-?\d{1,20}(\.\d{1,10})?", value):
        return (0, Decimal(value), "")
    return (1, Decimal(0), value or "")


def _selected(table: str, part: str) -> tuple[str, str]:
    match = _SELECTED.fullmatch(part)
    if match is None:
        raise _invalid(f"Invalid or unsupported search: {part.strip()[:60]}")
    column = _known(table, match["column"] or match["dated"])
    return (match["alias"] or column).lower(), column


def _conditions(table: str, text: str) -> Iterable[Condition]:
    place = 0
    while place < len(text):
        match = _CONDITION.match(text, place)
        if match is None or (match["more"] is None and match.end() < len(text)):
            raise _invalid(f"Invalid or unsupported search: {text[place : place + 60].strip()}")
        values = re.findall(_VALUE, match["values"] or match["value"], re.IGNORECASE)
        op = "IN" if match["values"] is not None else match["op"]
        yield Condition(_known(table, match["column"]), op, tuple(map(_literal, values)))
        place = match.end()


def _ordered(table: str, part: str) -> tuple[str, bool]:
    column, _, direction = part.strip().partition(" ")
    if direction.strip().upper() not in ("", "ASC", "DESC"):
        raise _invalid(f"Invalid or unsupported search: {part.strip()[:60]}")
    return _known(table, column), direction.strip().upper() == "DESC"


def _literal(text: str) -> str:
    quoted = re.search(r"'((?:[^']|'')*)'", text)
    return quoted[1].replace("''", "'") if quoted else text


def _split(text: str) -> list[str]:
    """Parts between commas that are outside parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def _known(table: str, column: str) -> str:
    name = column.lower()
    if name not in _COLUMNS[table]:
        raise _invalid(f"Unknown identifier '{column[:60]}'. Available identifiers are: {sorted(_COLUMNS[table])}")
    return name


def _invalid(what: str) -> Refused:
    detail = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {what}"
    return Refused(error(400, detail, code="INVALID_PARAMETER", query_param="q"))
