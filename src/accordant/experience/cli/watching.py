"""What people see while a run is under way: a moving bar on a terminal, a few plain lines in a pipe."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from accordant.experience.cli.screen import clean
from accordant.launch.progress import Progress

_LINE_EVERY_S = 5.0


class Watching:
    """Shows a run on the error output, so that what is printed in the end can be piped on."""

    def __init__(self, *, silent: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, emoji=False, quiet=silent)
        self._bar = Bar(
            TextColumn("{task.description:<14}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rest]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=silent or not self._console.is_terminal,
        )
        self._tasks: dict[str, int] = {}
        self._began = time.monotonic()
        self._next_line_s = 0.0
        self._phase = ""

    def __enter__(self) -> "Watching":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, sentence: str) -> None:
        """Something happened that a person should know."""
        self._console.print(Text(clean(sentence)), soft_wrap=not self._console.is_terminal)

    def look(self, phase: str, now: Progress, *, goal: int) -> None:
        """How far it has come."""
        if self._console.is_terminal:
            self._move(phase, now, goal=goal)
            return
        elapsed_s = time.monotonic() - self._began
        if phase != self._phase or elapsed_s >= self._next_line_s:
            self._phase, self._next_line_s = phase, elapsed_s + _LINE_EVERY_S
            self._console.print(f"{elapsed_s:6.1f} s  {phase}: {_counts(now, goal)}", soft_wrap=True)

    def _move(self, phase: str, now: Progress, *, goal: int) -> None:
        if phase not in self._tasks:
            for before in self._tasks.values():
                self._bar.stop_task(before)  # pyright: ignore[reportArgumentType]
            self._tasks[phase] = self._bar.add_task(phase, total=goal, rest="")
        rest = f"open {now.open_exceptions}" + (f", unchecked {now.unverified}" if now.unverified else "")
        self._bar.update(self._tasks[phase], completed=min(now.ended, goal), total=goal, rest=rest)  # pyright: ignore[reportArgumentType]


def _counts(now: Progress, goal: int) -> str:
    done = now.by_state.get("completed", 0)
    return f"{done:,} of {goal:,} deals completed, {now.open_exceptions:,} open, {now.unverified:,} to be read back"
