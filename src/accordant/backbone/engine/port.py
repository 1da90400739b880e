"""What every engine promises, whoever implements it.

An engine drives each due transaction until it ends or parks, at most one drive of a transaction at a time, the most
urgent first, never more than so many at once, and after a crash it goes on by itself. The flow, the ledger and the
audit are the same under every engine.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from accordant.backbone.rows import TransactionRow
from accordant.backbone.tools import History


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that should be driven now, with everything a drive needs."""

    row: TransactionRow
    event_type: str
    event_data: str
    history: History


Drive = Callable[[Due], Awaitable[None]]


class Engine(Protocol):
    """Runs transactions."""

    on_crashed: Callable[[], None]
    """Told when the engine's own work ended by itself: nothing would ever be driven again, so the process must end."""

    async def start(self) -> None:
        """Begin, or go on after a crash. Raises Refused when another owner holds the database."""
        ...

    async def stop(self) -> None:
        """Let running drives reach their next commit, start no new ones, and return."""
        ...

    def nudge(self) -> None:
        """Something may have become due."""
        ...

    async def alone(self, transaction_ids: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        """Run `act` while nobody drives any of these transactions; for commands that change them."""
        ...

    @property
    def driving(self) -> int:
        """How many transactions are being driven at this moment."""
        ...
