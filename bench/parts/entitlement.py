"""How long the question takes whether a customer may ask for support, answered from what is kept of its account."""

import time
from typing import Any

import aiohttp
import msgspec
from sqlalchemy import Connection, text

from accordant.launch import state as states
from accordant.masterdata.standing import StandingRow, standing_table
from bench.ground import Ground
from bench.measure import percentiles

_CUSTOMERS = 200
_ROUNDS = 10


async def measure(ground: Ground) -> dict[str, Any]:
    """Over HTTP, one question after the other, on both databases; nobody is asked but the platform itself."""
    return {kind: await _on(ground, kind) for kind in ("sqlite", "postgresql")}


async def _on(ground: Ground, kind: str) -> dict[str, Any]:
    ground.stub.ask(release=(ground.sizes.customers, 0, ground.sizes.customers))
    platform = ground.seeds.copy(kind)
    try:
        customers = platform.database.read_now(_customers)
        with platform.database.engine.begin() as connection:
            connection.execute(standing_table.insert(), [msgspec.structs.asdict(_good(one)) for one in customers])
        await platform.start()
        headers = {"Authorization": f"Bearer {states.command_token(platform.state)}"}
        times_ms: list[float] = []
        async with aiohttp.ClientSession(platform.url, headers=headers) as session:
            for round_ in range(_ROUNDS + 1):
                for customer in customers:
                    began = time.perf_counter()
                    async with session.get(f"/v1/entitlements/{customer}") as answer:
                        said = await answer.json()
                    if answer.status != 200 or said["source"] != "kept":
                        raise ValueError(f"{customer}: {answer.status} {said}")
                    if round_:  # the first questions load what is loaded once
                        times_ms.append((time.perf_counter() - began) * 1000)
    finally:
        ground.seeds.remove(platform)
    return {"questions": len(times_ms), "ms": percentiles(times_ms)}


def _customers(connection: Connection) -> list[str]:
    query = text(
        "SELECT DISTINCT canonical_id FROM crosswalk WHERE noun = 'customer' AND system = 'support'"
        " ORDER BY canonical_id LIMIT :n"
    )
    return list(connection.execute(query, {"n": _CUSTOMERS}).scalars())


def _good(customer_id: str) -> StandingRow:
    """As the flow of payment status leaves the account of somebody who owes nothing."""
    return StandingRow(
        tenant="demo",
        customer_id=customer_id,
        status="current",
        support="as contracted",
        hold="none",
        collection="running",
        balance_minor=0,
        overdue_minor=0,
        currency="USD",
        reason="",
        settled="yes",
        as_of_ms=round(time.time() * 1000),
        transaction_id="tx-0",
    )
