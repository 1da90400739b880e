"""Playing a CRM export through the whole platform: load, let it work, mend what is parked, count what is there."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import exception_table
from accordant.kernel.database import Database
from accordant.kernel.errors import Misconfigured, Unavailable
from accordant.kernel.settings import settings_for
from accordant.launch import report
from accordant.launch import state as states
from accordant.launch.process import PlatformProcess
from accordant.launch.progress import Progress, read_progress
from accordant.launch.sandboxes import Sandboxes

_LOOK_EVERY_S = 0.1
_STALLED_AFTER_S = 180.0
_OUTAGE_S = 20.0
_KILL_IN_FLIGHT = 32


class Fix(msgspec.Struct, frozen=True):
    """A reference row to add after the first pass: the word means the same as the target."""

    table: str
    value: str
    target: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to play."""

    state: Path
    records: dict[str, list[dict[str, Any]]]
    """What the CRM holds, by object."""
    products: tuple[dict[str, str], ...] = ()
    fixes: tuple[Fix, ...] = ()
    faults: str = "none"
    limits: str = "off"
    kills: int = 0
    database_url: str | None = None
    seed: int = 0
    deals_won: int = 0


def parse_fix(text: str) -> Fix:
    """`TABLE:VALUE=TARGET`. Raises Misconfigured."""
    table, colon, rest = text.partition(":")
    value, equals, target = rest.partition("=")
    if not (table and colon and value and equals and target):
        raise Misconfigured(f"{text!r} is no fix; expected TABLE:VALUE=TARGET, such as 'product:Widgt=Widget'")
    return Fix(table, value, target)


Watch = Callable[[str, Progress], None]


class Run:
    """One play, from an empty state folder to the report."""

    def __init__(self, plan: Plan, *, watch: Watch) -> None:
        self.plan = plan
        self._watch = watch
        self._rng = random.Random(plan.seed)  # noqa: S311 - chooses moments, no secrets
        port = states.free_port()
        self.sandboxes = Sandboxes(plan.state, limits=plan.limits, seed=plan.seed)
        self.platform = PlatformProcess(plan.state, database_url=plan.database_url, port=port)
        self.database = Database(settings_for(plan.state, database_url=plan.database_url).database_url)
        self.at_500_kb = 0
        self._outage_done = plan.faults == "none"
        self._stalled_since = time.monotonic()
        self._last = Progress()

    async def play(self) -> report.Json:
        """Play it and return the report."""
        try:
            await self._open()
            began = time.monotonic()
            await self.platform.start()
            await self._until_settled("first pass", kills=self.plan.kills)
            result: report.Json = {"first_pass": await self._count()}
            if self.plan.fixes:
                await self._mend()
                await self._until_settled("after the fix", kills=0)
                result["final"] = await self._count()
            wall_s = time.monotonic() - began
            return {**result, **await self._figures(wall_s)}
        finally:
            self.platform.stop()
            self.sandboxes.stop()
            self.database.close()

    async def _open(self) -> None:
        await self.sandboxes.start()
        await self.sandboxes.furnish(self.platform.url)
        await self.sandboxes.ask("crm", "POST", action="load", body=self.plan.records)
        if self.plan.faults == "month-end":
            for role in self.sandboxes.running:
                await self.sandboxes.ask(role, "PUT", action="faults", body={"preset": "month_end", "faults": []})

    async def _until_settled(self, phase: str, *, kills: int) -> None:
        """Look again and again until nothing is left to do; cause outages and kills on the way."""
        killed, quiet = 0, 0
        self._stalled_since = time.monotonic()
        while quiet < 3 or killed < kills:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.platform.require_alive()
            progress = await asyncio.to_thread(read_progress, self.database)
            self._watch(phase, progress)
            self._note(progress)
            quiet = quiet + 1 if progress.settled and not progress.unverified else 0
            if quiet > 50:
                raise Unavailable(f"only {killed} of {kills} kills found enough in flight before the work was done")
            await self._cause_outage(progress)
            if killed < kills and self._time_to_kill(progress, killed, kills=kills):
                killed += await self._kill()
            self._require_movement(progress, phase)

    def _note(self, progress: Progress) -> None:
        peak_kb = self.platform.measure()
        if not self.at_500_kb and progress.ended >= 500:
            self.at_500_kb = peak_kb

    async def _cause_outage(self, progress: Progress) -> None:
        """In the middle of the work the books go down for twenty seconds."""
        if not self._outage_done and progress.ended * 2 > max(self.plan.deals_won, 1):
            self._outage_done = True
            await self.sandboxes.ask("erp", "POST", action="down", body={"seconds": _OUTAGE_S})

    def _time_to_kill(self, progress: Progress, killed: int, *, kills: int) -> bool:
        """Kills are spread over the work, the first after some of it was done."""
        return progress.ended >= self.plan.deals_won * (killed + 0.5) / (kills + 1) * 0.9

    async def _kill(self) -> int:
        """Kill only while enough is in flight and a good part of it is between a send and its commit."""
        for _ in range(200):
            pulse = await self.platform.pulse()
            if pulse is None:
                return 0
            if pulse.driving >= _KILL_IN_FLIGHT and pulse.between_send_and_commit * 4 >= pulse.driving:
                await self.platform.kill_and_restart()
                return 1
            await asyncio.sleep(0.001)
        return 0

    def _require_movement(self, progress: Progress, phase: str) -> None:
        moved = progress != self._last
        self._last = progress
        if moved:
            self._stalled_since = time.monotonic()
        elif time.monotonic() - self._stalled_since > _STALLED_AFTER_S:
            raise Unavailable(f"nothing moved for {_STALLED_AFTER_S:.0f} s ({phase}): {progress}")

    async def _mend(self) -> None:
        """The same as `accordant reference set` and `accordant exception release`."""
        for fix in self.plan.fixes:
            body = {"value": fix.value, "target": fix.target}
            await self.platform.command("PUT", f"/v1/reference/{fix.table}", body=body)
            for group in await asyncio.to_thread(self.database.read_now, lambda c, f=fix: groups_of(c, f)):
                await self.platform.command("POST", f"/v1/causes/{group}/release")

    async def _count(self) -> report.Json:
        held = await self.sandboxes.states()
        return await asyncio.to_thread(
            self.database.read_now,
            lambda connection: report.pass_report(
                connection, states=held, state=self.plan.state, deals_won=self.plan.deals_won
            ),
        )

    async def _figures(self, wall_s: float) -> report.Json:
        counters = await self.sandboxes.counters()
        faults: dict[str, int] = {}
        for one in counters.values():
            for kind, n in one["faults"].items():
                faults[kind] = faults.get(kind, 0) + n
        window_s = max(wall_s, 1.0)
        redriven = await asyncio.to_thread(self.database.read_now, report.effects_redriven)
        return {
            "wall_s": round(wall_s, 2),
            "transactions_per_s": round(self._last.ended / wall_s, 1),
            "kills": self.platform.kills,
            "effects_redriven": redriven,
            "faults_injected": faults,
            "peak_rss_mb_at_500": round(self.at_500_kb / 1024, 1),
            "peak_rss_mb": round(self.platform.measure() / 1024, 1),
            "tightest_budget": tightest_budget(counters, window_s),
            "limits": {role: one["limits"] for role, one in counters.items()},
            "webhooks": {role: one["webhooks"] for role, one in counters.items()},
            "requests": {role: one["requests"] for role, one in counters.items()},
        }


def tightest_budget(counters: Mapping[str, Any], window_s: float) -> report.Json | None:
    """The vendor limit of which most was used: calls admitted, as a share of what the time allowed.

    Limits on concurrency and limits of a day or longer are no rates and are left out; None while limits are off.
    """
    found: list[report.Json] = []
    for role, one in counters.items():
        for name, limit in one["limits"]["by_limit"].items():
            per_s = limit["window_s"]
            if one["limits"]["enforced"] and per_s and per_s < 3600 and limit["used"]:
                share = limit["used"] / (limit["allowed"] * window_s / per_s)
                refused = {"used": limit["used"], "refused": limit["refused"]}
                found.append({"system": role, "limit": name, "used_share": round(share, 3), **refused})
    return max(found, key=lambda one: one["used_share"]) if found else None


def groups_of(connection: Connection, fix: Fix) -> list[str]:
    """The cause groups of open items that a fix answers."""
    item = exception_table.c
    query = select(item.cause_group, item.detail).where(item.state == "open", item.code.like("map.%"))
    found = {
        group
        for group, detail in connection.execute(query)
        if (json.loads(detail).get("table"), json.loads(detail).get("value")) == (fix.table, fix.value)
    }
    return sorted(found)
