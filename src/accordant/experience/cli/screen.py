"""What people see on a terminal: no colour carries meaning alone, and only what is verified is green."""

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from accordant.kernel.clock import utc_text
from accordant.kernel.errors import AccordantError
from accordant.kernel.money import Money

PIPE_WIDTH = 120
"""Columns where the output is no terminal and nothing else is said (`COLUMNS`)."""

_MARKS = {
    "verified": ("✔", "v"),
    "confirmed": ("●", "o"),
    "superseded": ("○", "-"),
    "sent": ("…", "~"),
    "intended": ("·", "."),
    "unknown": ("?", "?"),
    "rejected": ("✘", "x"),
    "different": ("≠", "!"),
    "absent": ("∅", "0"),
    "arrived": ("▶", ">"),
    "decided": ("◆", "*"),
    "waiting": ("⏸", "="),
    "exception": ("⚑", "!"),
    "released": ("↻", "^"),
    "retried": ("↻", "^"),
    "resolved": ("↻", "^"),
    "replayed": ("↻", "^"),
    "completed": ("■", "#"),
    "compensated": ("■", "#"),
    "cancelled": ("■", "#"),
    "rule": ("│", "|"),
    "dot": ("·", "-"),
    "cut": ("…", "~"),
}
_STYLES = {
    "verified": "green",
    "unknown": "yellow",
    "sent": "yellow",
    "waiting": "yellow",
    "running": "cyan",
    "rejected": "red",
    "different": "red",
    "exception": "red",
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
}


class Screen:
    """The terminal, or the pipe, that a command writes to."""

    def __init__(self, *, errors: bool = False) -> None:
        stream = sys.stderr if errors else sys.stdout
        self.console = Console(file=stream, highlight=False, markup=False, emoji=False)
        if not self.console.is_terminal and self.console.width == 80 and "COLUMNS" not in self.console._environ:  # pyright: ignore[reportPrivateUsage]
            self.console.width = PIPE_WIDTH
        self._plain = not (self.console.encoding or "").lower().startswith("utf")

    @property
    def width(self) -> int:
        """Columns."""
        return self.console.width

    def mark(self, word: str) -> str:
        """The symbol of a state; in letters where the output cannot show symbols."""
        fancy, plain = _MARKS.get(word, ("•", "-"))
        return plain if self._plain else fancy

    def say(self, text: str, *, style: str = "") -> None:
        """One paragraph, wrapped at the width; control characters are shown, not obeyed."""
        self.console.print(Text(clean(text), style=style), soft_wrap=not self.console.is_terminal)

    def print(self, text: Text) -> None:
        """A prepared line; it is never broken, because whoever prepared it knows the width."""
        self.console.print(text, soft_wrap=True)


def style_of(word: str) -> str:
    """The colour of a state."""
    return _STYLES.get(word, "")


def cell(text: str, style: str = "") -> Text:
    """A table cell; never read as markup."""
    return Text(clean(text), style=style)


def clean(text: str) -> str:
    """Text of unknown origin as it may be printed: line ends stay, other control characters become visible."""
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in text)


def money_text(amount_minor: int | None, currency: str) -> str:
    """`1,054.00 USD`; empty where no amount is known."""
    if amount_minor is None or not currency:
        return ""
    try:
        return str(Money(amount_minor, currency))
    except AccordantError:
        return f"{amount_minor} minor units of {currency}"


def instant_text(at_ms: int) -> str:
    """`2026-11-21 12:00:00 UTC`."""
    return utc_text(at_ms)[:19].replace("T", " ") + " UTC"


def age_text(age_ms: int) -> str:
    """`420 ms`, `12.3 s`, `5 min`, `3 h`, `12 d`."""
    if age_ms < 1000:
        return f"{max(age_ms, 0)} ms"
    if age_ms < 60_000:
        return f"{age_ms / 1000:.1f} s"
    for size_ms, unit, limit in ((60_000, "min", 60), (3_600_000, "h", 48)):
        if age_ms < size_ms * limit:
            return f"{age_ms // size_ms} {unit}"
    return f"{age_ms // 86_400_000} d"


def write_json(value: Any) -> None:
    """The answer for a program: one JSON document, indented, UTF-8."""
    body = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2)
    sys.stdout.write(body.decode() + "\n")


def listing(words: Sequence[str], *, none: str = "none") -> str:
    """`a, b, c`."""
    return ", ".join(words) or none
