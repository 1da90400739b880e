"""E-02 through real sandboxes: support refuses after the ERP has the customer; it shows, and a retry completes it."""

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from accordant.backbone.rows import exception_table
from accordant.kernel.database import Database
from accordant.kernel.settings import settings_for
from accordant.launch.progress import Progress, read_progress
from accordant.launch.run import Plan
from accordant.launch.standing import Standing
from accordant.launch.story import prepare_company
from tests.experience.company import ACCOUNT, deal

REFUSED = {"faults": [{"kind": "error_before_apply", "operation": "organization.upsert", "status": 422}]}


async def settled(database: Database, *, state: str) -> Progress:
    for _ in range(600):
        now = await asyncio.to_thread(read_progress, database)
        if now.settled and now.by_state.get(state) and not now.unverified:
            return now
        await asyncio.sleep(0.1)
    raise AssertionError(f"never settled as {state}: {now}")


def created(state: Path, system: str) -> list[str]:
    text = (state / "ledger" / f"{system}.jsonl").read_text()
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return [line["kind"] for line in lines if line["change"] == "create"]


async def test_e02_an_incomplete_customer_shows_and_a_retry_completes_it_once(tmp_path: Path) -> None:
    prepare_company(tmp_path)
    plan = Plan(state=tmp_path, records={"Account": [ACCOUNT], "Opportunity": [deal("7")]}, deals_won=1)
    standing = Standing(tmp_path, database_url=None, port=0, plan=plan)
    database = Database(settings_for(tmp_path).database_url)
    try:
        assert standing.sandboxes is not None
        await standing.sandboxes.start()
        await standing.sandboxes.furnish(standing.platform.url)
        await standing.sandboxes.ask("support", "PUT", action="faults", body=REFUSED)
        await standing.sandboxes.ask("crm", "POST", action="load", body=plan.records)
        await standing.platform.start()

        await settled(database, state="exception")
        assert created(tmp_path, "erp") == ["customer"]
        assert "entitlement" not in created(tmp_path, "support")
        query = select(exception_table).where(exception_table.c.state == "open")
        (item,) = database.read_now(lambda connection: connection.execute(query).mappings().all())
        assert (item["owner"], item["subject"]) == ("support operations", "7")
        held = await standing.sandboxes.states()
        assert held["crm"]["opportunity"][0]["status"] == "blocked"

        await standing.sandboxes.ask("support", "DELETE", action="faults")
        await standing.platform.command("POST", f"/v1/exceptions/{item['exception_id']}/retry")
        await settled(database, state="completed")
        assert created(tmp_path, "erp") == ["customer", "order"]
        assert [kind for kind in created(tmp_path, "billing") if kind != "invoice"] == ["customer", "subscription"]
        assert sorted(created(tmp_path, "support")) == ["customer", "entitlement"]
        held = await standing.sandboxes.states()
        assert held["crm"]["opportunity"][0]["status"] == "in step"
    finally:
        standing.stop()
        database.close()
