"""One life of the platform after the other: begun, disturbed, killed, and timed until it works again."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from accordant.kernel.clock import Clock
from accordant.kernel.errors import Unavailable
from accordant.kernel.failpoints import VARIABLE
from accordant.launch.progress import Progress
from accordant.proving.boundaries import places
from accordant.proving.truth import TENANT
from accordant.proving.warm import WarmPlatform

_OWN = {"ACCORDANT_ENGINE": "journal", "ACCORDANT_TENANT": TENANT, "ACCORDANT_IN_FLIGHT": "64"}
"""A drill is the same on every machine, whatever is set there for the platform in service."""
_COLD_EVERY = 20
_TRACED_LIFE_S = 2.0
_LIFE_S = (0.1, 0.5, 1.0, 1.5, 2.5)
_REACHED_MAX = 200
"""A place is killed at the latest when it is reached for this time."""
_LOOK_EVERY_S = 0.02
_NOT_BEGUN_MAX = 5
_RESUME_LOOK_S = 15.0


class Lives:
    """Kills by name of a place, kills at any moment, pauses; what each cost."""

    def __init__(self, platform: WarmPlatform, *, rng: random.Random, clock: Clock, trace: Path) -> None:
        self._platform = platform
        self._rng = rng
        self._clock = clock
        self._trace = trace
        self._every_place = places()
        self._reached: Counter[str] = Counter()
        self.restarts = 0
        self.cold = 0
        self.in_recovery = 0
        self.pauses = 0
        self.killed_at: Counter[str] = Counter()
        """Kills by place; `anywhere` for those at no named place."""
        self.resumed_s: list[float] = []
        """From each kill until what it left running was driven again, or had moved; not where nothing was running."""
        self.surprises: list[str] = []
        """Ends that nobody caused."""

    @property
    def kills(self) -> int:
        return sum(self.killed_at.values())

    async def first(self) -> None:
        """A life in which every place is written down; the later ones are killed at these."""
        await self._platform.start(**_OWN, **{VARIABLE: f"*@0=trace:{self._trace}"})

    async def trace_over(self) -> None:
        """Read what the first life reached, and end it."""
        await asyncio.sleep(_TRACED_LIFE_S)
        await self._kill()
        if self._trace.exists():
            self._reached.update(self._trace.read_text(encoding="ascii").split())
            self._trace.unlink()

    async def next(self, *, look: Callable[[], Awaitable[Progress]], longer: float = 1.0) -> None:
        """Begin a life that is to be killed, and see it to its end; `longer` stretches it.

        `look` reads from the database how far everything has come.
        """
        died_s = self._clock.monotonic_s()
        left = await look()
        place = self._place()
        if not await self._begun(place):
            return
        if left.by_state.get("running"):
            await self._await_work(died_s, left, look=look)
        await self._live(place, longer)

    async def last(self) -> None:
        """Begin a life that nobody ends."""
        await self._kill()
        for _ in range(_NOT_BEGUN_MAX):
            if await self._begun(""):
                return
        raise Unavailable(f"the platform did not start {_NOT_BEGUN_MAX} times; see platform.log")

    def _place(self) -> str:
        """A place with the number of times it is reached first."""
        rng = self._rng
        if self._reached and rng.random() < 0.8:
            name = rng.choice(sorted(self._reached))
            return f"{name}@{rng.randint(1, max(1, min(self._reached[name], _REACHED_MAX)))}"
        return f"{rng.choice(self._every_place)}@{rng.choice((1, 1, 2, 3, 5))}"

    async def _begun(self, place: str) -> bool:
        """Start; whether its doors opened. A kill before that is a kill during recovery."""
        self.restarts += 1
        self._platform.is_cold = self.restarts % _COLD_EVERY == 0
        self.cold += self._platform.is_cold
        try:
            await self._platform.start(**_OWN, **{VARIABLE: f"{place}=kill" if place else ""})
        except Unavailable as failed:
            if self._code() == -signal.SIGKILL and place:
                self.in_recovery += 1
                self.killed_at[place.partition("@")[0]] += 1
            else:
                self._surprise(str(failed))
            return False
        return True

    async def _await_work(self, died_s: float, left: Progress, *, look: Callable[[], Awaitable[Progress]]) -> None:
        """Until what the last life left running is driven, or has moved; how long that took is noted."""
        give_up_s = self._clock.monotonic_s() + _RESUME_LOOK_S
        while self._code() is None:
            pulse = await self._platform.pulse()
            moved = (pulse is not None and pulse.driving > 0) or await look() != left
            if self._code() is None and (moved or self._clock.monotonic_s() > give_up_s):
                self.resumed_s.append(self._clock.monotonic_s() - died_s)
                return
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _live(self, place: str, longer: float) -> None:
        """Until it dies at its place; else until some moment, perhaps after a pause."""
        rng = self._rng
        end_s = self._clock.monotonic_s() + rng.choice(_LIFE_S) * rng.uniform(0.5, 1.5) * longer
        if rng.random() < 0.15:
            await asyncio.sleep(rng.uniform(0.0, 0.5))
            await self._pause(rng.uniform(0.2, 3.0))
        while self._clock.monotonic_s() < end_s:
            await asyncio.sleep(_LOOK_EVERY_S)
            code = self._code()
            if code is not None:
                self._ended(place, code)
                return
        await self._kill()

    async def _pause(self, seconds: float) -> None:
        """Stop the process where it stands, as a machine under pressure does, and let it go on."""
        running = self._platform.running
        if running is not None and running.poll() is None:
            self.pauses += 1
            running.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            running.send_signal(signal.SIGCONT)

    async def _kill(self) -> None:
        running = self._platform.running
        if running is not None and running.poll() is None:
            running.send_signal(signal.SIGKILL)
            await asyncio.to_thread(running.wait)
            self.killed_at["anywhere"] += 1

    def _ended(self, place: str, code: int) -> None:
        if code == -signal.SIGKILL:
            self.killed_at[place.partition("@")[0]] += 1
        else:
            self._surprise(f"the platform ended with {code}")

    def _surprise(self, what: str) -> None:
        self.surprises.append(what[:300])
        if len(self.surprises) > _NOT_BEGUN_MAX * 4:
            raise Unavailable(f"the platform ended by itself {len(self.surprises)} times; the last time: {what}")

    def _code(self) -> int | None:
        running = self._platform.running
        return None if running is None else running.poll()
