"""Asks a vendor again and again what is new, and misses nothing.

Each pass begins some time before the cursor, because rows can appear late, and at the cursor itself, because several
rows can bear one timestamp. The cursor moves once per pass, after its last row was kept: pages may come in any order,
so a row seen says nothing about the rows before it. What is seen again is dropped here where it was kept lately, and by
the inbox for ever.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from accordant.connector.capabilities import Row, Stream
from accordant.connector.retry import full_jitter_s
from accordant.kernel.clock import parse_utc_ms, utc_text
from accordant.kernel.errors import Misconfigured, Retryable
from accordant.kernel.failpoints import around

REMEMBERED_MAX = 10_000
BACK_OFF_S_MAX = 60.0
RETRY_AFTER_S_MAX = 900.0
AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""
_LAST = chr(0x10FFFF)


class PollPorts(msgspec.Struct, frozen=True, kw_only=True):
    """Where polled rows and cursors go."""

    keep: Callable[[Sequence[Row]], Awaitable[None]]
    """Commits the rows to the inbox, which drops the deliveries it has; nothing is kept unless it returns."""
    load_cursor: Callable[[], Awaitable[str]]
    """Empty text before the first poll."""
    save_cursor: Callable[[str], Awaitable[None]]
    failed: Callable[[Exception, int], None]
    """Told of each failed poll and how many failed in a row."""
    now_ms: Callable[[], int] | None = None
    """Keeps the cursor of a stream of instants from running ahead of the clock; None: it follows every row."""


class Poller:
    """Drives one stream for ever. `client` is what the stream's `poll` is called with."""

    def __init__(
        self,
        stream: Stream,
        client: Any,
        *,
        ports: PollPorts,
        rng: random.Random,
        remembered_max: int = REMEMBERED_MAX,
    ) -> None:
        self._stream = stream
        self._client = client
        self._ports = ports
        self._rng = rng
        self._remembered_max = remembered_max
        self._kept: OrderedDict[int, None] = OrderedDict()

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop; a failing poll is reported, waited out and repeated.

        A stop ends the wait between polls and a read under way at once; rows being kept are kept first.
        """
        failures = 0
        while not stop.is_set():
            try:
                await self.poll_once(stop)
                failures = 0
                wait_s = self._stream.every_s
            except Exception as error:  # noqa: BLE001 - whatever it was, it is reported, waited out and tried again
                failures += 1
                wait_s = self._back_off_s(error, failures)
                self._ports.failed(error, failures)
            await _until(stop, wait_s)

    async def poll_once(self, stop: asyncio.Event | None = None) -> int:
        """One pass from the cursor to the end; how many rows were kept. Interrupted by `stop` the cursor stays."""
        with around("poll.begin"):
            cursor = await self._ports.load_cursor()
        pages = self._stream.poll(self._client, self._since(cursor))
        newest, latest = cursor, self._latest()
        kept = 0
        try:
            while (page := await _next_page(pages, stop)) is not None:
                kept += await self._keep(page)
                newest = max(newest, max((row.sequence for row in page if row.sequence <= latest), default=""))
            if stop is not None and stop.is_set():
                return kept
        finally:
            close = getattr(pages, "aclose", None)
            if close is not None:
                await close()
        if newest != cursor:
            await self._ports.save_cursor(newest)
        return kept

    async def _keep(self, page: Sequence[Row]) -> int:
        """Keep what was not kept lately. The body counts too: a version that changed within one tick is news."""
        fresh: dict[int, Row] = {}
        for row in page:
            mark = hash((row.delivery_id, row.body))
            if mark in self._kept:
                self._kept.move_to_end(mark)
            else:
                fresh[mark] = row
        if not fresh:
            return 0
        with around("poll.keep"):
            await self._ports.keep(list(fresh.values()))
        for mark in fresh:
            self._kept[mark] = None
        while len(self._kept) > self._remembered_max:
            self._kept.popitem(last=False)
        return len(fresh)

    def _latest(self) -> str:
        """Beyond it no row moves the cursor: one stamped in the future would hide everything until that day."""
        if self._ports.now_ms is None or not self._stream.look_back_s:
            return _LAST
        return utc_text(self._ports.now_ms() + AHEAD_MS_MAX)

    def _since(self, cursor: str) -> str:
        """The cursor, moved back by the stream's look-back."""
        if not cursor or not self._stream.look_back_s:
            return cursor
        try:
            return utc_text(parse_utc_ms(cursor) - round(self._stream.look_back_s * 1000))
        except (ValueError, OverflowError):
            message = f"stream {self._stream.name}: {cursor[:40]!r} is no RFC 3339 instant, so nothing can precede it"
            raise Misconfigured(message, code="stream.cursor", hint="Set look_back_s = 0.") from None

    def _back_off_s(self, error: Exception, failures: int) -> float:
        wait_s = self._stream.every_s + full_jitter_s(failures, self._rng, base_s=0.5, cap_s=BACK_OFF_S_MAX)
        asked_s = error.retry_after_s if isinstance(error, Retryable) else None
        return max(wait_s, min(asked_s or 0.0, RETRY_AFTER_S_MAX))


async def _until(stop: asyncio.Event, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await stop.wait()
    except TimeoutError:
        return


async def _next_page(pages: AsyncIterator[list[Row]], stop: asyncio.Event | None) -> list[Row] | None:
    """The next page; None after the last one, or when told to stop meanwhile."""
    if stop is None:
        return await anext(pages, None)
    if stop.is_set():
        return None
    reading = asyncio.ensure_future(_page(pages))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return reading.result()
        return None
    finally:
        stopping.cancel()
        if not reading.done():
            reading.cancel()
            await asyncio.wait({reading})


async def _page(pages: AsyncIterator[list[Row]]) -> list[Row] | None:
    return await anext(pages, None)
