"""Pages of a listing, and the ways in which pages go wrong while somebody writes to the list."""

from collections.abc import Callable
from random import Random
from typing import Literal

import msgspec

from accordant.connector.sandbox.exchange import Record

PageFault = Literal["page_repeated", "page_overlap", "page_reordered"]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one page; `next_start` is where an offset cursor goes on, None after the last row."""

    rows: list[Record]
    next_start: int | None


class Mischief(msgspec.Struct, frozen=True, kw_only=True):
    """The page faults drawn for one request."""

    rng: Random
    drawn: Callable[[PageFault], bool]


def take_page(rows: list[Record], *, start: int, limit: int, mischief: Mischief | None) -> Page:
    """Rows from `start`, at most `limit`.

    No fault loses a row: a repeated or overlapping page is the same window moved back, so that both an offset cursor
    (`next_start`) and a cursor read from the last row go on from there.
    """
    if mischief is None:
        return _window(rows, start, limit=limit)
    if mischief.drawn("page_repeated"):
        page = _window(rows, max(0, start - limit), limit=limit)
        # The first page has no predecessor: its cursor stands still instead.
        page = page if start else Page(rows=page.rows, next_start=0 if page.next_start is not None else None)
    elif start and mischief.drawn("page_overlap"):
        page = _window(rows, max(0, start - max(1, limit // 4)) if limit > 1 else start, limit=limit)
    else:
        page = _window(rows, start, limit=limit)
    return _shuffled(page, mischief.rng) if mischief.drawn("page_reordered") else page


def _window(rows: list[Record], start: int, *, limit: int) -> Page:
    stop = start + limit
    return Page(rows=rows[start:stop], next_start=stop if stop < len(rows) else None)


def _shuffled(page: Page, rng: Random) -> Page:
    """All rows but the last, which keeps its place because cursors are read from it."""
    rows = page.rows[:-1]
    rng.shuffle(rows)
    return Page(rows=rows + page.rows[-1:], next_start=page.next_start)
