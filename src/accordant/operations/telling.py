"""Whoever owns an open item is told once for each cause, and whoever must decide once for each question.

The channel of every installation is a file of one JSON object a line, which log shippers and ticket systems read. A
notice is sent first and noted afterwards, so a crash in between tells twice rather than never.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import structlog
from sqlalchemy import Connection, select

from accordant.backbone.exceptions import entry_about
from accordant.backbone.rows import ExceptionRow, exception_table
from accordant.kernel.clock import Clock, utc_text
from accordant.kernel.database import Changes, Database, NotCommitted, NotRead, Writer, rows_of
from accordant.kernel.failpoints import around
from accordant.operations import asking
from accordant.operations.asking import Notice
from accordant.telemetry.audit import record

log = structlog.get_logger("telling")
_BATCH = 500
_PAUSE_UNNOTED_S = 30.0
_PAUSE_S = 0.5


class Channel(Protocol):
    """Somewhere an owner reads."""

    name: str

    def send(self, notice: Notice) -> None:
        """Deliver it, or raise OSError; it is tried again then."""
        ...


class FileChannel:
    """Notices as lines of JSON."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._path = path

    def send(self, notice: Notice) -> None:
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(notice) + b"\n")


class Teller:
    """Finds items whose owners do not know yet, and tells them."""

    def __init__(self, channel: Channel, *, database: Database, writer: Writer, clock: Clock) -> None:
        self._channel = channel
        self._database = database
        self._writer = writer
        self._clock = clock

    async def run(self) -> None:
        """Tell for ever; a channel that fails is tried again, and said so in the log."""
        while True:
            worked, pause_s = 0, _PAUSE_S
            try:
                worked = await self.step()
            except OSError as failed:
                log.warning("owner.not_told", channel=self._channel.name, error=str(failed))
            except NotRead as later:
                log.warning("telling.postponed", error=later.message)
            except NotCommitted as later:  # what was sent may be sent again, so not every second
                log.warning("telling.postponed", error=later.message)
                pause_s = _PAUSE_UNNOTED_S
            if not worked:
                await asyncio.sleep(pause_s)

    async def step(self) -> int:
        """Tell about one batch; returns how many items and questions it covered."""
        return await self._tell_owners() + await self._tell_roles()

    async def _tell_roles(self) -> int:
        """Whoever's turn it is to answer a question."""
        now_ms = self._clock.now_ms()
        turns = await self._database.read(lambda connection: asking.untold(connection, now_ms=now_ms, limit=_BATCH))
        changes = Changes()
        for one in turns:
            await self._send(asking.notice_of(one, at_ms=now_ms))
            asking.note(changes, one, at_ms=now_ms, channel=self._channel.name)
        if changes:
            await self._writer.commit(changes, at="approval.told")
        return len(turns)

    async def _send(self, notice: Notice) -> None:
        with around("owner.notice"):
            await asyncio.to_thread(self._channel.send, notice)

    async def _tell_owners(self) -> int:
        items = await self._database.read(_untold)
        over = await self._database.read(lambda connection: asking.time_is_over(connection, items)) if items else []
        by_cause: dict[str, list[ExceptionRow]] = {}
        for item in items:
            by_cause.setdefault(item.cause_group, []).append(item)
        changes = Changes()
        for same_cause in by_cause.values():
            await self._send(self._notice(same_cause))
            for item in same_cause:
                changes.follow_up("owner_told", item.exception_id)
                detail = {"owner": item.owner, "channel": self._channel.name, "cause": item.cause_group}
                record(changes, entry_about(item, "owner.told", at_ms=self._clock.now_ms(), detail=detail))
        for item, approval in over:
            await self._send(asking.notice_of_the_end(item, approval, at_ms=self._clock.now_ms()))
        if changes:
            await self._writer.commit(changes, at="owner.told")
        return len(items)

    def _notice(self, items: Sequence[ExceptionRow]) -> Notice:
        first = items[0]
        amounts: dict[str, int] = {}
        for item in items:
            if item.amount_minor is not None:
                amounts[item.currency] = amounts.get(item.currency, 0) + item.amount_minor
        return Notice(
            at=utc_text(self._clock.now_ms()),
            owner=first.owner,
            severity=first.severity,
            code=first.code,
            cause=first.title,
            cause_group=first.cause_group,
            items=len(items),
            amount_minor=amounts,
            example=first.message,
            hint=first.hint,
            deadline=utc_text(min(item.deadline_ms for item in items)),
        )


def _untold(connection: Connection) -> list[ExceptionRow]:
    item = exception_table.c
    query = (
        select(exception_table).where(item.told == 0, item.state == "open").order_by(item.opened_at_ms).limit(_BATCH)
    )
    return rows_of(connection, query, ExceptionRow)
