"""One turn of the platform: deals appear in the CRM, and everything until the last of them is in step is measured."""

from time import time
from typing import Any

from sqlalchemy import Connection, text

from bench.control import require_four_calls
from bench.ground import Ground
from bench.measure import percentiles
from bench.platform import Measured
from bench.rounds import Figures, Watch, per_transaction

TABLES = ("inbox", "event", "business_transaction", "effect", "memo", "audit", "record", "crosswalk", "watermark")
EXACTLY = {"inbox": 1, "event": 1, "business_transaction": 1, "effect": 4, "watermark": 1}
"""Rows that one transaction must leave; of the other tables only that every transaction leaves equally many."""


def rows_of(connection: Connection) -> dict[str, int]:
    """How many rows each table holds."""
    return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES}


def require_rows(before: dict[str, int], after: dict[str, int], n: int) -> dict[str, float]:
    """Rows for each transaction. Raises ValueError where a transaction left more or fewer than it must."""
    added = {name: after[name] - before[name] for name in TABLES}
    wrong = {name: added[name] for name, each in EXACTLY.items() if added[name] != each * n}
    # An audit row more for each start of the platform is nobody's; a transaction's own rows divide evenly.
    uneven = {name: added[name] for name in ("memo", "record") if added[name] % n}
    if wrong or uneven:
        raise ValueError(f"{n} transactions left {added}; expected {EXACTLY} for each, and equally many of the rest")
    return {name: round(number / n, 3) for name, number in added.items()}


def _completed(connection: Connection, since_ms: int) -> list[tuple[int, int, int]]:
    """Of every transaction: when it was opened, when its first call was sent, when it ended."""
    query = text(
        "SELECT t.opened_at_ms, min(e.first_sent_at_ms), t.ended_at_ms FROM business_transaction t"
        " JOIN effect e ON e.transaction_id = t.transaction_id"
        " WHERE t.state = 'completed' AND t.opened_at_ms >= :since"
        " GROUP BY t.transaction_id, t.opened_at_ms, t.ended_at_ms"
    )
    return [(one[0], one[1], one[2]) for one in connection.execute(query, {"since": since_ms})]


class Turn:
    """What is to be driven, and how."""

    def __init__(self, ground: Ground, kind: str, *, n: int, read_back: bool = True, in_flight: int = 64) -> None:
        self._ground = ground
        self._kind = kind
        self._n = n
        self._read_back = read_back
        self._in_flight = in_flight

    async def run(self) -> Figures:
        """On a fresh copy of the platform that knows all customers."""
        environment = {"ACCORDANT_IN_FLIGHT": str(self._in_flight)}
        if not self._read_back:
            environment["BENCH_READ_BACK"] = "off"
        platform = self._ground.seeds.copy(self._kind, **environment)
        try:
            return await self.drive(platform, first=self._ground.sizes.customers)
        finally:
            self._ground.seeds.remove(platform)

    async def drive(self, platform: Measured, *, first: int) -> Figures:
        """Start it, let the deals appear, and see them through."""
        ground, n = self._ground, self._n
        database = platform.database
        rows_before = database.read_now(rows_of)
        ground.stub.ask(release=(first, 0, ground.sizes.customers))  # the deals of the run before are gone
        await platform.start()
        began_ms = round(time() * 1000)
        server_before = self._server_reading(platform)
        counters = await platform.counters()
        watch = Watch(platform.pid, ground.stub)
        ground.stub.ask(zero=True, release=(first, n, ground.sizes.customers))
        await platform.until_idle(stub=ground.stub, crm_calls=n)
        times = database.read_now(lambda connection: _completed(connection, began_ms))
        if len(times) != n:
            raise ValueError(f"{len(times)} of {n} transactions ended well; see {platform.state / 'platform.log'}")
        wall_s = max(one[2] for one in times) / 1000 - ground.stub.ask()["first_read_at"]
        figures: dict[str, Any] = watch.figures(n, wall_s)
        figures["commits_per_tx"] = round(((await platform.counters())["commits"] - counters["commits"]) / n, 4)
        figures["latency_ms"] = percentiles([float(ended - sent) for _, sent, ended in times])
        if self._read_back:
            await platform.until_verified()
            whole = watch.figures(n, time() - began_ms / 1000)
            figures["cpu_ms_per_tx_with_read_back"] = whole["cpu_ms_per_tx"]
        require_four_calls(ground.stub.ask()["counts"], n)
        figures["rows_per_tx"] = require_rows(rows_before, database.read_now(rows_of), n)
        figures |= self._server_figures(platform, server_before)
        return figures

    def _server_reading(self, platform: Measured) -> dict[str, float]:
        if not platform.database_name:
            return {"database_bytes": float((platform.state / "accordant.db").stat().st_size)}
        self._ground.server.settle()
        return self._ground.server.reading(platform.database_name)

    def _server_figures(self, platform: Measured, before: dict[str, float]) -> Figures:
        after = self._server_reading(platform)
        if platform.database_name:
            return per_transaction(before, after, self._n)
        return {"database_bytes_per_tx": round((after["database_bytes"] - before["database_bytes"]) / self._n)}
