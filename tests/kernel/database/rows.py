"""Rows that are quick to make, and what the database holds of them."""

from typing import Any

from sqlalchemy import func, select

from accordant.backbone.rows import CursorRow, MemoRow, cursor_table, memo_table
from accordant.kernel.database import Changes, Database
from accordant.telemetry.audit import AuditEntry, audit_table, record


def cursor(stream: str, value: str = "1", *, at_ms: int = 1) -> CursorRow:
    return CursorRow(connection="crm", stream=stream, cursor=value, at_ms=at_ms)


def put(stream: str, value: str = "1", *, at_ms: int = 1) -> Changes:
    changes = Changes()
    changes.put(cursor_table, cursor(stream, value, at_ms=at_ms))
    return changes


def add(transaction_id: str, name: str = "step", *, result: str = "1") -> Changes:
    changes = Changes()
    changes.add(
        memo_table,
        MemoRow(transaction_id=transaction_id, name=name, n=1, kind="check", input_hash="", result=result, at_ms=1),
    )
    return changes


def audited(changes: Changes, subject: str) -> Changes:
    record(changes, AuditEntry(at_ms=1, tenant="t", correlation_id="c", action="thing.done", subject=subject))
    return changes


def cursors(database: Database) -> dict[str, str]:
    columns = cursor_table.c
    return database.read_now(
        lambda c: {row.stream: row.cursor for row in c.execute(select(columns.stream, columns.cursor))}
    )


def memos(database: Database) -> dict[str, str]:
    columns = memo_table.c
    return database.read_now(
        lambda c: {row.transaction_id: row.result for row in c.execute(select(columns.transaction_id, columns.result))}
    )


def audit_of(database: Database) -> list[Any]:
    columns = audit_table.c
    query = select(columns.n, columns.subject).order_by(columns.n)
    return database.read_now(lambda c: [tuple(row) for row in c.execute(query)])


def count_of(database: Database, table: Any) -> int:
    return database.read_now(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())
