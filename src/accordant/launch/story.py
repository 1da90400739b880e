"""The seeded company's year in one minute: won deals, a bad day, two causes mended, one left to the reader."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, select

from accordant.backbone.rows import exception_table, transaction_table
from accordant.kernel.errors import Unavailable
from accordant.launch import company, report
from accordant.launch import state as states
from accordant.launch.progress import Progress, read_progress
from accordant.launch.run import Fix, Plan, Run, groups_of

OUTAGE_S = 4.0
_LOOK_EVERY_S = 0.05
_GIVE_UP_AFTER_S = 120.0
_DISORDER = {
    "crm": ("page_repeated", "page_overlap", "page_reordered"),
    "billing": ("webhook_duplicate", "webhook_shuffle"),
    "support": ("webhook_duplicate", "webhook_shuffle"),
}


class Spectator(Protocol):
    """Whoever watches a run."""

    def note(self, sentence: str) -> None:
        """Something happened that a person should know."""
        ...

    def look(self, phase: str, now: Progress, *, goal: int) -> None:
        """How far it has come; `goal` is the number of won deals."""
        ...


def prepare_company(state: Path) -> None:
    """Lay out the state folder of the seeded company: the demo estate, after one legal entity was renamed."""
    states.prepare(state)
    table = state / "estate" / "reference" / "legal_entity.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    if not any(row.startswith(f"{company.NEW_ENTITY},") for row in rows):
        table.write_text(company.legal_entity_table(header, rows), encoding="utf-8")


def plan_of_company(state: Path, seed: int) -> tuple[Plan, company.Company]:
    """What is played for a seed; the folder is prepared."""
    prepare_company(state)
    made = company.seeded_company(seed)
    return Plan(state=state, records=made.first, seed=seed, deals_won=made.deals_won), made


class Story(Run):
    """One half-year of the seeded company, from an empty state folder to the report."""

    def __init__(self, plan: Plan, made: company.Company, *, spectator: Spectator) -> None:
        super().__init__(plan, watch=lambda phase, now: spectator.look(phase, now, goal=plan.deals_won))
        self._company = made
        self._spectator = spectator

    async def play(self) -> report.Json:
        """Play it and return the report."""
        say = self._spectator.note
        say("Starting four sandboxes (Salesforce, Stripe Billing, NetSuite, Zendesk) and the platform.")
        try:
            await self._open()
            await self._disturb()
            began = time.monotonic()
            await self.platform.start()
            say(f"{self._company.first_won} deals are won. Pages repeat, webhooks arrive several times and shuffled.")
            await self._settle("new deals", self._company.first_won, at=(10, self._outage))
            say("Expansions follow. NetSuite no longer sells one of the products; nobody has told sales.")
            await self._sells(active=False)
            await self.sandboxes.ask("crm", "POST", action="load", body=self._company.later)
            await self._settle("expansions", self._company.deals_won)
            result: report.Json = {"first_pass": await self._count()}
            await self._mend_causes()
            await self._settle("after mending", self._company.deals_won)
            result["final"] = await self._count()
            return {**result, **await self._figures(time.monotonic() - began)}
        finally:
            self.platform.stop()
            self.sandboxes.stop()
            self.database.close()

    async def _disturb(self) -> None:
        for role, kinds in _DISORDER.items():
            faults = [{"kind": kind, "probability": 0.5} for kind in kinds]
            await self.sandboxes.ask(role, "PUT", action="faults", body={"faults": faults})

    async def _outage(self) -> None:
        self._spectator.note(f"The ERP goes down for {OUTAGE_S:.0f} seconds. Nothing is lost; the work waits for it.")
        await self.sandboxes.ask("erp", "POST", action="down", body={"seconds": OUTAGE_S})

    async def _sells(self, *, active: bool) -> None:
        """What an administrator of the ERP does by hand."""
        item = {"external_id": company.REFUSED_ITEM, "name": company.REFUSED_PRODUCT, "inactive": not active}
        await self.sandboxes.ask("erp", "POST", action="load", body={"items": [item]})

    async def _settle(self, phase: str, goal: int, *, at: tuple[int, Callable[[], object]] | None = None) -> None:
        """Until every deal has ended or waits for a person. `at`: what happens after so many of them."""
        quiet, give_up_at = 0, time.monotonic() + _GIVE_UP_AFTER_S
        while quiet < 3:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.platform.require_alive()
            now = await asyncio.to_thread(read_progress, self.database)
            self._spectator.look(phase, now, goal=goal)
            self._note(now)
            self._last = now
            if at is not None and now.ended >= at[0]:
                await _done(at[1]())
                at = None
            quiet = quiet + 1 if now.total >= goal and now.settled and not now.unverified else 0
            if time.monotonic() > give_up_at:
                raise Unavailable(f"{phase} did not end within {_GIVE_UP_AFTER_S:.0f} s: {now}")

    async def _mend_causes(self) -> None:
        """One cause by giving a word its meaning, one in the system that refused; the third is left open."""
        say, platform = self._spectator.note, self.platform
        word = Fix("product", company.MISSPELT, company.MEANT)
        say(f'Mending {word.value!r}: accordant reference set product "{word.value}" "{word.target}"')
        await platform.command("PUT", f"/v1/reference/{word.table}", body={"value": word.value, "target": word.target})
        for group in await asyncio.to_thread(self.database.read_now, lambda connection: groups_of(connection, word)):
            say(f"  and: accordant exception release {group}")
            await platform.command("POST", f"/v1/causes/{group}/release")
        say("Mending the rejected posting: the product is sold again in NetSuite, then the transaction is retried.")
        await self._sells(active=True)
        for item in await asyncio.to_thread(self.database.read_now, rejected_by_erp):
            say(f"  and: accordant exception retry {item}")
            await platform.command("POST", f"/v1/exceptions/{item}/retry")


async def _done(work: object) -> None:
    if asyncio.iscoroutine(work):
        await work


def rejected_by_erp(connection: Connection) -> list[str]:
    """Open items of transactions that the books refused."""
    item = exception_table.c
    rows = connection.execute(select(item.exception_id, item.detail).where(item.state == "open"))
    details = {exception_id: json.loads(detail) for exception_id, detail in rows}
    return sorted(one for one, told in details.items() if told.get("refused") and told.get("system") == "erp")


def example_of(connection: Connection) -> tuple[str, str]:
    """A transaction worth looking at (one that was retried if there is one), and an open item; empty without one."""
    item, tx = exception_table.c, transaction_table.c
    mended = select(item.transaction_id).where(item.transaction_id != "").order_by(item.closed_at_ms.desc(), item.owner)
    any_one = select(tx.transaction_id).order_by((tx.state == "completed").desc(), tx.effects.desc(), tx.opened_at_ms)
    opened = select(item.exception_id).where(item.state == "open").order_by(item.opened_at_ms)
    transaction = connection.execute(mended.where(item.state != "open").limit(1)).scalar()
    transaction = transaction or connection.execute(any_one.limit(1)).scalar()
    return transaction or "", connection.execute(opened.limit(1)).scalar() or ""
