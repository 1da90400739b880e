"""A long list is read to its end, and a list without an end is not read for ever."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from accordant.connector.paging import by_cursor, by_offset, path_of_link
from accordant.kernel.errors import Unavailable


async def read_all(pages: AsyncIterator[Any]) -> None:
    async for _ in pages:
        pass


async def test_cursors_are_followed_to_the_end() -> None:
    pages = {None: ([1, 2], "b"), "b": ([3], "c"), "c": ([4], None)}
    asked: list[str | None] = []

    async def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        asked.append(cursor)
        return pages[cursor]

    rows = [row async for page in by_cursor(fetch, lambda page: page[1]) for row in page[0]]
    assert rows == [1, 2, 3, 4]
    assert asked == [None, "b", "c"]


@pytest.mark.parametrize("lead", [0, 1, 5])
@pytest.mark.parametrize("circle", [1, 2, 7])
async def test_cursors_that_go_in_a_circle_are_noticed(lead: int, circle: int) -> None:
    asked = 0

    async def fetch(cursor: str | None) -> int:
        nonlocal asked
        asked += 1
        return 0 if cursor is None else int(cursor)

    def following(page: int) -> str:
        return str(page + 1 if page + 1 < lead + circle else lead)

    with pytest.raises(Unavailable) as caught:
        await read_all(by_cursor(fetch, following))
    assert asked < 100
    assert caught.value.code == "vendor.endless_list"


async def test_a_list_that_only_grows_is_cut_off() -> None:
    async def fetch(cursor: str | None) -> int:
        return int(cursor or 0)

    with pytest.raises(Unavailable):
        await read_all(by_cursor(fetch, lambda page: str(page + 1), pages_max=50))


@pytest.mark.parametrize(("total", "asked"), [(0, [0]), (9, [0]), (10, [0, 10]), (25, [0, 10, 20])])
async def test_offsets_are_counted_until_a_page_is_short(total: int, asked: list[int]) -> None:
    seen: list[int] = []

    async def fetch(offset: int) -> list[int]:
        seen.append(offset)
        return list(range(offset, min(offset + 10, total)))

    rows = [row async for page in by_offset(fetch, len, size=10) for row in page]
    assert rows == list(range(total))
    assert seen == asked


def test_of_a_link_only_path_and_query_are_used() -> None:
    link = "https://evil.example/api/v2/x%20y.json?page%5Bafter%5D=a%2Bb&empty="
    assert path_of_link(link) == ("/api/v2/x%20y.json", (("page[after]", "a+b"), ("empty", "")))
    assert path_of_link("/services/data/v61.0/query/01g-2000") == ("/services/data/v61.0/query/01g-2000", ())
