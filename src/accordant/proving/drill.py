"""A whole company's worth of work under every disturbance we can name, until it is left in peace and judged.

Sales goes on selling while systems fail, answers get lost, webhooks come twice or never, and the platform is killed
again and again. Then everything heals, an operator mends what was misspelt, and when nothing is left to do the checker
compares what every system applied with what had to happen.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from accordant.kernel.chance import system_random
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database
from accordant.launch import state as states
from accordant.launch.progress import Progress, read_progress
from accordant.launch.sandboxes import Sandboxes
from accordant.proving import operator, room, truth
from accordant.proving.checker import Moments, read_history
from accordant.proving.checker.history import History, Truth
from accordant.proving.deliveries import Deliveries
from accordant.proving.disturbance import bad_day
from accordant.proving.lives import Lives
from accordant.proving.sales import Sales
from accordant.proving.warm import Host, WarmPlatform
from accordant.proving.workload import Workload

REST_WITHIN_S = 60
_GIVE_UP_S = 180.0
_LOOK_EVERY_S = 0.3
_BAD_DAY_EVERY_S = (0.5, 2.5)
_OPERATE_EVERY_S = 1.5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to break, where, and for how long."""

    state: Path
    database_url: str
    seed: int
    seconds: float = 0.0
    """Disturb at least so long, and until `transactions` and `kills` are reached."""
    transactions: int = 0
    kills: int = 0
    backlog: int = 400
    """Sales waits while so many transactions are unfinished."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How far a drill has come, for whoever watches."""

    phase: str
    elapsed_s: float
    progress: Progress
    kills: int
    restarts: int


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, and what it took."""

    history: History
    lives: Lives
    faults: dict[str, int]
    disturbed_s: float
    rest_s: float
    transactions: int
    outages: int


class Drill:
    """One drill, from an empty folder to the history."""

    def __init__(self, plan: Plan, *, clock: Clock, watch: Callable[[Look], None] = lambda _: None) -> None:
        self.plan = plan
        self._clock = clock
        self._watch = watch
        self._rng = random.Random(f"{plan.seed}:drill")  # noqa: S311 - chooses moments, no secrets
        self._workload = Workload(plan.seed)
        self._progress = Progress()
        self._outages = 0
        self._began_s = clock.monotonic_s()
        signing, self._canaries = room.furnish(plan.state, rng=system_random())
        self.sandboxes = Sandboxes(plan.state, seed=plan.seed)
        self._host = Host(log=plan.state / "host.log")
        self.platform = WarmPlatform(
            plan.state, database_url=plan.database_url, port=states.free_port(), host=self._host
        )
        self._database = Database(plan.database_url)
        self._sales = Sales(self._workload, self.sandboxes, ledger=plan.state / "ledger" / "crm.jsonl")
        self._deliveries = Deliveries(self.platform.url, signing, rng=self._chance("deliveries"), clock=clock)
        self.lives = Lives(self.platform, rng=self._chance("lives"), clock=clock, trace=plan.state / "places.trace")

    async def run(self) -> Drilled:
        """Disturb, heal, come to rest, collect. Raises Unavailable when the platform cannot be started at all."""
        try:
            await self._open()
            disturbed_s = await self._disturb()
            healed_ms = await self._heal()
            at_rest_ms = await self._come_to_rest()
            return await self._collect(Moments(healed_ms=healed_ms, at_rest_ms=at_rest_ms), disturbed_s)
        finally:
            await asyncio.to_thread(self._close)

    def _chance(self, of: str) -> random.Random:
        return random.Random(f"{self.plan.seed}:{of}")  # noqa: S311 - repeatable by design

    async def _open(self) -> None:
        await self.sandboxes.start()
        await self.sandboxes.furnish(self.platform.url)
        await self._sales.sell(60)
        await self.lives.first()

    async def _disturb(self) -> float:
        began_s = self._clock.monotonic_s()
        beside = [asyncio.ensure_future(one) for one in self._beside()]
        try:
            await self.lives.trace_over()
            while not self._has_enough(self._clock.monotonic_s() - began_s):
                await self.lives.next(look=self._read, longer=self._longer())
                _require_going(beside)
            _require_going(beside)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        return self._clock.monotonic_s() - began_s

    def _beside(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What goes on while one life follows the other."""
        return self._look(), self._sell(), self._spoil(), self._deliveries.run()

    def _has_enough(self, elapsed_s: float) -> bool:
        plan = self.plan
        enough_work = self._progress.ended >= plan.transactions
        return elapsed_s >= plan.seconds and enough_work and self.lives.kills >= plan.kills

    def _longer(self) -> float:
        """Lives are longer while the work is behind the kills, so that both goals are reached together."""
        plan = self.plan
        if not (plan.transactions and plan.kills):
            return 1.0
        return 3.0 if self.lives.kills / plan.kills > self._progress.ended / plan.transactions else 1.0

    def _unfinished(self) -> int:
        return truth.transactions_begun(self._workload) - self._progress.ended

    async def _look(self) -> None:
        while True:
            await self._note("disturbed")
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _note(self, phase: str) -> None:
        self._progress = await self._read()
        self._watch(
            Look(
                phase=phase,
                elapsed_s=self._clock.monotonic_s() - self._began_s,
                progress=self._progress,
                kills=self.lives.kills,
                restarts=self.lives.restarts,
            )
        )

    async def _read(self) -> Progress:
        return await asyncio.to_thread(read_progress, self._database)

    async def _sell(self) -> None:
        """New deals whenever the platform has caught up, and what follows from those that are done."""
        while True:
            await self._sales.follow_up(goes_on=True)
            if self._unfinished() < self.plan.backlog:
                await self._sales.sell(40)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _spoil(self) -> None:
        rng = self._chance("disturbance")
        while True:
            day = bad_day(rng)
            await self.sandboxes.ask(day.role, "PUT", action="faults", body=day.plan)
            if day.down is not None:
                self._outages += 1
                await self.sandboxes.ask(day.role, "POST", action="down", body=day.down)
            if day.expires_tokens:
                await self.sandboxes.ask(day.role, "POST", action="expire-tokens")
            await asyncio.sleep(rng.uniform(*_BAD_DAY_EVERY_S))

    async def _heal(self) -> int:
        """Every fault ends, the platform is started once more, and the misspelt word is given its meaning."""
        for role in self.sandboxes.running:
            await self.sandboxes.ask(role, "DELETE", action="faults")
        await self._sales.sell(0)
        await self.lives.last()
        await operator.give_meaning(self.platform)
        return self._clock.now_ms()

    async def _come_to_rest(self) -> int:
        """Until nothing is left to do; the operator retries what stopped on the way. 0 when that never comes."""
        quiet, operate_at_s = 0, 0.0
        give_up_s = self._clock.monotonic_s() + _GIVE_UP_S
        while self._clock.monotonic_s() < give_up_s:
            self.platform.require_alive()
            await self._sales.follow_up(goes_on=False)
            now_s = self._clock.monotonic_s()
            if now_s >= operate_at_s:
                operate_at_s = now_s + _OPERATE_EVERY_S
                await operator.release_stopped(self.platform, self._database)
            await self._note("coming to rest")
            quiet = quiet + 1 if await self._is_at_rest() else 0
            if quiet == 3:
                return self._clock.now_ms()
            await asyncio.sleep(_LOOK_EVERY_S)
        return 0

    async def _is_at_rest(self) -> bool:
        now = self._progress
        all_begun = now.total >= truth.transactions_begun(self._workload)
        if not (all_begun and now.settled and not now.unverified):
            return False
        return not await asyncio.to_thread(self._database.read_now, operator.releasable)

    async def _collect(self, moments: Moments, disturbed_s: float) -> Drilled:
        held = await self.sandboxes.states()
        faults = Counter[str]()
        for one in (await self.sandboxes.counters()).values():
            faults.update(one["faults"])
        await asyncio.to_thread(self.platform.stop)
        told = Truth(
            expected=truth.expected_writes(self._workload),
            final=truth.final_entitlements(self._workload),
            acknowledged=self._deliveries.told,
            canaries=self._canaries,
            lies=faults["ok_without_apply"],
        )
        history = await asyncio.to_thread(
            read_history, self.plan.state, told, held=held, moments=moments, database_url=self.plan.database_url
        )
        return Drilled(
            history=history,
            lives=self.lives,
            faults=dict(faults),
            disturbed_s=disturbed_s,
            rest_s=(moments.at_rest_ms - moments.healed_ms) / 1000 if moments.at_rest_ms else -1.0,
            transactions=self._progress.total,
            outages=self._outages,
        )

    def _close(self) -> None:
        self.platform.stop()
        self._host.close()
        self.sandboxes.stop()
        self._database.close()


def _require_going(beside: Sequence[asyncio.Future[None]]) -> None:
    """Raises what ended one of them: a drill that sells or disturbs no more would go on for ever, or prove little."""
    for one in beside:
        if one.done():
            one.result()
