"""The rounds: everybody once, then everybody again, so that a slow moment of the machine hits all alike."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.field import FIELD, Contestant, Missing
from bench.ground import HERE, Ground
from bench.measure import summed_up
from bench.rounds import Figures

EXPECTED = HERE / "rivals" / "expected.json"
FAR_BELOW = 0.6
"""A rival under this share of the least that was ever recorded for it was not measured but disturbed."""
EXTRA_ROUNDS = 2
SLOW_S = 0.05
CONNECTION_CALLS = 32
"""What a connection of the platform makes at a time, unless the estate says otherwise."""
Say = Callable[[str], None]


class Round(msgspec.Struct, kw_only=True):
    """Everybody's figures of one round, and why it does not count, if so."""

    figures: dict[str, Figures] = {}
    void: str = ""


class Rounds(msgspec.Struct, kw_only=True):
    """All rounds, and who could not take part."""

    rounds: list[Round] = []
    missing: dict[str, str] = {}

    @property
    def valid(self) -> list[Round]:
        return [one for one in self.rounds if not one.void]

    def each(self, name: str) -> list[Figures]:
        """A contestant's figures, one for each round that counts."""
        return [one.figures[name] for one in self.valid if name in one.figures]

    def summary(self) -> dict[str, Any]:
        """By contestant: median, smallest and largest of every figure."""
        return {one.name: summed_up(self.each(one.name)) or None for one in FIELD}


def expected_shares(path: Path = EXPECTED) -> dict[str, float]:
    """The least that each rival showed in earlier runs, as a share of the calls alone."""
    recorded: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return {name: one["least_share_of_calls"] for name, one in recorded["rivals"].items()}


def void_because(figures: Mapping[str, Figures], expected: Mapping[str, float]) -> str:
    """Why a round does not count; empty where it does."""
    if "calls" not in figures:
        return "the calls alone were not measured"
    calls = figures["calls"]["tx_per_s"]
    for name, share in expected.items():
        if name in figures and figures[name]["tx_per_s"] < calls * share * FAR_BELOW:
            rate = figures[name]["tx_per_s"]
            return f"{name} made {rate} a second, far below the {calls * share:.0f} that earlier runs let expect"
    return ""


async def play_rounds(ground: Ground, say: Say, *, only: Sequence[str] = ()) -> Rounds:
    """As many rounds as asked for; a round that does not count is played again, twice at most."""
    rounds = Rounds()
    expected = expected_shares()
    while len(rounds.valid) < ground.sizes.rounds and len(rounds.rounds) < ground.sizes.rounds + EXTRA_ROUNDS:
        number = len(rounds.rounds) + 1
        one = Round()
        for contestant in FIELD:
            if not only or contestant.name in only:
                await _turn(ground, contestant, one, rounds=rounds, say=say, label=f"round {number}")
        one.void = void_because(one.figures, expected) if not only else ""
        if one.void:
            say(f"round {number} does not count: {one.void}")
        rounds.rounds.append(one)
    return rounds


async def _turn(ground: Ground, contestant: Contestant, into: Round, *, rounds: Rounds, say: Say, label: str) -> None:
    if contestant.name in rounds.missing:
        return
    try:
        figures = await contestant.run(ground, contestant.n(ground), 64)
    except Missing as missing:
        rounds.missing[contestant.name] = str(missing)
        say(f"{label}  {contestant.title}: missing: {missing}")
        return
    except Exception as failed:  # noqa: BLE001 - one contestant's trouble is told, and the others go on
        rounds.missing[contestant.name] = f"{type(failed).__name__}: {failed}"
        say(f"{label}  {contestant.title}: failed: {failed}")
        return
    into.figures[contestant.name] = figures
    cpu = figures["cpu_ms_per_tx"] + figures.get("server_cpu_ms_per_tx", 0)
    say(f"{label}  {contestant.title:<46} {figures['tx_per_s']:>9} tx/s  {cpu:>8.3f} ms CPU")


async def play_slow_vendors(ground: Ground, say: Say, *, only: Sequence[str] = ()) -> dict[str, Any]:
    """Once with vendors that take 50 ms: 64 in flight for everybody, then 256 for those who can."""
    found: dict[str, Any] = {"delay_ms": SLOW_S * 1000, "in_flight_64": {}, "in_flight_256": {}}
    ground.stub.ask(delay_ms=SLOW_S * 1000)
    try:
        for in_flight in (64, 256):
            for one in FIELD:
                skipped = not one.at_50_ms or (only and one.name not in only) or (in_flight > 64 and one.is_rival)
                if not skipped:
                    found[f"in_flight_{in_flight}"][one.name] = await _slow(ground, one, in_flight, say=say)
    finally:
        ground.stub.ask(delay_ms=0)
    return found


async def _slow(ground: Ground, contestant: Contestant, in_flight: int, *, say: Say) -> Figures:
    n = min(ground.sizes.slow_n * (in_flight // 64), contestant.n(ground))
    try:
        figures = await contestant.run(ground, n, in_flight)
    except Exception as failed:  # noqa: BLE001 - one contestant's trouble is told, and the others go on
        return {"missing": f"{type(failed).__name__}: {failed}"}
    ceiling = in_flight / (4 * SLOW_S)
    if contestant.size == "product":
        ceiling = min(ceiling, CONNECTION_CALLS / SLOW_S)
    figures["share_of_ceiling"] = round(figures["tx_per_s"] / ceiling, 3)
    say(f"50 ms, {in_flight} in flight  {contestant.title:<46} {figures['tx_per_s']:>9} tx/s of {ceiling:.0f}")
    return figures
