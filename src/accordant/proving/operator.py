"""The operator of a drill: gives a misspelt word its meaning, and lets stopped transactions go on once all is well."""

import json

from sqlalchemy import Connection, select

from accordant.backbone.rows import exception_table
from accordant.kernel.database import Database
from accordant.launch.process import PlatformProcess
from accordant.proving.workload import MEANT, MISSPELT, UNSOLD

NOT_OURS = frozenset({"deal.corrected", "readback.different", "stripe.not_an_event", "zendesk.event_malformed"})
"""Open items that are right to stay open: only the people of another department can settle them."""


async def give_meaning(platform: PlatformProcess) -> None:
    """As `accordant reference set product …`."""
    await platform.command("PUT", "/v1/reference/product", body={"value": MISSPELT, "target": MEANT})


async def release_stopped(platform: PlatformProcess, database: Database) -> None:
    """As `accordant exception release …`, for every cause that time or mending may have settled."""
    for group in database.read_now(releasable):
        await platform.command("POST", f"/v1/causes/{group}/release")


def releasable(connection: Connection) -> list[str]:
    """Causes of open items that are worth another try."""
    item = exception_table.c
    query = select(item.cause_group, item.code, item.detail).where(item.state == "open")
    return sorted(
        {
            group
            for group, code, detail in connection.execute(query)
            if code not in NOT_OURS and json.loads(detail).get("value") != UNSOLD
        }
    )
