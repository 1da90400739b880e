"""One example's world: a platform on a real database, the systems, the source, time, and the clerk who watches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from accordant.backbone.rows import ApprovalRow, DecisionRow
from accordant.kernel import failpoints
from accordant.kernel.errors import AccordantError
from accordant.operations.approvals import Verdict, waiting
from tests.stateful.books import Books
from tests.stateful.business import BOSSES, DAY_S, FIRST_WORDS, UNKNOWN, Record, estate
from tests.stateful.clerk import Clerk
from tests.stateful.loop import START_MS, VirtualLoop, WorldTime
from tests.stateful.platform import Platform

LEFT_ALONE = {"order.corrected", "effect.in_doubt"}
"""What trying again cannot mend."""


MENDED = ("map.missing", "vendor.rejected")
"""What is mended for good by then: each version in a lane was begun under the estate of its time, and stops in turn."""


class Delivery(msgspec.Struct, frozen=True):
    """One webhook on its way."""

    delivery_id: str
    body: bytes
    what: str


class World:
    """Every verb of the rules, without knowing which are tried in which order."""

    def __init__(self, url: str, *, seed: int) -> None:
        self.loop = VirtualLoop(seed)
        self.time = WorldTime(self.loop)
        self.platform = Platform(url, loop=self.loop, world=self.time)
        self.systems = self.platform.systems
        self.clerk = Clerk()
        self.books = Books(url, self.systems, self.clerk)
        self.on_the_way: list[Delivery] = []
        self.delivered: list[Delivery] = []
        self.refused: list[str] = []
        """Codes that operators were told."""
        self.heard = 0
        """Answers to approvals that counted."""
        self._numbers = 0
        self.run(self.platform.start)

    def run(self, act: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
        """Let the act happen, unless the platform dies over it; whether it came to its end, and what it gave."""
        ended = self.loop.run_until_complete(self._until_done_or_dead(act))
        if self.platform.killed.is_set():  # in the same turn of the loop, when the act had come to its end already
            self.loop.run_until_complete(self.platform.bury())
        return ended

    async def _until_done_or_dead(self, act: Callable[[], Awaitable[Any]]) -> tuple[bool, Any]:
        task = asyncio.ensure_future(act())
        death = asyncio.ensure_future(self.platform.killed.wait())
        await asyncio.wait({task, death}, return_when=asyncio.FIRST_COMPLETED)
        died = self.platform.killed.is_set()
        death.cancel()
        if died:
            task.cancel()
            await asyncio.wait({task})
            await self.platform.bury()
            return False, None
        return True, task.result()

    # --- the source ---

    def edit(self, kind: str, name: str, *, customer: str, content: str, dropped: bool) -> None:
        """A new version of a record; its webhook sets out, or is never sent."""
        known = self.clerk.versions.setdefault((kind, name), [])
        stamp_ms = (START_MS + round(self.time.true_s * 1000)) // 1000 * 1000  # the source counts whole seconds
        one = Record(kind=kind, name=name, customer=customer, version=len(known) + 1, at_ms=stamp_ms, content=content)
        known.append(one)
        self.platform.source[kind, name] = one
        self.systems.lane_of[name] = customer
        if not dropped:
            what = f"{kind} {name} v{one.version}"
            self.on_the_way.append(Delivery(what.replace(" ", "-"), msgspec.json.encode(one), what))

    def deliver(self, one: Delivery, *, times: int = 1) -> None:
        """The source tries until it gets its 2xx; `times` at once."""

        async def all_at_once() -> list[Any]:
            tries = (self.platform.hook(one.delivery_id, one.body) for _ in range(times))
            return await asyncio.gather(*tries)

        if not self.platform.alive:
            return
        came, _ = self.run(all_at_once)
        if came:
            self.clerk.acknowledge("webhook", one.delivery_id, body=one.body, what=one.what)
            if one in self.on_the_way:
                self.on_the_way.remove(one)
            self.delivered.append(one)

    def poll(self) -> None:
        self.run(self.platform.poller.poll_once)

    # --- the company ---

    def decide(self, *, known: frozenset[str], on_failure: str, meanings: dict[str, str], bosses: int = 2) -> None:
        """A new version of the estate."""
        version = max(self.platform.estates) + 1
        following = estate(version, known=known, on_failure=on_failure, meanings=meanings, bosses=bosses)
        self.platform.estates[following.version] = following
        self.clerk.may_be_taken_back |= on_failure == "compensate"
        self.clerk.meanings_changed |= bool(meanings)

    # --- operators ---

    def operate(self, *acts: Callable[[], Awaitable[Any]]) -> list[Any]:
        """Several operators at the same moment; what each was told. Empty when the platform died over it."""

        async def together() -> list[Any]:
            return await asyncio.gather(*(act() for act in acts), return_exceptions=True)

        finished, answers = self.run(together)
        for one in answers or ():
            if isinstance(one, BaseException):
                assert isinstance(one, AccordantError), f"an operator was answered {one!r}"
                self.refused.append(one.code)
        return answers if finished else []

    def waiting(self) -> list[ApprovalRow]:
        """What waits for somebody's word."""
        return self.platform.database.read_now(lambda connection: waiting(connection, tenant="t"))

    def answer(self, asked: ApprovalRow, words: dict[str, bool]) -> None:
        """Everybody answers at the same moment; whoever has no right to it must be refused."""
        desk, people = self.platform.approvals, self.platform.newest_estate().approvals.people
        entitled = {name: yes for name, yes in words.items() if name in people and people[name].roles}
        for yes in entitled.values():
            if yes:
                self.clerk.agreed.add((asked.subject, asked.amount_minor))
            else:
                self.clerk.declined.add(asked.subject)
        said = [
            lambda name=name, yes=yes: desk.decide(asked.approval_id, Verdict(approve=yes, actor=name))
            for name, yes in words.items()
        ]
        answers = self.operate(*said)
        heard = [name for name, one in zip(words, answers, strict=False) if isinstance(one, DecisionRow)]
        self.heard += len(heard)
        assert len(heard) <= 1, f"several were heard: {heard}"
        assert set(heard) <= set(entitled), f"{heard} was heard, who has no right to it"

    # --- life and death ---

    def start(self, *, dies_again_in: int | None) -> None:
        if dies_again_in is not None:
            self.platform.die_in(dies_again_in)
        finished, _ = self.run(self.platform.start)
        if finished:
            self.books.chain()

    def kill(self) -> None:
        async def now() -> None:
            self.platform.kill()

        self.run(now)

    def work(self, seconds: float) -> None:
        """Let the platform go on for a while."""
        self.run(lambda: asyncio.sleep(seconds))

    # --- the end ---

    def come_to_rest(self) -> None:
        """Everything heals, everything arrives, and people do what is theirs to do."""
        failpoints.arm(None)
        self.platform.die_in(None)
        if not self.platform.alive:
            self.start(dies_again_in=None)
        for system in self.systems.all():
            system.heal()
        for one in list(self.on_the_way):
            self.deliver(one)
        self.poll()
        words = FIRST_WORDS | {UNKNOWN, "platnium"}
        self.decide(known=words, on_failure="hold", meanings={})
        self.settle()
        self.settle()
        self._agree()
        self._release(self._open_causes())
        for _ in range(3):
            self.settle()
            self._agree()
            while mended := self._open_causes(*MENDED):
                self._release(mended)
                self.settle()
            self.time.advance(4 * DAY_S)
        self.settle()

    def _agree(self) -> None:
        for asked in self.waiting():
            self.answer(asked, {BOSSES[1]: True})
        self.settle()

    def settle(self) -> None:
        """Until nothing is under way; waiting for an instant or an event is nothing under way."""
        for _ in range(40):
            self.work(2)
            if not self._busy():
                return
        raise AssertionError(f"still busy after 80 s: {self._busy()}")

    def _busy(self) -> list[str]:
        """What still goes on by itself."""
        tables = self.books.tables()
        busy = [
            f"{one.flow} {one.subject} is {one.state} ({one.waiting_for})"
            for one in tables["transaction"]
            if one.due_rank is not None or one.waiting_for in ("vendor", "telling")
        ]
        busy += [f"{one.delivery_id} is unread" for one in tables["inbox"] if one.state == "kept"]
        busy += [
            f"{one.name} of {one.business_id} was not read back"
            for one in tables["effect"]
            if one.state == "confirmed" and one.checked == ""
        ]
        busy += [f"{one.code} was not told" for one in tables["exception"] if one.state == "open" and not one.told]
        return busy or ["a drive"] * bool(self.platform.engine.driving)

    def _open_causes(self, *codes: str) -> set[str]:
        """Causes of what is open: of these codes, or of whatever trying again may mend."""
        items = [one for one in self.books.tables()["exception"] if one.state == "open"]
        return {one.cause_group for one in items if (one.code in codes if codes else one.code not in LEFT_ALONE)}

    def _release(self, causes: set[str]) -> None:
        for cause in sorted(causes):
            self.operate(lambda cause=cause: self.platform.desk.release(cause, actor="ops"))
            self.work(1)

    def close(self) -> None:
        if self.platform.alive:
            self.kill()
        failpoints.arm(None)
        self.books.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()
