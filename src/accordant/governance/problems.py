"""Everything that is wrong with an estate, each with its place in the file, said at once."""

from typing import Final

from accordant.kernel.errors import Misconfigured

PROBLEMS_MAX: Final = 50
SHOWN_MAX: Final = 100
"""How many characters of a file a problem repeats."""

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
        said, mend = cut(what), cut(fix, 200)
        self._problems.add(f"{self.name}:{at[0]}:{at[1]}: {code}: {said} – expected {expected} – {mend}")

    def unreadable(self, failed: OSError) -> None:
        """Note that the file could not even be opened."""
        what = "no such file" if isinstance(failed, FileNotFoundError) else failed.strerror or "it cannot be opened"
        code = "estate.file_missing" if isinstance(failed, FileNotFoundError) else "estate.file_unreadable"
        fix = "create it" if isinstance(failed, FileNotFoundError) else "put a file there that may be read"
        self.problem((1, 1), code, what=what, expected="a file", fix=fix)


def cut(text: str, chars: int = SHOWN_MAX) -> str:
    """At most so many characters, all of them visible: what stands in a file may be anything."""
    plain = "".join(char if char.isprintable() else "�" for char in text[:chars])
    return plain if len(text) <= chars else plain[: chars - 1] + "…"
