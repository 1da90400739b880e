"""Ten times the usual work at once: how long it takes to drain, and whether what is urgent goes first.

Of the burst, the first half are won deals (customer work), then come corrections of old deals (background work), then
the other half of the deals. In the order of arrival that half would wait for the corrections; by priority it does not.
"""

import asyncio
from typing import Any

from sqlalchemy import Connection, text

from bench.ground import Ground

_CORRECTIONS = 10
"""One correction for so many deals."""


async def measure(ground: Ground) -> dict[str, Any]:
    """On SQLite: some deals as usual, then ten times as many at once."""
    half = max(1, ground.sizes.burst_n // 2)
    deals, usual, customers = half * 2, max(1, half // 5), ground.sizes.customers
    corrections = min(customers, max(1, deals // _CORRECTIONS))
    ground.stub.ask(zero=True, release=(customers, 0, customers))
    platform = ground.seeds.copy("sqlite")
    try:
        await platform.start()
        ground.stub.ask(zero=True, release=(customers, usual, customers))
        await platform.until_idle(stub=ground.stub, crm_calls=usual)
        usual_s = _took(ground)
        ground.stub.ask(zero=True, burst=(customers + usual, half, corrections, customers))
        await platform.until_idle(stub=ground.stub, crm_calls=deals)
        drained_s = _took(ground)
        await _until_background_ended(platform, corrections)
        ends = platform.database.read_now(_ends)
    finally:
        ground.seeds.remove(platform)
    first_background = min(at for flow, _, at in ends if flow == "deal_correction")
    second_half = f"D-{customers + usual + half + corrections:08}"
    later = [at for flow, subject, at in ends if flow == "customer_onboarding" and subject >= second_half]
    ahead = sum(at <= first_background for at in later)
    return {
        "usual": {"deals": usual, "drained_s": round(usual_s, 3)},
        "burst": {"deals": deals, "corrections": corrections, "drained_s": round(drained_s, 3)},
        "second_half_done_before_first_correction": round(ahead / len(later), 4),
    }


def _took(ground: Ground) -> float:
    state = ground.stub.ask()
    return state["last_at"] - state["first_read_at"]


async def _until_background_ended(platform: Any, corrections: int) -> None:
    query = "SELECT count(*) FROM business_transaction WHERE flow = 'deal_correction' AND state <> 'running'"
    async with asyncio.timeout(120):
        while await asyncio.to_thread(platform.scalar, query) < corrections:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


def _ends(connection: Connection) -> list[tuple[str, str, int]]:
    """When each transaction left the engine's hands."""
    query = text("SELECT flow, subject, changed_at_ms FROM business_transaction WHERE state <> 'running'")
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]
