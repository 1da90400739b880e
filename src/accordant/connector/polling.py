"""Asks a vendor again and again what is new, and misses nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from accordant.connector.capabilities import Row, Stream
from accordant.kernel.clock import Clock


class PollPorts(msgspec.Struct, frozen=True, kw_only=True):
    """Where polled rows and cursors go."""

    keep: Callable[[Sequence[Row]], Awaitable[None]]
    """Commits the rows to the inbox, which drops the deliveries it has; nothing is kept unless it returns."""
    load_cursor: Callable[[], Awaitable[str]]
    """Empty text before the first poll."""
    save_cursor: Callable[[str], Awaitable[None]]
    failed: Callable[[Exception, int], None]
    """Told of each failed poll and how many failed in a row."""


class PollDeps(msgspec.Struct, frozen=True, kw_only=True):
    """Time and randomness."""

    clock: Clock
    rng: random.Random


class Poller:
    """Drives one stream for ever. `client` is what the stream's `poll` is called with."""

    def __init__(
        self, stream: Stream, client: Any, *, ports: PollPorts, deps: PollDeps, remembered: int = 50_000
    ) -> None:
        raise NotImplementedError

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop; a failing poll is reported, waited out and repeated."""
        raise NotImplementedError

    async def poll_once(self) -> int:
        """One pass from the cursor to the end; how many rows were kept. The cursor moves only after all of them were."""
        raise NotImplementedError
