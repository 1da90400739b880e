"""Fills a database with many transactions in minutes: rows that the platform wrote, copied under new ids.

The rows of some hundred real transactions are copied again and again. In every copy each id gets other digits in the
same places, so that the copies lie spread over the indexes as real ones do, while they are written in order.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Index, Table, text

from accordant.backbone.rows import (
    effect_table,
    event_table,
    inbox_table,
    memo_table,
    transaction_table,
    watermark_table,
)
from accordant.kernel.database import Database
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.masterdata.records import record_table
from accordant.telemetry.audit import audit_table

DIGITS = 8
"""So many that no copy meets the digits that one of the originals has: with five, a million transactions did."""
_SPREAD = 16**DIGITS
_ID, _WORD = "id", "word"
_TABLES: Mapping[Table, tuple[dict[str, str], str]] = {
    inbox_table: (
        {"message_id": _ID, "delivery_id": _WORD, "correlation_id": _ID},
        "message_id IN (SELECT message_id FROM event WHERE event_id IN (SELECT event_id FROM chosen))",
    ),
    event_table: (
        {"event_id": _ID, "source": _WORD, "subject": _WORD, "correlation_id": _ID, "message_id": _ID},
        "event_id IN (SELECT event_id FROM chosen)",
    ),
    transaction_table: (
        {"transaction_id": _ID, "event_id": _ID, "correlation_id": _ID, "subject": _WORD, "lane": _WORD},
        "transaction_id IN (SELECT transaction_id FROM chosen)",
    ),
    effect_table: (
        {"transaction_id": _ID, "business_id": _ID, "key": _ID, "native_id": _WORD},
        "transaction_id IN (SELECT transaction_id FROM chosen)",
    ),
    memo_table: ({"transaction_id": _ID}, "transaction_id IN (SELECT transaction_id FROM chosen)"),
    audit_table: (
        {"segment": "segment", "correlation_id": _ID, "transaction_id": _ID},
        "transaction_id IN (SELECT transaction_id FROM chosen)",
    ),
    record_table: (
        {"canonical_id": _ID, "transaction_id": _ID},
        "transaction_id IN (SELECT transaction_id FROM chosen)",
    ),
    crosswalk_table: (
        {"canonical_id": _ID, "native_id": _WORD, "transaction_id": _ID},
        "transaction_id IN (SELECT transaction_id FROM chosen)",
    ),
    watermark_table: ({"source_record": _WORD, "event_id": _ID}, "event_id IN (SELECT event_id FROM chosen)"),
}


def fill(database: Database, *, up_to: int, chosen: int) -> int:
    """Copy until the database holds so many transactions; returns how many there are."""
    with database.engine.connect() as connection:
        have = connection.execute(text("SELECT count(*) FROM business_transaction")).scalar_one()
        copies = max(0, (up_to - have) // chosen)
        if copies:
            _fill(connection, database, copies=copies, chosen=chosen)
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint=0")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
    return have + copies * chosen


def _fill(connection: Connection, database: Database, *, copies: int, chosen: int) -> None:
    if database.is_sqlite:
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint=1000")
    indexes = [index for table in _TABLES for index in table.indexes]
    for index in indexes:
        index.drop(connection, checkfirst=True)
    _choose(connection, chosen)
    _commit(connection)
    round_ = connection.execute(text("SELECT count(DISTINCT segment) FROM audit")).scalar_one()
    for copy in range(copies):
        digits = f"{(copy * _SPREAD + round_) // copies % _SPREAD:0{DIGITS}x}"
        for table, (changed, _) in _TABLES.items():
            connection.execute(text(_copy(table, changed, database)), {"k": digits, "s": f"fill-{round_}-{copy}"})
        if copy % 50 == 49:
            _commit(connection)
    _recreate(connection, indexes)
    for table in _TABLES:
        connection.execute(text(f"DROP TABLE chosen_{table.name}"))
    connection.execute(text("DROP TABLE chosen"))
    _commit(connection)


def _recreate(connection: Connection, indexes: list[Index]) -> None:
    for index in indexes:
        index.create(connection)


def _commit(connection: Connection) -> None:
    connection.commit()


def _choose(connection: Connection, chosen: int) -> None:
    """The newest real transactions that ended well and were read back, with everything that belongs to them."""
    connection.execute(
        text(
            "CREATE TEMPORARY TABLE chosen AS SELECT transaction_id, event_id FROM business_transaction"
            " WHERE state = 'completed' AND effects = 4 AND subject LIKE 'D-________'"
            " ORDER BY opened_at_ms DESC, transaction_id LIMIT :n"
        ),
        {"n": chosen},
    )
    found = connection.execute(text("SELECT count(*) FROM chosen")).scalar_one()
    if found != chosen:
        raise ValueError(f"only {found} of {chosen} transactions can be copied")
    for table, (_, where) in _TABLES.items():
        keys = ", ".join(column.name for column in table.primary_key.columns)
        connection.execute(
            text(
                f"CREATE TEMPORARY TABLE chosen_{table.name} AS"
                f" SELECT * FROM {table.name} WHERE {where} ORDER BY {keys}"
            )
        )


def _copy(table: Table, changed: Mapping[str, str], database: Database) -> str:
    columns = [column.name for column in table.columns]
    values = ", ".join(_value(name, changed.get(name, ""), is_sqlite=database.is_sqlite) for name in columns)
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {values} FROM chosen_{table.name}"


def _value(name: str, how: str, *, is_sqlite: bool) -> str:
    mark = ":k" if is_sqlite else "CAST(:k AS text)"
    if how == _ID:
        dash = f"instr({name}, '-')" if is_sqlite else f"position('-' in {name})"
        return f"substr({name}, 1, {dash}) || {mark} || substr({name}, {dash} + {DIGITS + 1})"
    if how == _WORD:
        return f"{name} || '-' || {mark}"
    if how == "segment":
        return ":s" if is_sqlite else "CAST(:s AS text)"
    return name
