"""The long campaign: named parts that run side by side, keep what they measured, and are not run again in vain.

A part that passed stands until the code it looked at changes. Each part has a budget of time; one that exceeds it is
stopped and has failed.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from accordant.kernel.clock import Clock, utc_text

State = Literal["passed", "failed", "absent"]
RESULTS_VARIABLE = "ACCORDANT_CAMPAIGN_RESULTS"
"""Names the folder in which a part may leave figures: JSON files of the form {"part": …, "figures": {…}}."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a part came to."""

    state: State
    figures: Mapping[str, Any] = {}
    said: str = ""
    """The last words, where something is wrong."""


Runner = Callable[[Path, float], Outcome]
"""`run(folder for extra figures, seconds it may take)`."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the campaign."""

    name: str
    budget_s: float
    run: Runner
    looks_at: tuple[Path, ...]
    """Files and folders on which its result depends."""


class PartResult(msgspec.Struct, frozen=True, kw_only=True):
    """The stored result of a part."""

    part: str
    state: State
    began_at: str
    duration_s: float
    budget_s: float
    commit: str
    fingerprint: str
    figures: Mapping[str, Any] = {}
    said: str = ""


class Campaign:
    """Runs parts, and keeps one result file for each in a folder."""

    def __init__(self, folder: Path, *, clock: Clock, commit: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._clock = clock
        self._commit = commit
        self._say = say
        self._storing = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, parts: Sequence[Part], *, again: bool, side_by_side: int) -> list[PartResult]:
        """Every part's result, in order; those that stand are not run again unless asked for."""
        with ThreadPoolExecutor(side_by_side) as pool:
            running = [pool.submit(self._result, part, again=again) for part in parts]
            return [one.result() for one in running]

    def result_of(self, name: str) -> PartResult | None:
        """The stored result; None for a part that never ran to its end."""
        file = self._folder / f"{name}.json"
        return msgspec.json.decode(file.read_bytes(), type=PartResult) if file.exists() else None

    def _result(self, part: Part, *, again: bool) -> PartResult:
        mark = fingerprint(part.looks_at)
        stored = self.result_of(part.name)
        if stored and stored.state == "passed" and stored.fingerprint == mark and not again:
            self._say(f"{part.name}: stands since {stored.began_at[:19]}")
            return stored
        self._say(f"{part.name}: begins, at most {part.budget_s / 60:.0f} min")
        began_ms, began_s = self._clock.now_ms(), self._clock.monotonic_s()
        outcome = self._run(part)
        result = PartResult(
            part=part.name,
            state=outcome.state,
            began_at=utc_text(began_ms),
            duration_s=round(self._clock.monotonic_s() - began_s, 1),
            budget_s=part.budget_s,
            commit=self._commit,
            fingerprint=mark,
            figures=outcome.figures,
            said=outcome.said[-4000:],
        )
        self._store(result)
        self._say(f"{part.name}: {result.state} after {result.duration_s:.0f} s")
        return result

    def _run(self, part: Part) -> Outcome:
        extra = self._folder / "figures" / part.name
        extra.mkdir(parents=True, exist_ok=True)
        for left in extra.glob("*.json"):
            left.unlink()
        outcome = part.run(extra, part.budget_s)
        return msgspec.structs.replace(outcome, figures={**outcome.figures, **extra_figures(extra)})

    def _store(self, result: PartResult) -> None:
        """All or nothing, so that a stopped campaign leaves no half a result."""
        with self._storing:
            file = self._folder / f"{result.part}.json"
            new = file.with_suffix(".new")
            new.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2))
            new.replace(file)


def extra_figures(folder: Path) -> dict[str, Any]:
    """What tests left in the folder, by the name that they gave it; counts of the same name are added up."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("*.json")):
        told = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
        mine = found.setdefault(str(told.get("part", file.stem)), {})
        for name, value in told.get("figures", {}).items():
            counted = isinstance(value, int) and not isinstance(value, bool) and isinstance(mine.get(name), int)
            mine[name] = mine[name] + value if counted else value
    return found


def fingerprint(paths: Iterable[Path]) -> str:
    """One mark for the contents of files and folders; a changed byte changes it."""
    mark = sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                mark.update(str(file).encode() + b"\0" + sha256(file.read_bytes()).digest())
    return mark.hexdigest()[:32]
