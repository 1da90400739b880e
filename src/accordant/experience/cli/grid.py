"""Tables that fit: ids and states are never cut, long names give way, and optional columns leave where it is narrow."""

from collections.abc import Sequence
from itertools import zip_longest

import msgspec
from rich.cells import cell_len
from rich.text import Text

from accordant.experience.cli.screen import Screen, cell

_GAP = 2
_LEAST = 8


class Column(msgspec.Struct, frozen=True):
    """One column and its manners."""

    name: str
    is_whole: bool = False
    """Never cut and never wrapped."""
    wraps: bool = False
    """Long text goes on below; else its end is cut."""
    is_right: bool = False
    is_optional: bool = False
    """Left out where the others would not have enough room."""


Row = Sequence[Text | str]


def print_grid(screen: Screen, columns: Sequence[Column], *, rows: Sequence[Row], header: bool = True) -> None:
    """Print rows under their columns' names; a column that is empty in every row is left out."""
    texts = [[one if isinstance(one, Text) else cell(one) for one in row] for row in rows]
    places = [n for n in range(len(columns)) if any(row[n].plain for row in texts)]
    natural = {n: max(_length(row[n]) for row in texts) for n in places}
    if header:
        natural = {n: max(length, cell_len(columns[n].name)) for n, length in natural.items()}
    places = _fitting(columns, places, natural=natural, width=screen.width)
    widths = _shared_out(columns, places, natural=natural, width=screen.width)
    if header:
        names = [cell(columns[n].name, "dim") for n in places]
        _print_row(screen, [columns[n] for n in places], cells=names, widths=widths)
    for row in texts:
        _print_row(screen, [columns[n] for n in places], cells=[row[n] for n in places], widths=widths)


def _length(text: Text) -> int:
    return max((cell_len(line) for line in text.plain.split("\n")), default=0)


def _fitting(columns: Sequence[Column], places: list[int], *, natural: dict[int, int], width: int) -> list[int]:
    """Without optional columns, the last one first, until everyone else has room."""
    left = list(places)
    for n in reversed(places):
        needed = sum(natural[one] if columns[one].is_whole else min(natural[one], 2 * _LEAST) for one in left)
        if needed + _GAP * (len(left) - 1) <= width:
            break
        if columns[n].is_optional:
            left.remove(n)
    return left


def _shared_out(columns: Sequence[Column], places: Sequence[int], *, natural: dict[int, int], width: int) -> list[int]:
    """Whole columns take what they need; the others share the rest, the modest ones first."""
    room = width - _GAP * (len(places) - 1)
    given = {n: natural[n] for n in places if columns[n].is_whole}
    room -= sum(given.values())
    flexible = sorted((n for n in places if n not in given), key=lambda n: natural[n])
    for served, n in enumerate(flexible):
        fair = room // (len(flexible) - served)
        given[n] = max(min(natural[n], fair), min(natural[n], _LEAST))
        room -= given[n]
    return [given[n] for n in places]


def _print_row(screen: Screen, columns: Sequence[Column], *, cells: Sequence[Text], widths: Sequence[int]) -> None:
    stacked = [
        _stack(screen, column, text=text, width=width)
        for column, text, width in zip(columns, cells, widths, strict=True)
    ]
    for parts in zip_longest(*stacked):
        line = Text()
        for n, (part, width) in enumerate(zip(parts, widths, strict=True)):
            text = part.copy() if part is not None else Text()
            space = " " * max(width - cell_len(text.plain), 0)
            line.append_text(Text(space).append_text(text) if columns[n].is_right else text.append(space))
            line.append(" " * _GAP)
        line.rstrip()
        screen.print(line)


def _stack(screen: Screen, column: Column, *, text: Text, width: int) -> list[Text]:
    if column.wraps:
        lines = [line for part in text.split("\n") for line in part.wrap(screen.console, width)]
        for line in lines:
            line.rstrip()
        return lines
    if cell_len(text.plain) > width:
        text = text.copy()
        text.truncate(max(width - 1, 1))
        text.rstrip()
        text.append(screen.mark("cut"))
    return [text]
