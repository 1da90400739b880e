"""Answers SOQL from the tables, through the cheapest index, a page at a time."""

from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from accordant.kernel.clock import parse_utc_ms
from accordant.systems.salesforce.sandbox.native_ids import id_from_number, normalized
from accordant.systems.salesforce.sandbox.rows import RowError, moment, reference_to
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Field, Record, SObject
from accordant.systems.salesforce.sandbox.soql import Condition, Moment, Order, Query, caret, parse
from accordant.systems.salesforce.sandbox.tables import Database, Table

_LOWEST = (-1, "")
_HIGHEST = (2**62, "")
_BY_CHANGE = (["SystemModstamp"], ["SystemModstamp", "Id"])
_RANGES = frozenset({"=", ">", ">=", "<", "<="})
_MAX_PATH = 6
_CURSORS_KEPT = 100


class Column(msgspec.Struct):
    """What to show of one object: its own fields, and the same again for each relationship followed."""

    sobject: SObject
    fields: list[Field]
    related: dict[str, "tuple[str, Column]"]
    """Relationship name → (reference field, what to show of it)."""


class Result(msgspec.Struct, frozen=True):
    """Rows found, and how to show one of them."""

    rows: list[Record]
    total: int
    column: Column | None


class Cursor(msgspec.Struct, frozen=True):
    """A query whose further pages can be asked for: its rows as they were found."""

    cursor_id: str
    result: Result
    page_size: int


class Cursors:
    """Open queries; the oldest make room."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Cursor] = OrderedDict()
        self._opened = 0

    def open(self, result: Result, page_size: int) -> Cursor:
        self._opened += 1
        cursor = Cursor(id_from_number("01g", self._opened), result, page_size)
        if len(result.rows) > page_size:
            self._open[cursor.cursor_id] = cursor
            while len(self._open) > _CURSORS_KEPT:
                self._open.popitem(last=False)
        return cursor

    def find(self, cursor_id: str) -> Cursor:
        cursor = self._open.get(cursor_id)
        if cursor is None:
            raise RowError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor


class Finder:
    """Runs queries over the database."""

    def __init__(self, database: Database) -> None:
        self._tables = database.tables

    def run(self, text: str) -> Result:
        """Rows in the order asked for.

        Raises:
            RowError: MALFORMED_QUERY, INVALID_TYPE or INVALID_FIELD.
        """
        query = parse(text)
        table = self._table(query)
        conditions = [(c, *self._resolve(table.sobject, c.path, query=query)) for c in query.conditions]
        orders = [(order, *self._resolve(table.sobject, order.path, query=query)) for order in query.orders]
        column = self._column(table.sobject, query) if query.paths else None
        rows, in_order = self._candidates(table, query, order=[".".join((*steps, f.name)) for _, steps, f in orders])
        for condition, steps, field in conditions:
            test = _test(condition, field)
            rows = [row for row in rows if test(self._value(table.sobject, row, steps=steps, field=field))]
        if orders and not in_order:
            rows = self._sorted(table.sobject, rows, orders=orders)
        rows = rows[query.offset :] if query.limit is None else rows[query.offset : query.offset + query.limit]
        return Result(rows if column else [], len(rows), column)

    def show(self, column: Column, row: Record, *, version: str) -> Record:
        """One row as the API answers it: chosen fields, related records nested, null where there is none."""
        answer: Record = {"attributes": reference_to(version, column.sobject.name, record_id=row["Id"])}
        for field in column.fields:
            value = row.get(field.name)
            answer[field.name] = moment(value) if value is not None and field.type == "datetime" else value
        for name, (reference, inner) in column.related.items():
            related_id = row.get(reference)
            related = self._tables[inner.sobject.name].records.get(related_id) if related_id else None
            answer[name] = None if related is None else self.show(inner, related, version=version)
        return answer

    def _table(self, query: Query) -> Table:
        names = {name.lower(): name for name in SCHEMA}
        name = names.get(query.object_word.lower())
        if name is None:
            message = (
                f"sObject type '{query.object_word}' is not supported. If you are attempting to use a custom object, "
                "be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call "
                "for the appropriate names."
            )
            raise RowError("INVALID_TYPE", caret(query.text, query.text.find(query.object_word) + 1, message=message))
        return self._tables[name]

    def _resolve(self, sobject: SObject, path: str, *, query: Query) -> tuple[list[str], Field]:
        """The relationships to follow and the field at the end."""
        *relations, last = path.split(".")
        steps: list[str] = []
        here = sobject
        for relation in relations[:_MAX_PATH]:
            known = here.relations.get(relation.lower())
            if known is None:
                message = f"Didn't understand relationship '{relation}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name."  # noqa: E501
                raise RowError("INVALID_FIELD", caret(query.text, query.text.find(path) + 1, message=message))
            steps.append(known[0])
            here = SCHEMA[here.fields[known[1]].to or ""]
        field = here.field(last)
        if field is None:
            message = f"No such column '{last}' on entity '{here.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name."  # noqa: E501
            raise RowError("INVALID_FIELD", caret(query.text, query.text.find(path) + 1, message=message))
        return steps, field

    def _column(self, sobject: SObject, query: Query) -> Column:
        root = Column(sobject, [], {})
        for path in query.paths:
            steps, field = self._resolve(sobject, path, query=query)
            column = root
            for step in steps:
                reference = column.sobject.relations[step.lower()][1]
                target = SCHEMA[column.sobject.fields[reference].to or ""]
                _, column = column.related.setdefault(step, (reference, Column(target, [], {})))
            if field in column.fields:
                raise RowError("INVALID_FIELD", f"duplicate field selected: {path}")
            column.fields.append(field)
        return root

    def _candidates(self, table: Table, query: Query, *, order: list[str]) -> tuple[list[Record], bool]:
        """The fewest rows an index gives, and whether they stand in the order asked for."""
        for condition in query.conditions:
            name = condition.path.lower()
            ids = _wanted_ids(table, condition, name=name)
            if ids is not None:
                rows = [table.records[record_id] for record_id in ids if record_id in table.records]
                return rows, False
        ranged = [c for c in query.conditions if c.path.lower() == "systemmodstamp" and c.operator in _RANGES]
        plain = order in _BY_CHANGE and not any(o.descending for o in query.orders)
        if not ranged and not plain:
            return list(table.records.values()), False
        low, high = _bounds(ranged)
        return table.changed_between(low, high), plain

    def _value(self, sobject: SObject, row: Record, *, steps: list[str], field: Field) -> Any:
        here: Record | None = row
        for step in steps:
            reference = sobject.relations[step.lower()][1]
            sobject = SCHEMA[sobject.fields[reference].to or ""]
            related_id = here.get(reference)
            here = self._tables[sobject.name].records.get(related_id) if related_id else None
            if here is None:
                return None
        return here.get(field.name)

    def _sorted(
        self, sobject: SObject, rows: list[Record], *, orders: list[tuple[Order, list[str], Field]]
    ) -> list[Record]:
        """Stable sorts from the last term to the first; nulls go where the term says."""
        for order, steps, field in reversed(orders):
            values = [(self._value(sobject, row, steps=steps, field=field), row) for row in rows]
            filled = [(_rank(value), row) for value, row in values if value is not None]
            filled.sort(key=lambda pair: pair[0], reverse=order.descending)
            nulls = [row for value, row in values if value is None]
            ranked = [row for _, row in filled]
            rows = nulls + ranked if order.nulls_first else ranked + nulls
        return rows


def _wanted_ids(table: Table, condition: Condition, *, name: str) -> list[str] | None:
    """Ids that an equality or IN over Id or a lookup field allows; None when no index helps."""
    if condition.operator not in ("=", "in"):
        return None
    values: list[Any] = condition.value if condition.operator == "in" else [condition.value]
    if name == "id":
        return list(dict.fromkeys(i for value in values if value and (i := normalized(str(value)))))
    proper = table.sobject.by_lower.get(name)
    if proper is None or not table.is_indexed(proper) or None in values:
        return None
    return list(dict.fromkeys(i for value in values for i in table.ids_where(proper, value)))


def _bounds(ranged: list[Condition]) -> tuple[tuple[int, str], tuple[int, str]]:
    low, high = _LOWEST, _HIGHEST
    for condition in ranged:
        at_ms = _moment_ms(condition.value)
        if condition.operator in (">", ">=", "="):
            low = max(low, (at_ms + (condition.operator == ">"), ""))
        if condition.operator in ("<", "<=", "="):
            high = min(high, (at_ms + (condition.operator != "<"), ""))
    return low, high


def _moment_ms(value: Any) -> int:
    if not isinstance(value, Moment):
        raise RowError("INVALID_FIELD", "value of filter criterion for a dateTime field must be of type dateTime")
    return parse_utc_ms(value.text)


def _test(condition: Condition, field: Field) -> Callable[[Any], bool]:
    if condition.operator in ("in", "not in"):
        wanted = [_comparable(value, field) for value in condition.value]
        inside = condition.operator == "in"
        return lambda value: (_comparable(value, field) in wanted) == inside
    wanted_one = _comparable(condition.value, field)
    if condition.operator in ("=", "!="):
        equal = condition.operator == "="
        return lambda value: (_comparable(value, field) == wanted_one) == equal
    if wanted_one is None:
        raise RowError("MALFORMED_QUERY", f"{field.name} cannot be compared with null by {condition.operator}")
    return lambda value: _compares(_comparable(value, field), condition.operator, wanted=wanted_one)


def _compares(value: Any, operator: str, *, wanted: Any) -> bool:
    if value is None or type(value) is not type(wanted):
        return False
    if operator in ("<", "<="):
        return bool(value < wanted or (operator == "<=" and value == wanted))
    return bool(value > wanted or (operator == ">=" and value == wanted))


def _comparable(value: Any, field: Field) -> Any:
    """Stored value or literal as the field's type compares it: text without case, ids and numbers exactly."""
    if value is None or isinstance(value, bool):
        return value
    if field.type == "datetime":
        return value if isinstance(value, int) else _moment_ms(value)
    if field.type in ("currency", "double", "int"):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            return str(value)
    if field.type in ("id", "reference"):
        return normalized(str(value)) or str(value)
    return str(value).casefold()


def _rank(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float | Decimal) else (1, str(value))
