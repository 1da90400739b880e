"""Everything that is wrong with an estate, each with its place in the file, said at once."""

from typing import Final

from accordant.kernel.errors import Misconfigured

PROBLEMS_MAX: Final = 50

Place = tuple[int, int]
"""Line and column, both counted from 1."""


class Problems:
    """The list that grows while an estate is read."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def add(self, line: str) -> None:
        """Keep a line; beyond the fiftieth they are only counted."""
        if len(self._lines) < PROBLEMS_MAX:
            self._lines.append(line)
        else:
            self._more += 1

    def raise_if_any(self, what: str) -> None:
        """Refuse when something was found.

        Raises:
            Misconfigured: `detail["problems"]` holds the lines, `detail["more"]` how many were left out.
        """
        if not self._lines:
            return
        count = len(self._lines) + self._more
        shown = "\n".join(self._lines) + (f"\n… and {self._more} more" if self._more else "")
        raise Misconfigured(
            f"{what} has {count} {'problem' if count == 1 else 'problems'}:\n{shown}",
            hint="mend the lines named and try again; nothing was applied",
            detail={"problems": list(self._lines), "more": self._more},
        )


class File:
    """One file being read; knows its name in the estate and where its problems go."""

    def __init__(self, name: str, problems: Problems) -> None:
        self.name = name
        self._problems = problems
        self.is_sound = True

    def problem(self, at: Place, code: str, *, what: str, expected: str, fix: str) -> None:
        """Note a problem as `path:line:col: code: what – expected – how to fix`."""
        self.is_sound = False
        self._problems.add(f"{self.name}:{at[0]}:{at[1]}: {code}: {what} – expected {expected} – {fix}")
