"""The people in sales: they sell, they win later, and they change deals when the CRM shows how those went."""

from pathlib import Path

import msgspec

from accordant.launch.sandboxes import Sandboxes
from accordant.proving.workload import Record, Workload


class Sales:
    """Works in the CRM, and sees there what the platform tells about each deal."""

    def __init__(self, workload: Workload, sandboxes: Sandboxes, *, ledger: Path) -> None:
        self._workload = workload
        self._sandboxes = sandboxes
        self._ledger = ledger
        self._read_to = 0

    async def sell(self, deals: int) -> None:
        """So many new deals; those that were open before are won."""
        await self._load(self._workload.batch(deals))

    async def follow_up(self, *, goes_on: bool) -> None:
        """Mend what is blocked; where business goes on, correct what is in step and sell more of it."""
        rows: list[Record] = []
        for number, row in self._told():
            told = row.get("Accordant_Status__c")
            if told == "blocked":
                rows.append(self._workload.blocked(number, row) or {})
            elif told == "in step" and goes_on:
                rows.append(self._workload.in_step(number, row) or {})
        changed = [row for row in rows if row]
        if changed:
            await self._load({"Opportunity": changed})

    def _told(self) -> list[tuple[str, Record]]:
        """Every deal as the CRM shows it after a write of the platform, since the last look."""
        if not self._ledger.exists():
            return []
        with self._ledger.open("rb") as file:
            file.seek(self._read_to)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole)
        lines = [msgspec.json.decode(line) for line in whole.splitlines()]
        return [(line["business_id"], line["body"]) for line in lines if line["kind"] == "opportunity"]

    async def _load(self, records: dict[str, list[Record]]) -> None:
        if any(records.values()):
            await self._sandboxes.ask("crm", "POST", action="load", body=records)
