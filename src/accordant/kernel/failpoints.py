"""Named places where a drill may stop, fail or delay the platform; without a plan they do nothing at all.

Every call out of the process, every commit and every handover stands in a `with around("name")`, which reaches
`name:before` when it begins and `name:after` when it has succeeded. The architecture tests find calls without one.
"""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from accordant.kernel.errors import Misconfigured

VARIABLE = "ACCORDANT_FAILPOINTS"
Reach = Callable[[str], None]


class InjectedFailure(Exception):
    """What a `fail` action raises: an error that nobody foresaw."""


class _Boundary(Protocol):
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: object, trace: object, /) -> None: ...


class _Idle:
    """Between two places that nobody watches."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        return None


class _Watched:
    """Between two places that a plan is told of."""

    __slots__ = ("_name", "_reach")

    def __init__(self, name: str, reach: Reach) -> None:
        self._name = name
        self._reach = reach

    def __enter__(self) -> None:
        self._reach(f"{self._name}:before")

    def __exit__(self, kind: object, error: object, trace: object, /) -> None:
        if kind is None:
            self._reach(f"{self._name}:after")


_IDLE = _Idle()
_reach: Reach | None = None


def around(name: str) -> _Boundary:
    """The boundary of one call; `name` is a literal and stands once in the sources."""
    return _IDLE if _reach is None else _Watched(name, _reach)


def arm(reach: Reach | None) -> None:
    """Have every place told to `reach`, from whatever thread reaches it; None goes back to doing nothing."""
    global _reach  # noqa: PLW0603 - one switch for the process, so that the idle path costs one look
    _reach = reach


class Step(msgspec.Struct, frozen=True):
    """Do something when a place is reached for the n-th time; `*` is any place."""

    place: str
    n: int
    action: str
    argument: str = ""


class Plan:
    """Counts the places that are reached and does what was planned for them.

    A step is `PLACE@N=ACTION[:ARGUMENT]`; steps are separated by commas. `kill` and `stop` send SIGKILL and SIGSTOP to
    this process, `fail` raises `InjectedFailure`, `sleep:SECONDS` holds the thread up, and `trace:FILE` (as `*@0`)
    appends the name of every place to a file.
    """

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self._steps = {(one.place, one.n): one for one in steps}
        self._traces = [Path(one.argument) for one in steps if one.action == "trace"]
        self._reached: Counter[str] = Counter()

    def __call__(self, place: str) -> None:
        for file in self._traces:
            with file.open("a", encoding="ascii") as lines:
                lines.write(place + "\n")
        for name in (place, "*"):
            self._reached[name] += 1
            step = self._steps.get((name, self._reached[name]))
            if step is not None:
                _act(step)


def _act(step: Step) -> None:
    match step.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(float(step.argument))
        case "fail":
            raise InjectedFailure(f"{step.place} failed as planned")
        case _:
            return


def parse(text: str) -> Plan:
    """A plan from its text. Raises Misconfigured."""
    steps: list[Step] = []
    for one in filter(None, (part.strip() for part in text.split(","))):
        head, _, what = one.partition("=")
        place, _, count = head.partition("@")
        action, _, argument = what.partition(":")
        if not place or not count.isdigit() or action not in {"kill", "stop", "sleep", "fail", "trace"}:
            raise Misconfigured(
                f"{one!r} is no failpoint; expected PLACE@N=ACTION, such as 'ledger.confirm:before@3=kill'",
                code="failpoint.syntax",
                hint=f"correct or unset {VARIABLE}; it belongs into fault drills only",
            )
        steps.append(Step(place, int(count), action, argument))
    return Plan(tuple(steps))


def arm_from(environ: Mapping[str, str]) -> bool:
    """Arm what `ACCORDANT_FAILPOINTS` plans; whether it plans anything. Raises Misconfigured."""
    text = environ.get(VARIABLE, "")
    if text:
        arm(parse(text))
    return bool(text)
