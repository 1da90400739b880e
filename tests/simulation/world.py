"""One seed: the company, its systems, the platform's lives, and whoever disturbs them; at the end everything heals."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any

from accordant.backbone.inbox import Arrival
from accordant.kernel import failpoints
from accordant.kernel.database import NotCommitted, NotRead
from accordant.kernel.errors import AccordantError, Refused
from tests.simulation.loop import LIFE, Killed, Life, SimulatedLoop
from tests.simulation.people import People
from tests.simulation.platform import OwnerLock, Platform, Surroundings
from tests.simulation.source import Source
from tests.simulation.storage import disk
from tests.simulation.swarm import Swarm
from tests.simulation.vendors import Vendors

STORY_S = 30.0
DRAIN_ROUNDS = 40
IDLE_WITHIN_S = 900.0
ASKED_ONCE = frozenset(
    {"effect.in_doubt", "deal.corrected", "readback.different", "compensation.incomplete", "promise.broken"}
)
"""Codes of items that may stay open whatever an operator retries; a person has to look at the systems. A payment that
was told before its deal began is none that came since."""
_BUSY = """
SELECT (SELECT count(*) FROM inbox WHERE state = 'kept')
     + (SELECT count(*) FROM business_transaction WHERE due_rank IS NOT NULL OR wake_at_ms IS NOT NULL)
"""
_UNVERIFIED = """
SELECT count(*) FROM effect AS one WHERE state = 'confirmed' AND checked = '' AND NOT EXISTS (
  SELECT 1 FROM effect AS open WHERE open.business_id = one.business_id AND open.kind = one.kind
  AND open.state IN ('sent', 'unknown'))
"""
"""What may be written again at any moment is not read back before that is settled."""
_HELD_UP = """
SELECT 1 FROM business_transaction AS one JOIN business_transaction AS held ON held.lane = one.lane
WHERE one.turn = 0 AND held.turn = 1 AND held.state = 'exception'
"""
_STANDING = "SELECT flow, subject, state, waiting_for, turn, due_rank, wake_at_ms FROM business_transaction"


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, *, steps_max: int = 3_000_000) -> None:
        self.seed = seed
        name = str(seed)
        self.trace: list[tuple[float, int, str]] = []
        self.reached: Counter[str] = Counter()
        self.crashes = 0
        self.defects: list[str] = []
        """What the platform logged that must never happen."""
        self.at_rest = False
        self._chance = random.Random(f"{name}/world")
        self.swarm = Swarm(name)
        shuffles = self._chance.random() < 0.7
        self.loop = SimulatedLoop(random.Random(f"{name}/order"), shuffles=shuffles, steps_max=steps_max)
        slow = self.swarm.has("slow database")
        latency = random.Random(f"{name}/latency")
        self.loop.delay_s = lambda: latency.uniform(0.01, 0.4) if slow else latency.uniform(0.0002, 0.004)
        disk.begin(self.swarm.strikes, rng=random.Random(f"{name}/disk"), reached=self.reach)
        self.vendors = Vendors(name, loop=self.loop, swarm=self.swarm, reached=self.reach)
        self.vendors.note = self.note
        self.source = Source(name, loop=self.loop, swarm=self.swarm, reached=self.reach)
        self.source.deliver = self._deliver
        self.verifies = self.swarm.has("lies") or self._chance.random() < 0.2
        self._around = Surroundings(
            verifies=self.verifies,
            loop=self.loop,
            vendors=self.vendors,
            source=self.source,
            lock=OwnerLock(),
            on_lost=lambda lost: self._end_soon(),
        )
        self.people = People(self)
        self.life = Life(0)
        self.life.is_over = True
        self._lives: list[Life] = []
        self._born_s = 0.0
        self._healed_s = 0.0
        self._platform: Platform | None = None
        self._calls: set[asyncio.Future[Any]] = set()
        self._asked: Counter[str] = Counter()

    def note(self, what: str) -> None:
        self.trace.append((self.loop.time(), self.life.n, what))

    def reach(self, state: str) -> None:
        """A rare state was reached."""
        self.reached[state] += 1

    def run(self) -> "World":
        failpoints.arm(self._at_place)
        try:
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(self._story())
        finally:
            failpoints.arm(None)
            self._bury()
            asyncio.set_event_loop(None)
        return self

    def ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Look into the database past the platform."""
        return disk.look(sql, parameters)

    # --- the story -----------------------------------------------------------------------------------------------

    async def _story(self) -> None:
        self.source.plan()
        self.vendors.refuses = {name for name in ("t0", "d1", "t1") if self._chance.random() < 0.4}
        self.vendors.refuses |= self.people.turned_down()
        self._begin_life()
        others = [self._disturb(), self._operate()]
        if self.source.favours:
            others.append(self.people.live(STORY_S))
        await asyncio.gather(*others)
        self.note("healed")
        if self.ask(_HELD_UP):
            self.reach("a lane was held behind an exception")
        self.swarm.healed = True
        self._healed_s = self.loop.time()
        disk.full = False
        self._around.estate_version = 2
        await self._drain()

    async def _disturb(self) -> None:
        """Kill, fill the disk, start a second process."""
        while self.loop.time() < STORY_S:
            await asyncio.sleep(self._chance.uniform(0.2, 8))
            if self.swarm.has("disk full") and self._chance.random() < 0.3:
                disk.full = not disk.full
                self.note(f"disk full: {disk.full}")
            if self.swarm.has("second process") and self._chance.random() < 0.4:
                await self._start_a_second()
            if self.swarm.has("crash") and self._chance.random() < 0.6:
                self._kill("crash")
            if self.life.is_over:
                await asyncio.sleep(self._downtime_s())
                self._begin_life()

    def _downtime_s(self) -> float:
        if self.swarm.has("long downtime") and self._chance.random() < 0.4:
            self.reach("a long downtime")
            return self._chance.choice((250.0, 400.0, 4_000.0, 100_000.0))
        return self._chance.uniform(0.02, 1.5)

    async def _start_a_second(self) -> None:
        try:
            await self._around.lock.for_one().take()
        except Refused:
            self.reach("a second process was refused")
        else:
            self._around.lock.holder = None

    async def _operate(self) -> None:
        """A hasty operator retries what may or may not have been mended."""
        while self.loop.time() < STORY_S:
            await asyncio.sleep(self._chance.uniform(1, 10))
            if not self.swarm.has("hasty operator"):
                continue
            if self._chance.random() < 0.3:
                self._around.estate_version = 2
            items = self.ask("SELECT exception_id, cause_group FROM exception WHERE state = 'open' ORDER BY 1")
            if items:
                await self.call(self._retry_or_release(*self._chance.choice(items)))

    def _retry_or_release(self, exception_id: str, cause: str) -> Callable[[Platform], Awaitable[int]]:
        if self._chance.random() < 0.5:
            return lambda platform: platform.desk.retry(exception_id, actor="ops")
        return lambda platform: platform.desk.release(cause, actor="ops")

    async def _drain(self) -> None:
        for _ in range(DRAIN_ROUNDS):
            if self.life.is_over:
                self._begin_life()
            if not await self._idle():
                return
            items = self.ask("SELECT exception_id, code, transaction_id FROM exception WHERE state = 'open' ORDER BY 1")
            again = [one for one, code, about in items if code not in ASKED_ONCE or not self._asked[f"{code}/{about}"]]
            if not again:
                self.at_rest = True
                return
            for one, code, about in items:
                if one in again:
                    self._asked[f"{code}/{about}"] += 1
                    await self.call(lambda platform, one=one: platform.desk.retry(one, actor="ops"))

    async def _idle(self) -> bool:
        """Whether nothing is left to do, twice in a row."""
        calm, give_up_s = 0, self.loop.time() + IDLE_WITHIN_S
        while self.loop.time() < give_up_s:
            await asyncio.sleep(2.0)
            if self.life.is_over:
                self._begin_life()
            if self.source.favours:
                await self.people.answer_everything()
            driving = self._platform.engine.driving if self._platform else 1
            unverified = self.verifies and self.ask(_UNVERIFIED)[0][0]
            busy = self.ask(_BUSY)[0][0] or driving or self.source.telling or unverified
            unread = self.source.polled_s < self._healed_s + 10  # the last poll began after the last webhook was lost
            calm = 0 if busy or unread else calm + 1
            if calm >= 3:
                return True
        self.note(f"never idle: {self.ask(_STANDING)}")
        return False

    # --- lives ---------------------------------------------------------------------------------------------------

    def _begin_life(self) -> None:
        self.life = Life(self.life.n + 1)
        self._lives.append(self.life)
        self._born_s = self.loop.time()
        self.note("a life begins")
        context = copy_context()
        context.run(LIFE.set, self.life)
        life = self.life
        try:
            self._platform = context.run(Platform, self._around, seed=f"{self.seed}/{life.n}")
        except (NotRead, NotCommitted):
            self._kill("it could not start")
            return
        except Killed:
            return
        task = self.loop.create_task(self._platform.run(), context=context)
        task.add_done_callback(lambda done: self._ended(life, done), context=copy_context())

    def _ended(self, life: Life, done: asyncio.Task[None]) -> None:
        """A process that ends by itself is started again, whatever it ended of."""
        if not life.is_over:
            self.note(f"the process ended: {done.exception()!r}")
            self.reach("the process ended by itself")
            self._kill("ended")

    def _end_soon(self) -> None:
        life = self.life
        self.reach("the database was lost, and the process ended")
        self.loop.call_later(0.001, lambda: self._kill("lost") if life is self.life else None, context=_nobody())

    def _kill(self, why: str) -> None:
        if self.life.is_over:
            return
        self._remember_where()
        self.note(f"killed: {why}")
        self.crashes += 1
        self.life.is_over = True
        self._around.lock.holder = None
        disk.drop_connections()
        _nobody().run(self.vendors.cut)
        for call in self._calls:
            if not call.done():
                call.set_result(None)
        self._calls.clear()

    def _remember_where(self) -> None:
        now = self.loop.time()
        if any(now - at_s < 5 for at_s in self.vendors.ambiguous.values()):
            self.reach("killed after an ambiguous answer")
        if self.life.n > 1 and now - self._born_s < 0.5:
            self.reach("killed during recovery")
        if disk.look(
            "SELECT 1 FROM memo JOIN business_transaction USING (transaction_id)"
            " WHERE name = '(compensating)' AND state IN ('running', 'waiting')"
        ):
            self.reach("killed while compensating")

    def _at_place(self, place: str) -> None:
        life = LIFE.get()
        if life is not None and life.is_over:
            raise Killed
        self.note(place)
        odds = 1 / 60 if place.startswith("effect.") else 1 / 300
        if life is not None and self.swarm.has("crash at a boundary") and self._chance.random() < odds:
            if place == "database.commit:after":
                self.reach("killed between a commit and its answer")
            self._kill(place)
            raise Killed

    # --- whoever calls the platform ------------------------------------------------------------------------------

    async def _deliver(self, arrival: Arrival) -> bool | None:
        """A webhook: True when it was acknowledged, False when it was refused, None when the line broke."""
        if self.life.is_over:
            return False
        answer = await self.call(lambda platform: platform.inbox.keep([arrival]))
        if isinstance(answer, AccordantError):
            self.reach("a webhook was refused")
            return False
        if answer is None:
            return None
        if not answer[0].new:
            self.reach("a duplicate delivery was absorbed")
        return True

    async def call(self, what: Callable[[Platform], Awaitable[Any]]) -> Any:
        """What the platform answers, the error it raises, or None when it died meanwhile."""
        if self.life.is_over or self._platform is None:
            return None
        answer: asyncio.Future[Any] = self.loop.create_future()
        self._calls.add(answer)
        platform = self._platform

        async def call() -> None:
            try:
                result = await what(platform)
            except AccordantError as problem:
                result = problem
            if not answer.done():
                answer.set_result(result)

        context = copy_context()
        context.run(LIFE.set, self.life)
        self.loop.create_task(call(), context=context)
        try:
            return await answer
        finally:
            self._calls.discard(answer)

    def _bury(self) -> None:
        """Close what the dead left behind, without letting it do anything any more."""
        for life in self._lives:
            life.is_over = True
        everything = [task for life in self._lives for task in life.tasks] + list(asyncio.all_tasks(self.loop))
        for task in everything:
            if not task.done():
                task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
                with contextlib.suppress(BaseException):
                    _nobody().run(task.get_coro().close)


def _nobody() -> Any:
    context = copy_context()
    context.run(LIFE.set, None)
    return context
