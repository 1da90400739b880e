"""Through real sandboxes: a system that says yes and does nothing is found out; a deal mended at its source goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accordant.backbone.rows import effect_table, exception_table, transaction_table
from accordant.kernel.database import Database
from accordant.kernel.settings import settings_for
from accordant.launch.run import Plan
from accordant.launch.standing import Standing
from accordant.launch.story import prepare_company
from tests.experience.company import ACCOUNT, deal

LIES_ONCE = {"faults": [{"kind": "ok_without_apply", "operation": "subscription.create", "count": 1}]}


class Played:
    """A platform with its sandboxes, and eyes for both."""

    def __init__(self, standing: Standing, database: Database, state: Path) -> None:
        assert standing.sandboxes is not None
        self.sandboxes = standing.sandboxes
        self.platform = standing.platform
        self._database = database
        self._state = state

    async def crm_shows(self, row: dict[str, Any]) -> None:
        """A row as sales leaves it; it replaces the whole record, so that what we wrote into it is read back first."""
        await self.until(self.is_read_back)
        await self.sandboxes.ask("crm", "POST", action="load", body={"Account": [ACCOUNT], "Opportunity": [row]})

    async def retry(self, item: dict[str, Any]) -> None:
        await self.platform.command("POST", f"/v1/exceptions/{item['exception_id']}/retry")

    async def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(300):
            if await asyncio.to_thread(holds):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"never so: {self.transactions()}, open: {[one['message'] for one in self.open()]}")

    def open(self, code: str = "") -> list[dict[str, Any]]:
        found = self._rows(select(exception_table).where(exception_table.c.state == "open"))
        return [one for one in found if not code or one["code"] == code]

    def transactions(self) -> dict[str, str]:
        return {one["flow"]: one["state"] for one in self._rows(select(transaction_table))}

    def onboarded(self) -> bool:
        return self.transactions().get("customer_onboarding") == "completed"

    def is_read_back(self) -> bool:
        telling = [one for one in self._rows(select(transaction_table)) if one["waiting_for"] == "telling"]
        waiting = select(effect_table).where(effect_table.c.state == "confirmed", effect_table.c.checked == "")
        return not telling and not self._rows(waiting)

    def checked(self, name: str) -> str:
        (row,) = self._rows(select(effect_table).where(effect_table.c.name == name))
        return row["checked"]

    def created(self, system: str, kind: str) -> list[dict[str, Any]]:
        text = (self._state / "ledger" / f"{system}.jsonl").read_text()
        lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if (line["kind"], line["change"]) == (kind, "create")]

    def _rows(self, query: Any) -> list[dict[str, Any]]:
        return self._database.read_now(lambda c: [dict(row) for row in c.execute(query).mappings()])


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[Played]:
    async with _played(tmp_path) as one:
        yield one


@asynccontextmanager
async def _played(state: Path) -> AsyncIterator[Played]:
    prepare_company(state)
    standing = Standing(state, database_url=None, port=0, plan=Plan(state=state, records={}, deals_won=1))
    database = Database(settings_for(state).database_url)
    try:
        await standing.start()
        yield Played(standing, database, state)
    finally:
        standing.stop()
        database.close()


async def test_a_subscription_that_was_only_promised_is_found_out_and_stays_found(played: Played) -> None:
    await played.sandboxes.ask("billing", "PUT", action="faults", body=LIES_ONCE)
    await played.crm_shows(deal("7"))
    await played.until(lambda: played.onboarded() and bool(played.open()))
    (item,) = played.open()
    assert (item["code"], item["step"], item["subject"]) == ("readback.different", "start subscription", "7")
    assert (item["amount_minor"], item["currency"]) == (60_000, "USD")
    assert "does not hold it" in item["message"]
    assert played.checked("start subscription") == "different"
    assert played.created("billing", "subscription") == []
    await played.until(lambda: played.checked("place order") == "verified")

    await played.retry(item)
    await played.until(lambda: bool(played.open()))
    (again,) = played.open("readback.different")
    assert again["exception_id"] != item["exception_id"]
    assert played.onboarded()


async def test_a_deal_mended_at_its_source_completes_and_one_changed_later_is_asked_about(played: Played) -> None:
    await played.crm_shows(deal("7", Product__c="Ledger Strat"))
    await played.until(lambda: bool(played.open("map.missing")))
    (item,) = played.open()

    await played.crm_shows(deal("7"))
    await played.until(lambda: played.transactions().get("deal_correction") == "completed")
    assert played.transactions()["customer_onboarding"] == "exception"
    await played.retry(item)
    await played.until(played.onboarded)
    assert [one["message"] for one in played.open()] == []
    assert [one["amount_minor"] for one in played.created("billing", "subscription")] == [60_000]

    await played.crm_shows(deal("7", Amount="900.00"))
    await played.until(lambda: bool(played.open()))
    (asked,) = played.open()
    assert (asked["code"], asked["owner"]) == ("deal.corrected", "sales operations")
    assert (asked["amount_minor"], asked["currency"]) == (90_000, "USD")
    assert [one["amount_minor"] for one in played.created("billing", "subscription")] == [60_000]
