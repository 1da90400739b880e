"""What one drive has learned and not written yet: the next thing that it writes takes it along, in one commit.

The confirmation of an effect that can be repeated safely (classes A and B) waits for nothing: a crash before it is
written repeats the same key or the same upsert, as a crash before the answer does. So it travels with whatever the
drive writes next. Nothing ends, sleeps, reads what it wrote itself, or lets go of a lock before all of it is durable.
"""

import asyncio
from collections.abc import Callable

from accordant.backbone.rows import EffectRow
from accordant.kernel.database import Changes, Committed, Writer

Kept = Callable[[bool], None]


class Carried:
    """The writing hand of one drive."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._changes = Changes()
        self._kept: list[Kept] = []
        self._posted: list[asyncio.Future[Committed]] = []
        """Groups on their way that took something along."""
        self._records: set[tuple[str, str, str]] = set()

    def take_along(self, changes: Changes, effect: EffectRow, *, kept: Kept) -> None:
        """Write the confirmation of an effect with the next; `kept` is told whether the database took it."""
        self._changes.include(changes)
        self._kept.append(kept)
        self._records.add(_record(effect))

    def holds(self, effect: EffectRow) -> bool:
        """Whether an earlier write to the same record may not be durable: repeated, it would undo this one."""
        return _record(effect) in self._records

    def post(self, changes: Changes, *, at: str) -> None:
        """Write it with the next group, and what is carried before it."""
        if self._kept:
            self._posted.append(self._hand_over(changes, at))
        else:
            self._writer.post(changes, at=at)

    async def commit(self, changes: Changes, *, at: str) -> None:
        """Return when this, and everything that was carried before, is durable. Raises like `Writer.commit`."""
        await self._until_posted()
        await self._hand_over(changes, at)
        self._records.clear()

    async def flush(self) -> None:
        """Return when everything that was carried is durable."""
        if self._kept or self._posted:
            await self.commit(Changes(), at="drive.flush")
        self._records.clear()

    def _hand_over(self, changes: Changes, at: str) -> asyncio.Future[Committed]:
        whole, kept = self._changes, self._kept
        whole.include(changes)
        self._changes, self._kept = Changes(), []
        future = self._writer.submit(whole, at=at)
        if kept:
            future.add_done_callback(lambda done: _tell(done, kept))
        return future

    async def _until_posted(self) -> None:
        posted, self._posted = self._posted, []
        for future in posted:
            await future


def _record(effect: EffectRow) -> tuple[str, str, str]:
    return effect.connection, effect.kind, effect.business_id


def _tell(done: asyncio.Future[Committed], kept: list[Kept]) -> None:
    is_kept = not done.cancelled() and done.exception() is None
    for tell in kept:
        tell(is_kept)
