"""Reading a long answer page by page, however the vendor cuts it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

Page = TypeVar("Page")
PAGES_MAX = 100_000


def by_cursor(
    fetch: Callable[[str | None], Awaitable[Page]],
    next_cursor: Callable[[Page], str | None],
    *,
    pages_max: int = PAGES_MAX,
) -> AsyncIterator[Page]:
    """`fetch(None)`, then `fetch(cursor)` until a page names no next one; a cursor that repeats ends in Unavailable.

    Serves links as well: a cursor is then the path of the next page (see `path_of_link`).
    """
    raise NotImplementedError


def by_offset(
    fetch: Callable[[int], Awaitable[Page]], rows: Callable[[Page], int], *, size: int, pages_max: int = PAGES_MAX
) -> AsyncIterator[Page]:
    """`fetch(0)`, `fetch(size)` … until a page has fewer than `size` rows."""
    raise NotImplementedError


def path_of_link(link: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path and query of a link to the next page; the host it names is never called."""
    raise NotImplementedError
