"""Those whose word counts: one answers at once, one late, one twice, one never, two together; and one who may not."""

import asyncio
import random
from collections import defaultdict
from typing import Any, Protocol

from accordant.backbone.rows import DecisionRow
from accordant.kernel.errors import Refused
from accordant.operations.approvals import Verdict
from tests.simulation.flows import ANSWERS, ASKS

_OPEN = """
SELECT approval_id, opened_at_ms, escalates_at_ms FROM approval AS asked
WHERE NOT EXISTS (SELECT 1 FROM approval_decision AS said WHERE said.approval_id = asked.approval_id) ORDER BY 1
"""
TEMPERS = ("at once", "late", "never", "two at once", "twice", "too late")


class Company(Protocol):
    """What people see of the world."""

    seed: int
    loop: Any

    def ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]: ...

    def reach(self, state: str) -> None: ...

    async def call(self, what: Any) -> Any: ...


class People:
    """Answers what waits, and remembers what was said."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self._rng = random.Random(f"{company.seed}/people")
        self._tempers: dict[str, str] = {}
        self.said: dict[str, set[tuple[str, bool]]] = defaultdict(set)
        """Question → who said what to it; also where the platform died over it."""
        self.taken: dict[str, list[tuple[str, str]]] = defaultdict(list)
        """Question → verdict and name of every answer that the platform took."""
        self.wrongly_heard: list[str] = []

    def turned_down(self) -> set[str]:
        """Favours that billing refuses until it is healed, also where somebody agreed to them."""
        return {name for name in ("f0", "f1") if self._rng.random() < 0.3}

    async def live(self, until_s: float) -> None:
        """Look now and then at what waits."""
        while self._company.loop.time() < until_s:
            await asyncio.sleep(self._rng.uniform(0.3, 3.0))
            for approval_id, opened_ms, escalates_ms in self._company.ask(_OPEN):
                await self._look(approval_id, opened_ms, escalates_ms=escalates_ms)

    async def answer_everything(self) -> None:
        """Nothing is left lying any more."""
        for approval_id, *_ in self._company.ask(_OPEN):
            await self._say([(approval_id, ANSWERS[0], True)])

    async def _look(self, approval_id: str, opened_ms: int, *, escalates_ms: int) -> None:
        temper = self._tempers.setdefault(approval_id, self._rng.choice(TEMPERS))
        yes, now_ms = self._rng.random() < 0.7, self._company.loop.now_ms()
        if self._rng.random() < 0.2:
            await self._say([(approval_id, ASKS, True)])
        if temper == "at once":
            await self._say([(approval_id, ANSWERS[0], yes)])
        elif temper == "late" and now_ms >= escalates_ms:
            self._company.reach("an answer came late")
            await self._say([(approval_id, ANSWERS[1], yes)])
        elif temper == "two at once":
            self._company.reach("two answered at once")
            await self._say([(approval_id, name, yes == (n == 0)) for n, name in enumerate(ANSWERS)])
        elif temper == "twice":
            await self._say([(approval_id, ANSWERS[0], yes)])
            await self._say([(approval_id, ANSWERS[0], not yes)])
        elif temper == "too late" and now_ms >= 2 * escalates_ms - opened_ms - 100:
            await self._say([(approval_id, ANSWERS[0], True)])

    async def _say(self, words: list[tuple[str, str, bool]]) -> None:
        for approval_id, name, yes in words:
            self.said[approval_id].add((name, yes))
        answers = await asyncio.gather(*(self._company.call(_deciding(*one)) for one in words))
        for (approval_id, name, _), answer in zip(words, answers, strict=True):
            if isinstance(answer, DecisionRow):
                self.taken[approval_id].append((answer.verdict, answer.actor))
                if name == ASKS:
                    self.wrongly_heard.append(f"{name} agreed to what {name} had asked for: {approval_id}")
            elif isinstance(answer, Refused) and answer.code == "approval.decided":
                self._company.reach("a second answer was refused")


def _deciding(approval_id: str, name: str, yes: bool, /) -> Any:
    return lambda platform: platform.approvals.decide(approval_id, Verdict(approve=yes, actor=name))
