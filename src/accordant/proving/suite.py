"""The crash suite on somebody's own machine: a room of its own, one drill in it, and the verdict."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from accordant.kernel.chance import system_random
from accordant.kernel.clock import Clock
from accordant.kernel.errors import Refused
from accordant.proving import room
from accordant.proving.checker import judge
from accordant.proving.drill import Drill, Drilled, Look, Plan
from accordant.proving.report import Result, conclude

Watch = Callable[[Look], None]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked to have verified."""

    seconds: float
    seed: int
    database_url: str | None = None
    state: Path | None = None
    """An empty or new folder that is kept; without it a temporary one, kept only where something was found."""
    transactions: int = 0
    kills: int = 0


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result, and where the evidence lies; None where it was removed."""

    result: Result
    evidence: Path | None


def verify(wish: Wish, *, clock: Clock, watch: Watch) -> Verified:
    """Drill and judge.

    Raises:
        Misconfigured: the folder or the database holds data.
        Retryable: the server, the sandboxes or the platform do not start.
    """
    folder = wish.state
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="accordant-verify-"))
    else:
        room.require_empty_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
    keep = wish.state is not None
    try:
        with room.fresh_database(wish.database_url, folder, rng=system_random()) as database_url:
            result = _drilled(wish, folder, database_url=database_url, clock=clock, watch=watch)
        keep = keep or not result.holds
        return Verified(result=result, evidence=folder if keep else None)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _drilled(wish: Wish, folder: Path, *, database_url: str, clock: Clock, watch: Watch) -> Result:
    plan = Plan(
        state=folder,
        database_url=database_url,
        seed=wish.seed,
        seconds=wish.seconds,
        transactions=wish.transactions,
        kills=wish.kills,
    )
    drilled = asyncio.run(_until_told(Drill(plan, clock=clock, watch=watch)))
    return conclude(judge(drilled.history), drilled, seed=wish.seed, database_url=database_url)


async def _until_told(drill: Drill) -> Drilled:
    """Drill; SIGTERM stops everything that was started, as Ctrl-C does."""
    task = asyncio.ensure_future(drill.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError as stopped:
        raise Refused("the drill was stopped before it was judged", code="verify.stopped") from stopped
