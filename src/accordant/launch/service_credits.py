"""A day of service credits: every branch of the flow, on eight customers, judged by what the systems hold."""

import asyncio
import time
from calendar import monthrange
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import TransactionRow, exception_table, transaction_table
from accordant.kernel.database import rows_of
from accordant.kernel.errors import Unavailable
from accordant.launch import report
from accordant.launch.company import seeded_company
from accordant.launch.progress import read_progress
from accordant.launch.run import Plan, Run
from accordant.launch.story import Spectator, prepare_company
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.operations.approvals import waiting
from accordant.sandboxes import ASK_AGAIN, ASK_FOR_CREDIT

FLOW, TENANT = "service_credit", "demo"
_REVIEWER, _DIRECTOR = "reviewer@finance", "director@finance"
_OUTAGE_S = 3.0
_GIVE_UP_AFTER_S = 60.0
_CUSTOMERS = 8
_CREDITED, _STOPPED = ("completed", "credited"), ("exception", "blocked")
"""How a transaction ends, and what its case shows."""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One case, and what must come of it."""

    name: str
    case: str
    customer: int
    amount_minor: int
    """What is credited in the end."""
    state: str = "completed"
    shown: str = "credited"
    """Status on the case."""


class CreditDay(Run):
    """Plays every branch, and compares what must be with what the ledgers hold."""

    def __init__(self, plan: Plan, *, spectator: Spectator) -> None:
        super().__init__(plan, watch=lambda phase, now: spectator.look(phase, now, goal=plan.deals_won))
        self._say = spectator.note
        self._branches: list[Branch] = []
        self._customers: list[tuple[str, str]] = []

    async def play(self) -> report.Json:
        """Play it and return the report."""
        try:
            await self._open()
            began = time.monotonic()
            await self.platform.start()
            self._say(f"{_CUSTOMERS} customers are taken on.")
            await self._until(lambda: len(self._read(_customers)) >= _CUSTOMERS and self._is_quiet())
            self._customers = self._read(_customers)
            await self._quick_ones()
            await self._reviews()
            await self._trouble()
            await self._until(self._is_quiet)
            found, wall_s = await self._judged(), round(time.monotonic() - began, 1)
            return {"flow": FLOW, "branches": found, "holds": all(one["holds"] for one in found), "wall_s": wall_s}
        finally:
            self.platform.stop()
            self.sandboxes.stop()
            self.database.close()

    async def _quick_ones(self) -> None:
        self._say("50.00 for an outage: within the limit, nobody is asked.")
        await self._ask("within the limit", 0, request="50.00 outage", minor=5_000)
        await self._until(self._is_quiet)
        self._say("70.00 more for the same customer: each is within the limit, together they are not.")
        await self._ask("split to stay below", 0, request="70.00 outage", minor=7_000)
        await self._decide(_REVIEWER, approve=True, note="agreed")
        self._say("A word that nobody knows, an amount of nothing, and a case of nobody's: nothing is written.")
        await self._ask("a reason that nobody knows", 1, request="40.00 weather", minor=0, ends=_STOPPED)
        await self._ask("a case of nobody's", -1, request="40.00 outage", minor=0, ends=_STOPPED)

    async def _reviews(self) -> None:
        self._say("400.00: finance reviews it, and agrees.")
        await self._ask("reviewed and agreed", 1, request="400.00 slow", minor=40_000)
        await self._decide(_REVIEWER, approve=True, note="three days slow")
        self._say("900.00: finance refuses, and the case says why.")
        await self._ask("reviewed and rejected", 2, request="900.00 outage", minor=0, ends=("completed", "rejected"))
        await self._decide(_REVIEWER, approve=False, note="no outage that day")
        self._say("7,500.00: more than a reviewer may decide; the director does.")
        await self._ask("beyond the reviewer", 3, request="7500.00 overcharge", minor=750_000)
        await self._decide(_DIRECTOR, approve=True, note="billed twice", refused=_REVIEWER)
        self._say("300.00, changed to 200.00 while in review: only the later request counts.")
        case = await self._ask("changed while in review", 4, request="300.00 outage", minor=20_000)
        await self._until(lambda: bool(self._waiting()))
        await ASK_AGAIN[self._support.vendor](self._support.url, case, request="200.00 outage")
        await self._until(lambda: len(self._waiting()) == 2)
        await self._decide(_REVIEWER, approve=True, note="agreed", all_open=True)

    async def _trouble(self) -> None:
        customer = self._customers[5][0]
        self._say("A customer in arrears: even 20.00 is somebody's decision.")
        owed = {"customer_id": customer, "total": 99_00, "currency": "usd", "due_on": "2020-01-31"}
        await self.sandboxes.ask("billing", "POST", action="load", body={"invoices": [owed]})
        await self._ask("in arrears", 5, request="20.00 outage", minor=2_000)
        await self._decide(_REVIEWER, approve=True, note="goodwill")
        self._say(f"The books go down for {_OUTAGE_S:.0f} s: the credit is granted, its memo waits.")
        await self.sandboxes.ask("erp", "POST", action="down", body={"seconds": _OUTAGE_S})
        await self._ask("books down", 2, request="60.00 outage", minor=6_000)
        await self._until(self._is_quiet)
        self._say("The books close the month: finance is asked, reopens it, and the memo follows.")
        await self._close_books(closed=True)
        await self._ask("period closed", 6, request="45.00 outage", minor=4_500)
        await self._until(lambda: bool(self._read(_closed_period)))
        await self._close_books(closed=False)
        for item in self._read(_closed_period):
            await self.platform.command("POST", f"/v1/exceptions/{item}/retry")

    @property
    def _support(self) -> Any:
        return self.sandboxes.running["support"]

    async def _ask(
        self, name: str, customer: int, *, request: str, minor: int, ends: tuple[str, str] = _CREDITED
    ) -> str:
        """An agent opens a case with a request; `customer` -1 is nobody."""
        organization = self._customers[customer][1] if customer >= 0 else ""
        case = await ASK_FOR_CREDIT[self._support.vendor](
            self._support.url, customer=organization, subject=name, priority="urgent", request=request
        )
        wanted = Branch(name=name, case=case, customer=customer, amount_minor=minor, state=ends[0], shown=ends[1])
        self._branches.append(wanted)
        return case

    async def _decide(self, actor: str, *, approve: bool, note: str, refused: str = "", all_open: bool = False) -> None:
        await self._until(lambda: bool(self._waiting()))
        body = {"approve": approve, "note": note}
        for asked in self._waiting() if all_open else self._waiting()[:1]:
            at = f"/v1/approvals/{asked.approval_id}/decide"
            if refused:
                try:
                    await self.platform.command("POST", at, body=body, actor=refused)
                except Unavailable:
                    self._say(f"  {refused} is refused: {asked.rule}")
                else:
                    raise Unavailable(f"{refused} was allowed to decide {asked.what}")
            verb = "approve" if approve else "reject"
            self._say(f'  accordant approval {verb} {asked.approval_id} --actor {actor} --note "{note}"')
            await self.platform.command("POST", at, body=body, actor=actor)
        await self._until(lambda: not self._waiting() and self._is_quiet())

    async def _close_books(self, *, closed: bool) -> None:
        now = time.gmtime()
        day = f"{now.tm_year}-{now.tm_mon:02}"
        last = monthrange(now.tm_year, now.tm_mon)[1]
        period = {"starts_on": f"{day}-01", "ends_on": f"{day}-{last:02}", "closed": closed}
        await self.sandboxes.ask("erp", "POST", action="load", body={"periods": [period]})

    async def _until(self, holds: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
        while not await asyncio.to_thread(holds):
            self.platform.require_alive()
            if time.monotonic() > give_up_at:
                raise Unavailable(f"it did not come to pass; so far: {self._read(_transactions)}")
            await asyncio.sleep(0.05)

    def _is_quiet(self) -> bool:
        """Every case has arrived, and nothing moves but what waits for somebody's word."""
        arrived = all(self._read(lambda c, b=one: _states(c, b.case)) for one in self._branches)
        rows: list[TransactionRow] = self._read(_transactions)
        return arrived and all(one.state in ("completed", "exception") or _asks(one) for one in rows)

    def _waiting(self) -> list[Any]:
        return self._read(lambda connection: waiting(connection, tenant=TENANT))

    def _read(self, ask: Callable[[Connection], Any]) -> Any:
        return self.database.read_now(ask)

    async def _judged(self) -> list[report.Json]:
        """Each branch beside what billing, the books and support hold of it."""
        await self._until(self._all_verified)
        held = await self.sandboxes.states()
        return [judged(one, held, states=self._read(lambda c, b=one: _states(c, b.case))) for one in self._branches]

    def _all_verified(self) -> bool:
        return read_progress(self.database).unverified == 0


def judged(branch: Branch, held: report.Json, *, states: list[str]) -> report.Json:
    """What must be, beside what is; `holds` where they are the same in every system."""
    memos = [one for one in held["erp"]["credit_memo"] if one["memo"].startswith(f"case {branch.case},")]
    ids = {one["business_id"] for one in memos}
    granted = [one for one in held["billing"]["credit"] if one["business_id"] in ids]
    cases = {one["business_id"]: one for one in held["support"]["case"]}
    wanted = [branch.amount_minor] if branch.amount_minor else []
    found: report.Json = {
        "billing_minor": [one["amount_minor"] for one in granted],
        "books_minor": [one["amount_minor"] for one in memos],
        "case_shows": cases[branch.case]["status"] if branch.case in cases else "",
        "ended": states,
    }
    holds = (
        found["billing_minor"] == wanted
        and found["books_minor"] == wanted
        and found["case_shows"] == branch.shown
        and states[-1] == branch.state
        and "running" not in states
    )
    return {"branch": branch.name, "case": branch.case, "must_be_minor": branch.amount_minor, **found, "holds": holds}


def _states(connection: Connection, case: str) -> list[str]:
    """How the transactions of a case ended, the last one last."""
    c = transaction_table.c
    query = select(c.state).where(c.flow == FLOW, c.subject == case).order_by(c.opened_at_ms)
    return list(connection.execute(query).scalars())


def _customers(connection: Connection) -> list[tuple[str, str]]:
    """Our id and support's of every customer, always in the same order."""
    c = crosswalk_table.c
    query = select(c.canonical_id, c.native_id).where(c.noun == "customer", c.system == "support")
    return [(row[0], row[1]) for row in connection.execute(query.order_by(c.canonical_id))]


def _asks(row: TransactionRow) -> bool:
    return row.state == "waiting" and row.waiting_for == "approval"


def _transactions(connection: Connection) -> list[TransactionRow]:
    return rows_of(connection, select(transaction_table).order_by(transaction_table.c.opened_at_ms), TransactionRow)


def _closed_period(connection: Connection) -> list[str]:
    c = exception_table.c
    query = select(c.exception_id).where(c.state == "open", c.code == "netsuite.closed_period")
    return list(connection.execute(query).scalars())


def plan_of_credits(state: Path, seed: int) -> Plan:
    """A company with so many customers; the folder is prepared."""
    prepare_company(state)
    made = seeded_company(seed)
    deals = made.first["Opportunity"][:_CUSTOMERS]
    named = {deal["AccountId"] for deal in deals}
    accounts = [one for one in made.first["Account"] if one["Id"] in named or "ParentId" in one]
    records = {**made.first, "Account": accounts, "Opportunity": deals}
    return Plan(state=state, records=records, seed=seed, deals_won=len(deals))
