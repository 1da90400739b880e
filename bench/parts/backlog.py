"""How much memory the platform takes with a thousand transactions waiting, and with a million."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, text

from accordant.backbone.rows import event_table, transaction_table
from accordant.kernel.database import Database
from bench.ground import Ground
from bench.measure import peak_rss_mb

_CHUNK = 20_000
_DRIVEN_MAX = 2_000


async def measure(ground: Ground) -> dict[str, Any]:
    """Peak resident memory after the same number of transactions was driven from backlogs of both sizes."""
    small, large = ground.sizes.backlog
    driven = min(_DRIVEN_MAX, small * 8 // 10)
    found = [await _with(ground, size, driven=driven) for size in (small, large)]
    return {"sqlite": found, "ratio": round(found[1]["peak_rss_mb"] / found[0]["peak_rss_mb"], 3), "driven": driven}


async def _with(ground: Ground, size: int, *, driven: int) -> dict[str, Any]:
    ground.stub.ask(zero=True, release=(ground.sizes.customers, 0, ground.sizes.customers))
    platform = ground.seeds.copy("sqlite")
    try:
        queue(platform.database, size)
        await platform.start()
        while ground.stub.ask()["counts"].get("crm", 0) < driven:
            platform.require_alive()
            await asyncio.sleep(0.05)
        peak = peak_rss_mb(platform.pid)
        left = platform.scalar("SELECT count(*) FROM business_transaction WHERE due_rank IS NOT NULL")
    finally:
        ground.seeds.remove(platform)
    return {"backlog": size, "left": left, "peak_rss_mb": round(peak, 1)}


def queue(database: Database, size: int) -> None:
    """Put so many won deals of known customers into the queue, as the pump would have left them; on SQLite."""
    now_ms = round(time.time() * 1000)
    with database.engine.connect() as connection:
        connection.exec_driver_sql(_PATTERNS)
        patterns = connection.execute(text("SELECT count(*) FROM pattern")).scalar_one()
        for start in range(0, size, _CHUNK):
            chunk = {"start": start, "end": min(start + _CHUNK, size), "patterns": patterns, "now_ms": now_ms}
            for table, changed in _CHANGED.items():
                connection.execute(text(_copies(table, changed)), chunk)
            connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


_PATTERNS = """
CREATE TEMP TABLE pattern AS
SELECT row_number() OVER (ORDER BY subject) - 1 AS n, transaction_id, event_id, subject,
    printf('006BN%010dAAA', substr(subject, 3)) AS native_id
FROM business_transaction WHERE state = 'completed' ORDER BY subject LIMIT 1000
"""
_NATIVE = "printf('006BN%010dAAA', 900000000 + i.n)"
"""As `deals.deal_id` writes it; no deal of the stub has such a number."""
_CHANGED: Mapping[Table, Mapping[str, str]] = {
    event_table: {
        "event_id": "printf('evt-%024x', i.n)",
        "subject": "printf('Q-%08d', i.n)",
        "source": f"replace(t.source, p.native_id, {_NATIVE})",
        "data": f"replace(replace(t.data, p.subject, printf('Q-%08d', i.n)), p.native_id, {_NATIVE})",
        "content": "printf('%032x', i.n)",
    },
    transaction_table: {
        "transaction_id": "printf('tx-%024x', i.n)",
        "event_id": "printf('evt-%024x', i.n)",
        "subject": "printf('Q-%08d', i.n)",
        "lane": "printf('%032x', i.n)",
        "turn": "1",
        "state": "'running'",
        "due_rank": ":now_ms + i.n",
        "drives": "0",
        "effects": "0",
        "opened_at_ms": ":now_ms",
        "changed_at_ms": ":now_ms",
        "ended_at_ms": "NULL",
    },
}


def _copies(table: Table, changed: Mapping[str, str]) -> str:
    """One statement for a chunk: a new row for each number, made from one of the patterns in turn."""
    names = [column.name for column in table.columns]
    key, columns = names[0], ", ".join(changed.get(name, f"t.{name}") for name in names)
    return (
        "WITH RECURSIVE i(n) AS (SELECT :start UNION ALL SELECT n + 1 FROM i WHERE n + 1 < :end)"
        f" INSERT INTO {table.name} ({', '.join(names)}) SELECT {columns}"
        f" FROM i JOIN pattern p ON p.n = i.n % :patterns JOIN {table.name} t ON t.{key} = p.{key}"
    )
