"""Reading a long answer page by page, however the vendor cuts it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from accordant.kernel.errors import Unavailable

Page = TypeVar("Page")
PAGES_MAX = 100_000


async def by_cursor(
    fetch: Callable[[str | None], Awaitable[Page]],
    next_cursor: Callable[[Page], str | None],
    *,
    pages_max: int = PAGES_MAX,
) -> AsyncGenerator[Page]:
    """`fetch(None)`, then `fetch(cursor)` until a page names no next one.

    Serves links as well: a cursor is then the link of the next page (see `path_of_link`).

    Raises:
        Unavailable: the cursors go in a circle, or there are more than `pages_max` pages.
    """
    cursor: str | None = None
    landmark: str | None = None  # one earlier cursor, moved at powers of two: finds every circle in constant memory
    for number in range(1, pages_max + 1):
        page = await fetch(cursor)
        yield page
        cursor = next_cursor(page)
        if not cursor:
            return
        if cursor == landmark:
            raise _endless("names a page again that was read already", number)
        if number & (number - 1) == 0:
            landmark = cursor
    raise _endless("has no end", pages_max)


async def by_offset(
    fetch: Callable[[int], Awaitable[Page]], rows: Callable[[Page], int], *, size: int, pages_max: int = PAGES_MAX
) -> AsyncGenerator[Page]:
    """`fetch(0)`, `fetch(size)` … until a page has fewer than `size` rows.

    Raises:
        Unavailable: there are more than `pages_max` pages.
    """
    for number in range(pages_max):
        page = await fetch(number * size)
        yield page
        if rows(page) < size:
            return
    raise _endless("has no end", pages_max)


def path_of_link(link: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path (still encoded) and query of a link to the next page; the host it names is never called."""
    parts = urlsplit(link)
    return parts.path, tuple(parse_qsl(parts.query, keep_blank_values=True))


def _endless(what: str, pages: int) -> Unavailable:
    unavailable = Unavailable(f"the list {what} after {pages} pages", detail={"pages": pages})
    unavailable.code = "vendor.endless_list"
    return unavailable
