"""What every play of a flow needs: customers to play on, whoever acts from outside, and a judge."""

import asyncio
import time
from calendar import monthrange
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

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

TENANT = "demo"
_LOOK_EVERY_S = 0.05
_GIVE_UP_AFTER_S = 60.0
_AT_REST = frozenset({"completed", "compensated", "cancelled", "exception"})


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One branch of a flow, and what must come of it."""

    name: str
    subject: str
    """The business id that people know it by; as a rule the subject of its transactions."""
    must: Mapping[str, Any]
    """What each system must hold: text, Money, a list of either, or a dict of them by name."""
    state: str = "completed"
    """How its last transaction must end; empty where there must be none."""


class Play(Run):
    """Plays every branch of a flow, and compares what must be with what the systems hold.

    A flow's play names its `flow`, causes its branches in `_act`, and says in `_found` what came of one.
    """

    flow: ClassVar[str]
    customers_wanted: ClassVar[int] = 8

    def __init__(self, plan: Plan, *, spectator: Spectator) -> None:
        super().__init__(plan, watch=lambda phase, now: spectator.look(phase, now, goal=plan.deals_won))
        self._say = spectator.note
        self._branches: list[Branch] = []
        self._customers: list[str] = []
        """Our ids, always in the same order."""

    @classmethod
    def plan_of(cls, state: Path, seed: int) -> Plan:
        """What the company is before the play begins; the folder is prepared."""
        return plan_of_customers(state, seed, customers=cls.customers_wanted)

    async def play(self) -> report.Json:
        """Play it and return the report."""
        try:
            await self._open()
            began = time.monotonic()
            await self.platform.start()
            await self._take_on()
            await self._act()
            await self._until(self._is_quiet)
            found, wall_s = await self._judged(), round(time.monotonic() - began, 1)
            holds = bool(found) and all(one["holds"] for one in found)
            return {"flow": self.flow, "branches": found, "holds": holds, "wall_s": wall_s}
        finally:
            self.platform.stop()
            self.sandboxes.stop()
            self.database.close()

    async def _act(self) -> None:
        """Cause every branch, and put it on the list with `_expect`."""
        raise NotImplementedError

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        """What each system holds of a branch, in the words of its `must`; `held` is what all of them hold."""
        raise NotImplementedError

    def _ended(self, branch: Branch) -> list[str]:
        """States of the transactions of a branch, the last one last; for a flow whose subjects are others."""
        return self._read(lambda connection: states_of(connection, self.flow, subject=branch.subject))

    async def _take_on(self) -> None:
        wanted = self.plan.deals_won
        self._say(f"{wanted} customers are taken on.")
        await self._until(lambda: len(self._read(customers_of)) >= wanted and self._is_quiet())
        self._customers = self._read(customers_of)

    def _expect(self, name: str, subject: str, *, must: Mapping[str, Any], state: str = "completed") -> None:
        self._branches.append(Branch(name=name, subject=subject, must=must, state=state))

    def _native(self, customer_id: str, system: str) -> str:
        """A system's own id of a customer."""
        return self._read(lambda connection: native_of(connection, "customer", canonical_id=customer_id, system=system))

    # Whoever acts from outside: people, and the weather.

    async def _decide(self, actor: str, *, approve: bool, note: str, refused: str = "", all_open: bool = False) -> None:
        """Decide what waits, and wait for what comes of it; `refused` is somebody who tries first and may not."""
        await self._until(lambda: bool(self._waiting()))
        body = {"approve": approve, "note": note}
        for asked in self._waiting() if all_open else self._waiting()[:1]:
            at = f"/v1/approvals/{asked.approval_id}/decide"
            if refused:
                await self._require_refusal(refused, at, body=body, what=asked)
            verb = "approve" if approve else "reject"
            self._say(f'  accordant approval {verb} {asked.approval_id} --actor {actor} --note "{note}"')
            await self.platform.command("POST", at, body=body, actor=actor)
        await self._until(lambda: not self._waiting() and self._is_quiet())

    async def _require_refusal(self, actor: str, at: str, *, body: report.Json, what: Any) -> None:
        try:
            await self.platform.command("POST", at, body=body, actor=actor)
        except Unavailable:
            self._say(f"  {actor} is refused: {what.rule}")
        else:
            raise Unavailable(f"{actor} was allowed to decide {what.what}")

    async def _retry(self, code: str) -> None:
        """Retry every open item of a code."""
        for item in self._open_items(code):
            await self.platform.command("POST", f"/v1/exceptions/{item}/retry")

    async def _until_stopped(self, code: str) -> None:
        """Until somebody is asked about it."""
        await self._until(lambda: bool(self._open_items(code)))

    async def _down(self, role: str, *, seconds: float) -> None:
        """One system answers nobody for so long."""
        await self.sandboxes.ask(role, "POST", action="down", body={"seconds": seconds})

    async def _load(self, role: str, body: Mapping[str, Any]) -> None:
        """What people do in a system by hand."""
        await self.sandboxes.ask(role, "POST", action="load", body=body)

    async def _close_books(self, *, closed: bool) -> None:
        """Close or reopen the current month."""
        now = time.gmtime()
        month = f"{now.tm_year}-{now.tm_mon:02}"
        last = monthrange(now.tm_year, now.tm_mon)[1]
        period = {"starts_on": f"{month}-01", "ends_on": f"{month}-{last:02}", "closed": closed}
        await self._load("erp", {"periods": [period]})

    # Looking.

    async def _until(self, holds: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + _GIVE_UP_AFTER_S
        while not await asyncio.to_thread(holds):
            self.platform.require_alive()
            if time.monotonic() > give_up_at:
                raise Unavailable(f"it did not come to pass; so far: {self._read(transactions)}")
            await asyncio.sleep(_LOOK_EVERY_S)

    def _is_quiet(self) -> bool:
        """Every branch has arrived, and nothing moves but what waits for somebody's word."""
        arrived = all(self._ended(one) for one in self._branches if one.state)
        rows: list[TransactionRow] = self._read(transactions)
        return arrived and all(one.state in _AT_REST or self._may_wait(one) for one in rows)

    def _may_wait(self, row: TransactionRow) -> bool:
        """Transactions that are at rest although they wait; a flow that waits for a day of its own says so here."""
        return row.state == "waiting" and row.waiting_for == "approval"

    def _waiting(self) -> list[Any]:
        return self._read(lambda connection: waiting(connection, tenant=TENANT))

    def _open_items(self, code: str) -> list[str]:
        return self._read(lambda connection: open_items(connection, code))

    def _read(self, ask: Callable[[Connection], Any]) -> Any:
        return self.database.read_now(ask)

    async def _judged(self) -> list[report.Json]:
        """Each branch beside what the systems hold of it, after everything was read back."""
        await self._until(lambda: read_progress(self.database).unverified == 0)
        held = await self.sandboxes.states()
        return [judged(one, self._found(one, held), ended=self._ended(one)) for one in self._branches]


def judged(branch: Branch, found: Mapping[str, Any], *, ended: list[str]) -> report.Json:
    """What must be, beside what is, as plain values; `holds` where they are the same in every system."""
    plain = msgspec.to_builtins({"must": branch.must, "found": found})
    ends_well = ended[-1:] == ([branch.state] if branch.state else []) and "running" not in ended
    return {
        "branch": branch.name,
        "subject": branch.subject,
        **plain,
        "must_end": branch.state,
        "ended": ended,
        "holds": plain["must"] == plain["found"] and ends_well,
    }


def plan_of_customers(state: Path, seed: int, *, customers: int) -> Plan:
    """The seeded company with so many customers, one won deal each; the folder is prepared."""
    prepare_company(state)
    made = seeded_company(seed)
    deals = made.first["Opportunity"][:customers]
    named = {deal["AccountId"] for deal in deals}
    accounts = [one for one in made.first["Account"] if one["Id"] in named or "ParentId" in one]
    records = {**made.first, "Account": accounts, "Opportunity": deals}
    return Plan(state=state, records=records, seed=seed, deals_won=len(deals))


def states_of(connection: Connection, flow: str, *, subject: str) -> list[str]:
    """How the transactions of a subject ended, the last one last."""
    c = transaction_table.c
    query = select(c.state).where(c.flow == flow, c.subject == subject).order_by(c.opened_at_ms)
    return list(connection.execute(query).scalars())


def customers_of(connection: Connection) -> list[str]:
    """Our ids of the customers that support knows, always in the same order."""
    c = crosswalk_table.c
    query = select(c.canonical_id).where(c.noun == "customer", c.system == "support").order_by(c.canonical_id)
    return list(connection.execute(query).scalars())


def native_of(connection: Connection, noun: str, *, canonical_id: str, system: str) -> str:
    """A system's own id of something of ours."""
    c = crosswalk_table.c
    query = select(c.native_id).where(c.noun == noun, c.system == system, c.canonical_id == canonical_id)
    return connection.execute(query).scalar_one()


def transactions(connection: Connection) -> list[TransactionRow]:
    """All of them, in the order in which they were opened."""
    return rows_of(connection, select(transaction_table).order_by(transaction_table.c.opened_at_ms), TransactionRow)


def open_items(connection: Connection, code: str | None) -> list[str]:
    """Ids of the open items of a code; None for all."""
    c = exception_table.c
    query = select(c.exception_id).where(c.state == "open")
    return list(connection.execute(query if code is None else query.where(c.code == code)).scalars())
