"""Which kills are played: every place that a scene reaches, every occurrence of it, then the same in recoveries."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from tests.kills.case import Case, Outcome

IDLE = frozenset(
    {
        "database.read",
        "database.begin",
        "database.turn",
        "journal.refill",
        "poll.begin",
        "pump.read",
        "locks.ask",
        "locks.run",
    }
)
"""Reached mostly by looking for work, or beside a commit that is a place itself: some occurrences stand for all."""
IDLE_MAX = 12
EARLY = 3
"""In a recovery, a place is hit at one of its first occurrences: where another kill came before, later ones may be
none."""
BATCH = 24
Chain = tuple[str, ...]


class Player(Protocol):
    """Plays cases."""

    def wanted(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Scene, engine, and the places to kill at."""
        ...

    def play(self, cases: Sequence[Case]) -> Iterator[Outcome]: ...


def outcomes(player: Player, order: Any) -> Iterator[Outcome]:
    """Everything that an order asks for."""
    if order.cases:
        for one in order.cases:
            plan = Matrix(msgspec.structs.replace(one, kills=()), player, random.Random(0))
            yield from plan.play([()])
            yield from plan.play([one.kills])
        return
    for name, engine, only in player.wanted():
        calm = Case(scene=name, engine=engine, database=order.database)
        plan = Matrix(calm, player, random.Random(f"{order.seed}:{name}:{engine}:{order.database}"), only)
        match order.effort:
            case "calm":
                yield from plan.calm()
            case "sample":
                yield from plan.sample(order.places)
            case _:
                yield from plan.full(order.budget_s)


class Matrix:
    """The kills of one scene on one engine and one database."""

    def __init__(self, calm: Case, player: Player, rng: random.Random, only: tuple[str, ...] = ()) -> None:
        self._only = only
        self._case = calm
        self._player = player
        self._rng = rng
        self._calm: Outcome | None = None
        self._last: list[Outcome] = []
        """What the last batch came to."""

    def play(self, chains: Sequence[Chain]) -> Iterator[Outcome]:
        """Play a batch; the first outcome of all is the undisturbed one, and every later one is held against it."""
        self._last = []
        for outcome in self._player.play([msgspec.structs.replace(self._case, kills=one) for one in chains]):
            if self._calm is None:
                self._calm = outcome
            outcome.problems += differences(self._calm, outcome)
            self._last.append(outcome)
            yield outcome

    def calm(self) -> Iterator[Outcome]:
        """The undisturbed play."""
        yield from self.play([()])

    def sample(self, n: int) -> Iterator[Outcome]:
        """So many places drawn by the seed, each at an occurrence drawn by the seed."""
        yield from self.calm()
        places = self._reached()
        drawn = self._rng.sample(places, min(n, len(places))) if n else places
        yield from self.play([(f"{place}@{self._rng.randint(1, times)}",) for place, times in drawn])

    def full(self, budget_s: float) -> Iterator[Outcome]:
        """Every place on the first run, in recovery, and in the recovery of a recovery; then every other occurrence.

        The occurrences beyond the first one of each place are played, in an order drawn by the seed, while there is
        time.
        """
        yield from self.calm()
        yield from self.play([()])
        yield from self.play([(one,) for one in self._early_midway_late()])
        second = self._chains(self._last)
        yield from self.play(_some(list(second.values()), 3))
        third = self._chains(self._last)
        chains = _joined(self._firsts(), second, third)
        needed = max(len(self._reached()), len(second), len(third))
        found: list[Outcome] = []
        give_up_at = time.monotonic() + budget_s
        for start in range(0, len(chains), BATCH):
            if start < needed or time.monotonic() < give_up_at:
                yield from self.play(chains[start : start + BATCH])
                found += self._last
        yield from self.play(_missed(found, second, 2) + _missed(found, third, 3) + self._not_hit(found))

    def _firsts(self) -> list[Chain]:
        """Every occurrence on the first run: one of each place first, the others after them."""
        every = occurrences(dict(self._reached()))
        self._rng.shuffle(every)
        one_each = list({place_of(one): one for one in every}.values())
        return [(one,) for one in (*one_each, *(one for one in every if one not in one_each))]

    def _not_hit(self, found: Sequence[Outcome]) -> list[Chain]:
        """Places whose occurrence did not come this time: once more, at the first one."""
        hit = {place_of(one.killed[0]) for one in found if one.killed}
        return [(f"{place}@1",) for place, _ in self._reached() if place not in hit]

    def _reached(self) -> list[tuple[str, int]]:
        assert self._calm is not None
        return sorted((place, n) for place, n in self._calm.reached.items() if place.startswith(self._only or ""))

    def _chains(self, played: Sequence[Outcome]) -> dict[str, Chain]:
        """For each place that was reached after the kills, a chain of kills that leads to one of its occurrences."""
        found: dict[str, Chain] = {}
        for outcome in played:
            reached = {place: n for place, n in outcome.reached.items() if place.startswith(self._only or "")}
            for place, times in sorted(reached.items()):
                kill = f"{place}@{self._rng.randint(1, min(times, EARLY))}"
                found.setdefault(place, (*outcome.killed, kill))
        return found

    def _early_midway_late(self) -> list[str]:
        reached = dict(self._reached())
        marks = [name for name in ("pump.publish:before", "effect.confirm:after", "drive.end:after") if name in reached]
        return [f"{name}@{(reached[name] + 1) // 2}" for name in marks or list(reached)[:1]]


def differences(calm: Outcome, outcome: Outcome) -> list[str]:
    """What ended otherwise than in the undisturbed play, by the rule that it breaks."""
    if calm.ending is None or outcome.ending is None:
        return [] if outcome.problems else ["harness: no ending"]
    was, now = Counter(calm.ending.applied), Counter(outcome.ending.applied)
    found = [f"lost: {one}" for one in was - now]
    found += [f"{'duplicate' if one in was else 'orphan'}: {one}" for one in now - was]
    rules = {"transactions": "partial", "effects": "partial", "open_items": "partial", "held": "stale"}
    for name, rule in rules.items():
        before, after = getattr(calm.ending, name), getattr(outcome.ending, name)
        if before != after:
            found.append(f"{rule}: {name} should be {before}, are {after}")
    return found


def occurrences(reached: Mapping[str, int]) -> list[str]:
    found: list[str] = []
    for place, n in sorted(reached.items()):
        limit = IDLE_MAX if place.partition(":")[0] in IDLE else n
        found += [f"{place}@{one}" for one in _spread(n, limit)]
    return found


def _spread(n: int, limit: int) -> list[int]:
    """Up to `limit` numbers from 1 to n, the first and the last among them."""
    if n <= limit:
        return list(range(1, n + 1))
    return sorted({1 + round(step * (n - 1) / (limit - 1)) for step in range(limit)})


def _some(chains: list[Chain], n: int) -> list[Chain]:
    return [chains[one - 1] for one in _spread(len(chains), n)]


def _joined(firsts: Sequence[Chain], second: Mapping[str, Chain], third: Mapping[str, Chain]) -> list[Chain]:
    """Every first kill; the kills of recoveries go along with the first of them, each with another first kill."""
    in_second, in_third = [one[-1] for one in second.values()], [one[-1] for one in third.values()]
    found: list[Chain] = []
    for n, first in enumerate(firsts):
        if n < len(in_third) and in_second:
            found.append((*first, in_second[n % len(in_second)], in_third[n]))
        elif n < len(in_second):
            found.append((*first, in_second[n]))
        else:
            found.append(first)
    return found


def _missed(found: Sequence[Outcome], wanted: Mapping[str, Chain], depth: int) -> list[Chain]:
    """Chains for the places at which no recovery of this depth was killed yet."""
    hit = {place_of(one.killed[depth - 1]) for one in found if len(one.killed) >= depth}
    return [chain for place, chain in wanted.items() if place not in hit]


def place_of(kill: str) -> str:
    return kill.partition("@")[0]
