"""Reads a history from what a run left behind: its database, the systems' ledgers, its logs and exports.

Whatever is large is left in its encoded form or read when it is asked for, so that ten thousand transactions fit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, inspect, literal, select, text

from accordant.backbone.rows import (
    EffectRow,
    ExceptionRow,
    MessageRow,
    TransactionRow,
    effect_table,
    exception_table,
    inbox_table,
    transaction_table,
)
from accordant.kernel.database import Database
from accordant.proving.checker.history import Applied, History, Records, Truth
from accordant.telemetry.audit import audit_table, verify_chain

KEPT_APART = frozenset({"secrets.json", "token", "api.json"})
"""Files of a state folder whose purpose is to hold a secret, readable by their owner alone."""
_PAGE = 2000
_LEFT_OUT: Mapping[str, Any] = {"body": b"", "command": "", "receipt": "", "expected": ""}
_AUDIT = ("segment", "n", "at_ms", "transaction_id", "action", "subject", "detail")
_Row = TypeVar("_Row", bound=msgspec.Struct)
_Result = TypeVar("_Result")


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """When the last disturbance ended and when nothing was left to do; 0 where there was none, or it never came."""

    healed_ms: int = 0
    at_rest_ms: int = 0
    rest_within_ms: int = 60_000


def read_history(
    state: Path, truth: Truth, *, held: Mapping[str, Mapping[str, Any]], moments: Moments, database_url: str = ""
) -> History:
    """The history of a state folder; without a URL its own SQLite file is read.

    `held` is what each system answered to `state`, by role; empty where a system was not asked.
    """
    url = database_url or f"sqlite:///{state / 'accordant.db'}"
    return History(
        truth=truth,
        applied=tuple(line for file in sorted((state / "ledger").glob("*.jsonl")) for line in read_ledger(file)),
        held=held,
        records=read_records(url),
        artefacts=artefacts_of(state, database_url=url),
        healed_ms=moments.healed_ms,
        at_rest_ms=moments.at_rest_ms,
        rest_within_ms=moments.rest_within_ms,
    )


def read_ledger(file: Path) -> Iterator[Applied]:
    """The writes that a system applied, in order; the system is called as the file is."""
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    with file.open("rb") as lines:
        for line in lines:
            raw = decoder.decode(line)
            body = msgspec.Raw(bytes(raw.pop("body")))
            said: dict[str, Any] = {name: msgspec.json.decode(value) for name, value in raw.items()}
            yield Applied(
                system=file.stem,
                n=said["n"],
                operation=said["operation"],
                kind=said["kind"],
                change=said["change"],
                native_id=str(said["native_id"]),
                business_id=said["business_id"] or "",
                amount_minor=said["amount_minor"],
                currency=said["currency"] or "",
                key=said["key"] or "",
                body=body,
            )


def read_records(database_url: str) -> Records:
    """What the platform's database says, read in one go."""
    database = Database(database_url)
    try:
        return database.read_now(_records)
    finally:
        database.close()


def _records(connection: Connection) -> Records:
    chain = verify_chain(connection)
    return Records(
        messages=_rows(connection, inbox_table, kind=MessageRow),
        transactions=_rows(connection, transaction_table, kind=TransactionRow),
        effects=_rows(connection, effect_table, kind=EffectRow),
        exceptions=_rows(connection, exception_table, kind=ExceptionRow),
        audit=tuple(_audit(connection)),
        chain_problem="" if chain.valid else f"entry {chain.first_broken} does not follow from the one before it",
    )


def _rows(connection: Connection, table: Table, *, kind: type[_Row]) -> tuple[_Row, ...]:
    """Every row of a table, without the large columns that no rule reads."""
    columns: list[ColumnElement[Any]] = [
        literal(_LEFT_OUT[one.name]).label(one.name) if one.name in _LEFT_OUT else one for one in table.c
    ]
    found = connection.execution_options(yield_per=_PAGE).execute(select(*columns).order_by(*table.primary_key))
    return tuple(kind(**row) for row in found.mappings())


def _audit(connection: Connection) -> Iterator[Mapping[str, Any]]:
    query = select(*(audit_table.c[name] for name in _AUDIT)).order_by(audit_table.c.segment, audit_table.c.n)
    for row in connection.execution_options(yield_per=_PAGE).execute(query):
        yield dict(zip(_AUDIT, row, strict=True))


class Artefacts(Mapping[str, bytes]):
    """Files, and the tables of a database as text; each is read when it is asked for and not kept."""

    def __init__(self, files: Mapping[str, Path], *, database_url: str = "") -> None:
        self._files = files
        self._url = database_url
        self._tables = _in_database(database_url, _table_names) if database_url else []

    def __getitem__(self, name: str) -> bytes:
        table = name.removeprefix("table ")
        if table != name and table in self._tables:
            return _in_database(self._url, lambda connection: _table_text(connection, table))
        file = self._files[name]
        return file.read_bytes() if file.exists() else b""  # a database's side files come and go

    def __iter__(self) -> Iterator[str]:
        yield from self._files
        yield from (f"table {name}" for name in self._tables)

    def __len__(self) -> int:
        return len(self._files) + len(self._tables)


def artefacts_of(state: Path, *, database_url: str = "", more: Iterable[Path] = ()) -> Artefacts:
    """Everything that a run leaves where somebody may read it, apart from the files made to hold secrets."""
    inside = {str(file.relative_to(state)): file for file in sorted(state.rglob("*")) if file.is_file()}
    kept = {name: file for name, file in inside.items() if name not in KEPT_APART}
    return Artefacts({**kept, **{str(file): file for file in more}}, database_url=database_url)


def _in_database(url: str, query: Callable[[Connection], _Result]) -> _Result:
    database = Database(url)
    try:
        return database.read_now(query)
    finally:
        database.close()


def _table_names(connection: Connection) -> list[str]:
    return sorted(inspect(connection).get_table_names())


def _table_text(connection: Connection, table: str) -> bytes:
    """Every row of a table, one a line."""
    quoted = connection.dialect.identifier_preparer.quote(table)
    rows = connection.execution_options(yield_per=_PAGE).execute(text(f"SELECT * FROM {quoted}"))  # noqa: S608 - quoted
    return b"\n".join(b"\t".join(one if isinstance(one, bytes) else str(one).encode() for one in row) for row in rows)
