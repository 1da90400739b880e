"""Polling misses nothing, whatever the pages look like and wherever the process dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accordant.connector.capabilities import Row, Stream
from accordant.connector.polling import Poller, PollPorts
from accordant.kernel.clock import utc_text
from accordant.kernel.errors import Misconfigured, RateLimited

NOON_MS = 1_795_262_400_000


def row(name: str, second: float, body: bytes = b"{}") -> Row:
    at = utc_text(NOON_MS + round(second * 1000))
    return Row(delivery_id=f"{name}@{at}", sequence=at, body=body)


class Source:
    """A vendor's table; a poll serves what is at or after `since` in pages of two."""

    def __init__(self, *rows: Row) -> None:
        self.rows = list(rows)
        self.since: list[str] = []
        self.shuffle: random.Random | None = None
        self.fail_at_page: int | None = None

    async def poll(self, client: Any, since: str) -> AsyncIterator[list[Row]]:
        self.since.append(since)
        found = sorted((row for row in self.rows if row.sequence >= since), key=lambda row: row.sequence)
        pages = [found[at : at + 2] for at in range(0, len(found), 2)]
        if self.shuffle:
            pages += self.shuffle.choices(pages, k=len(pages)) if pages else []
            self.shuffle.shuffle(pages)
        for number, page in enumerate(pages):
            await asyncio.sleep(0)
            if number == self.fail_at_page:
                raise RateLimited("slow down", retry_after_s=0.01)
            yield page

    def stream(self, look_back_s: float = 60, every_s: float = 0.001) -> Stream:
        return Stream(name="Opportunity", poll=self.poll, look_back_s=look_back_s, every_s=every_s)


class Inbox:
    """Where rows go; `crash_after` pages it stops keeping."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.ids: set[str] = set()
        self.cursor = ""
        self.saved: list[str] = []
        self.crash_after: int | None = None
        self.crash_on_save = False
        self.failures: list[tuple[Exception, int]] = []
        self.now_ms: Callable[[], int] | None = None

    async def keep(self, rows: Sequence[Row]) -> None:
        if self.crash_after is not None and len(self.calls) >= self.crash_after:
            raise OSError("the database went away")
        self.calls.append([row.delivery_id for row in rows])
        self.ids.update(self.calls[-1])

    async def load(self) -> str:
        return self.cursor

    async def save(self, cursor: str) -> None:
        if self.crash_on_save:
            raise OSError("the database went away")
        self.cursor = cursor
        self.saved.append(cursor)

    def poller(self, stream: Stream, **more: Any) -> Poller:
        ports = PollPorts(
            keep=self.keep,
            load_cursor=self.load,
            save_cursor=self.save,
            failed=lambda error, count: self.failures.append((error, count)),
            now_ms=self.now_ms,
        )
        return Poller(stream, None, ports=ports, rng=random.Random(1), **more)


async def test_a_row_of_the_future_does_not_hide_what_comes_before_it() -> None:
    source, inbox = Source(row("a", 0), row("odd", 10 * 365 * 86_400)), Inbox()
    inbox.now_ms = lambda: NOON_MS
    poller = inbox.poller(source.stream())
    assert await poller.poll_once() == 2
    source.rows.append(row("b", 3_600))
    assert await poller.poll_once() == 1
    assert inbox.cursor == utc_text(NOON_MS + 3_600_000)


async def test_rows_are_kept_then_the_cursor_moves() -> None:
    source, inbox = Source(row("a", 0), row("b", 1), row("c", 2)), Inbox()
    assert await inbox.poller(source.stream()).poll_once() == 3
    assert [len(call) for call in inbox.calls] == [2, 1]
    assert inbox.saved == [row("c", 2).sequence]
    assert source.since == [""]


async def test_rows_at_the_cursors_own_instant_are_not_missed() -> None:
    source, inbox = Source(row("a", 0)), Inbox()
    poller = inbox.poller(source.stream(look_back_s=0))
    await poller.poll_once()
    source.rows.append(row("b", 0))
    assert await poller.poll_once() == 1
    assert inbox.ids == {row("a", 0).delivery_id, row("b", 0).delivery_id}


async def test_rows_that_appear_late_are_found_within_the_look_back() -> None:
    source, inbox = Source(row("a", 100)), Inbox()
    poller = inbox.poller(source.stream())
    await poller.poll_once()
    source.rows += [row("late", 41), row("too late", 39)]
    await poller.poll_once()
    assert source.since[1] == row("", 40).sequence
    assert row("late", 41).delivery_id in inbox.ids
    assert row("too late", 39).delivery_id not in inbox.ids


async def test_an_idle_poll_keeps_and_saves_nothing() -> None:
    source, inbox = Source(*(row(f"r{number}", number) for number in range(9))), Inbox()
    poller = inbox.poller(source.stream())
    await poller.poll_once()
    calls = len(inbox.calls)
    for _ in range(3):
        assert await poller.poll_once() == 0
    assert len(inbox.calls) == calls
    assert len(inbox.saved) == 1


async def test_a_version_that_changed_within_one_tick_is_news() -> None:
    source, inbox = Source(row("a", 0, b'{"n":1}')), Inbox()
    poller = inbox.poller(source.stream())
    await poller.poll_once()
    source.rows = [row("a", 0, b'{"n":2}')]
    assert await poller.poll_once() == 1


async def test_what_is_remembered_is_bounded() -> None:
    source, inbox = Source(*(row(f"r{number}", number) for number in range(20))), Inbox()
    poller = inbox.poller(source.stream(), remembered_max=5)
    await poller.poll_once()
    assert len(poller._kept) == 5
    await poller.poll_once()
    assert len(inbox.ids) == 20


async def test_a_crash_while_keeping_leaves_the_cursor_and_loses_nothing() -> None:
    source, inbox = Source(*(row(f"r{number}", number) for number in range(6))), Inbox()
    inbox.crash_after = 2
    poller = inbox.poller(source.stream())
    with pytest.raises(OSError, match="went away"):
        await poller.poll_once()
    assert inbox.cursor == ""
    inbox.crash_after = None
    await poller.poll_once()
    assert len(inbox.ids) == 6


async def test_a_crash_between_keeping_and_saving_repeats_and_loses_nothing() -> None:
    source, inbox = Source(row("a", 0), row("b", 1)), Inbox()
    inbox.crash_on_save = True
    with pytest.raises(OSError, match="went away"):
        await inbox.poller(source.stream()).poll_once()
    inbox.crash_on_save = False
    await inbox.poller(source.stream()).poll_once()
    assert inbox.calls == [[row("a", 0).delivery_id, row("b", 1).delivery_id]] * 2
    assert inbox.cursor == row("b", 1).sequence


async def test_pages_out_of_order_do_not_move_the_cursor_past_what_is_to_come() -> None:
    """The newest page comes first and the poll breaks after it: the older rows are far outside the look-back."""
    source, inbox = Source(row("old", 0), row("old 2", 1), row("new", 9_000), row("new 2", 9_001)), Inbox()
    poll = source.poll

    async def newest_first(client: Any, since: str) -> AsyncIterator[list[Row]]:
        pages = [page async for page in poll(client, since)]
        yield pages[-1]
        raise RateLimited("slow down")

    stream = Stream(name="s", poll=newest_first, look_back_s=60)
    with pytest.raises(RateLimited):
        await inbox.poller(stream).poll_once()
    await inbox.poller(source.stream()).poll_once()
    assert len(inbox.ids) == 4


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), seconds=st.lists(st.integers(0, 30), min_size=1, max_size=25))
def test_repeated_overlapping_and_shuffled_pages_lose_nothing(seed: int, seconds: list[int]) -> None:
    async def play() -> None:
        rng = random.Random(seed)
        source, inbox = Source(), Inbox()
        source.shuffle = rng
        poller = inbox.poller(source.stream(look_back_s=30))
        for number, second in enumerate(seconds):
            source.rows.append(row(f"r{number}", second))
            source.fail_at_page = rng.choice([None, 0, 1, 3])
            if rng.random() < 0.2:
                poller = inbox.poller(source.stream(look_back_s=30))
            try:
                await poller.poll_once()
            except RateLimited:
                continue
        source.fail_at_page = None
        await poller.poll_once()
        assert inbox.ids == {row.delivery_id for row in source.rows}
        assert inbox.saved == sorted(inbox.saved), "the cursor never goes back"

    asyncio.run(play())


async def test_a_cursor_that_is_no_instant_needs_a_stream_without_look_back() -> None:
    source, inbox = Source(), Inbox()
    inbox.cursor = "page-7"
    await inbox.poller(source.stream(look_back_s=0)).poll_once()
    assert source.since == ["page-7"]
    with pytest.raises(Misconfigured):
        await inbox.poller(source.stream()).poll_once()


async def test_a_failing_poll_is_reported_and_repeated_until_it_works() -> None:
    source, inbox, stop = Source(row("a", 0)), Inbox(), asyncio.Event()
    source.fail_at_page = 0
    running = asyncio.create_task(inbox.poller(source.stream()).run(stop))
    while len(inbox.failures) < 2:
        await asyncio.sleep(0.005)
    source.fail_at_page = None
    while not inbox.saved:
        await asyncio.sleep(0.005)
    assert [count for _, count in inbox.failures] == list(range(1, len(inbox.failures) + 1))
    stop.set()
    await asyncio.wait_for(running, 1)


async def test_a_stop_ends_the_wait_between_polls_at_once() -> None:
    source, inbox, stop = Source(row("a", 0)), Inbox(), asyncio.Event()
    running = asyncio.create_task(inbox.poller(source.stream(every_s=3600)).run(stop))
    while not inbox.saved:
        await asyncio.sleep(0.005)
    stop.set()
    await asyncio.wait_for(running, 1)
    assert not inbox.failures


async def test_a_stop_ends_a_read_that_hangs_and_closes_it() -> None:
    inbox, stop, closed = Inbox(), asyncio.Event(), asyncio.Event()

    async def hang(client: Any, since: str) -> AsyncIterator[list[Row]]:
        try:
            yield [row("a", 0)]
            await asyncio.sleep(3600)
            yield []
        finally:
            closed.set()

    running = asyncio.create_task(inbox.poller(Stream(name="s", poll=hang, look_back_s=1)).run(stop))
    while not inbox.calls:
        await asyncio.sleep(0.005)
    stop.set()
    await asyncio.wait_for(running, 1)
    assert closed.is_set()
    assert inbox.saved == [], "the pass did not reach its end"
    assert not inbox.failures


async def test_a_stop_lets_rows_be_kept_first() -> None:
    source, inbox, stop = Source(row("a", 0), row("b", 1), row("c", 2)), Inbox(), asyncio.Event()
    keep, keeping = inbox.keep, asyncio.Event()

    async def slowly(rows: Sequence[Row]) -> None:
        keeping.set()
        await asyncio.sleep(0.05)
        await keep(rows)

    inbox.keep = slowly
    running = asyncio.create_task(inbox.poller(source.stream()).run(stop))
    await keeping.wait()
    stop.set()
    await asyncio.wait_for(running, 1)
    assert len(inbox.calls) == 1
    assert inbox.saved == []


async def test_the_process_being_ended_ends_the_poller() -> None:
    source, inbox = Source(), Inbox()
    running = asyncio.create_task(inbox.poller(source.stream()).run(asyncio.Event()))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
