"""Queries that are put together and compiled once, at import, and then asked again and again.

SQLAlchemy writes the SQL; the driver's own cursor runs it. Building the statement, looking up its compiled form and
wrapping the answer cost five times as much as the query itself (docs/decisions/0019).
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import ARRAY, Boolean, ColumnElement, Connection, Executable, SelectBase, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

T = TypeVar("T")
Row = TypeVar("Row", bound=msgspec.Struct)
first_column: Callable[[Any], Any] = itemgetter(0)


class Query(Generic[T]):
    """A statement with named parameters (`given`, `one_of`), and what each of its rows is made into."""

    def __init__(self, statement: SelectBase, make: Callable[[Any], T]) -> None:
        self._statement = statement
        self._make = make
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def all(self, connection: Connection, /, **values: Any) -> list[T]:
        """Every row. Raises the driver's own errors, which `Database` turns into ours."""
        sql, order = self._compiled.get(connection.dialect.name) or self._compile(connection)
        asked: Any = {name: _listed(value, as_json=bool(order)) for name, value in values.items()}
        if order:  # SQLite counts its parameters
            asked = [asked[name] for name in order]
        cursor = cast(Any, connection.connection).cursor()
        try:
            cursor.execute(sql, asked)
            return list(map(self._make, cursor.fetchall()))
        finally:
            cursor.close()

    def first(self, connection: Connection, /, **values: Any) -> T | None:
        """The first row, or None where there is none."""
        found = self.all(connection, **values)
        return found[0] if found else None

    def _compile(self, connection: Connection) -> tuple[str, tuple[str, ...]]:
        # Constants stand in the SQL itself: what is planned once uses an index over some of the rows only then.
        compiled = self._statement.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        order = tuple(cast(Any, compiled).positiontup or ())
        self._compiled[connection.dialect.name] = str(compiled), order
        return self._compiled[connection.dialect.name]


def as_struct(row_type: type[Row], /) -> Callable[[Any], Row]:
    """For a query that asks for the columns of the struct's fields, in their order, as `select(table)` does."""
    names = row_type.__struct_fields__
    return lambda row: row_type(**dict(zip(names, row, strict=True)))


def rows_of(connection: Connection, query: Executable, row_type: type[Row], /) -> list[Row]:
    """What a query finds that is put together for one occasion; columns as for `as_struct`.

    Made from the plain tuples: a mapping for each row costs ten times as much.
    """
    return list(map(as_struct(row_type), connection.execute(query)))


class given(ColumnElement[Any]):  # noqa: N801 - reads as a function, like `func`
    """A value that is named in the statement and given with every question."""

    inherit_cache = False

    def __init__(self, name: str, /, *, type_: Any = Text) -> None:
        self.name = name
        self.type = type_()


class one_of(ColumnElement[bool]):  # noqa: N801 - reads as a function, like `and_`
    """Whether a column's text is one of a list that is given as one parameter, however long it is."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[str], name: str, /) -> None:
        self.column = column
        self.name = name

    def self_group(self, against: object = None) -> "one_of":
        """As it stands; SQLAlchemy would write `= 1` behind it, and SQLite would then use no index."""
        return self


@compiles(given)
def _named(element: Any, compiler: SQLCompiler, **_: Any) -> str:
    return compiler.process(bindparam(element.name, type_=element.type))


@compiles(one_of, "sqlite")
def _in_json(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    listed = compiler.process(bindparam(element.name, type_=Text()))
    return f"{compiler.process(element.column, **options)} IN (SELECT value FROM json_each({listed}))"


@compiles(one_of, "postgresql")
def _any(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    listed = compiler.process(bindparam(element.name, type_=ARRAY(element.column.type)))
    return f"{compiler.process(element.column, **options)} = ANY({listed})"


def _listed(value: Any, *, as_json: bool) -> Any:
    if not isinstance(value, list | tuple | set):
        return value
    listed: list[str] = sorted(cast(Any, value))
    return msgspec.json.encode(listed).decode() if as_json else listed
