"""How much memory the platform takes with a thousand transactions waiting, and with a million."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from accordant.backbone.rows import event_table, transaction_table
from accordant.kernel.database import Database
from bench.deals import deal_id
from bench.ground import Ground
from bench.measure import peak_rss_mb

_CHUNK = 5_000
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
    """Put so many won deals of known customers into the queue, as the pump would have left them."""
    with database.engine.connect() as connection:
        patterns = list(_patterns(connection))
        now_ms = round(time.time() * 1000)
        for start in range(0, size, _CHUNK):
            rows = [
                _queued(patterns[n % len(patterns)], n, now_ms=now_ms) for n in range(start, min(start + _CHUNK, size))
            ]
            connection.execute(event_table.insert(), [event for event, _ in rows])
            connection.execute(transaction_table.insert(), [transaction for _, transaction in rows])
            connection.commit()
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _patterns(connection: Connection) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    rows = connection.execute(
        text("SELECT * FROM business_transaction WHERE state = 'completed' ORDER BY subject LIMIT 1000")
    )
    for row in rows.mappings():
        query = text("SELECT * FROM event WHERE event_id = :id")
        yield dict(connection.execute(query, {"id": row["event_id"]}).mappings().one()), dict(row)


def _queued(
    pattern: tuple[dict[str, Any], dict[str, Any]], n: int, *, now_ms: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    event, transaction = pattern
    number = int(event["subject"].removeprefix("D-"))
    subject, native_id = f"Q-{n:08}", deal_id(900_000_000 + n)
    data = event["data"].replace(event["subject"], subject).replace(deal_id(number), native_id)
    event_id = f"evt-{n:024x}"
    told = {
        **event,
        "event_id": event_id,
        "subject": subject,
        "source": event["source"].replace(deal_id(number), native_id),
        "data": data,
        "content": f"{n:032x}",
    }
    waiting = {
        **transaction,
        "transaction_id": f"tx-{n:024x}",
        "event_id": event_id,
        "subject": subject,
        "lane": f"{n:032x}",
        "turn": 1,
        "state": "running",
        "due_rank": now_ms + n,
        "drives": 0,
        "effects": 0,
        "opened_at_ms": now_ms,
        "changed_at_ms": now_ms,
        "ended_at_ms": None,
    }
    return told, waiting
