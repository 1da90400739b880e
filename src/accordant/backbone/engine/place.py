"""A process's place among those on the same database: its name in the audit, its locks, and whether it leads.

Under `journal` the one owner drives and leads. Under `dbos` every worker drives; one of them leads, which means that
it alone polls, publishes and verifies; when it ends, another takes over.
"""

import asyncio

import msgspec

from accordant.backbone.engine.ownership import Lost, Ownership, ownership_of
from accordant.backbone.locks import AdvisoryLocks, DriveLocks, LocalLocks
from accordant.kernel.database import Database
from accordant.kernel.errors import Misconfigured, Refused

_STAND_BY_S = 2.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is given when it starts."""

    segment: str
    """Its segment of the audit chain: one writing process, one segment."""
    is_shared: bool
    """Whether other processes write to the same database."""
    locks: DriveLocks
    lead: Ownership
    """The right to lead; under `journal` also the right to run at all."""


def place_of(database: Database, *, engine: str, worker: str, on_lost: Lost) -> Place:
    """The place of this process. Raises Misconfigured where the engine is not known."""
    if engine not in {"journal", "dbos"}:
        raise Misconfigured(f"{engine!r} is not an engine; use journal or dbos")
    if engine == "journal" or database.is_sqlite:
        lead = ownership_of(database, on_lost=on_lost)
        return Place(segment="main", is_shared=False, locks=LocalLocks(), lead=lead)
    return Place(
        segment=f"worker-{worker}",
        is_shared=True,
        locks=AdvisoryLocks(database, on_lost=on_lost),
        lead=ownership_of(database, on_lost=on_lost, of="lead"),
    )


async def until_leading(place: Place) -> None:
    """Returns as soon as this process leads; until then it stands by."""
    while not await may_lead(place):  # noqa: ASYNC110 - another process gives it up
        await asyncio.sleep(_STAND_BY_S)


async def may_lead(place: Place) -> bool:
    """Whether this process leads from now on; False while another one does."""
    try:
        await place.lead.take()
    except Refused:
        return False
    return True
