"""Days of disputes: every branch of the flow on open invoices, judged by what the systems hold."""

import time
from datetime import date, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from accordant.backbone.rows import TransactionRow, event_table
from accordant.canonical.dispute import DisputeRuled
from accordant.kernel.money import Money
from accordant.launch import report
from accordant.launch.plays.play import Branch, Play, transactions
from accordant.sandboxes import DISPUTE_INVOICE, PAY_BY_CARD, RULE_DISPUTE

_REVIEWER = "reviewer@finance"
_OUTAGE_S = 3.0
_PATIENT, _IMPATIENT = "answer_within_h: 336", "answer_within_h: 0"


class Ends(msgspec.Struct, frozen=True, kw_only=True):
    """How a dispute must end."""

    gives: int = 0
    """What the customer is credited, in minor units."""
    left: int | None = None
    """What is owed in the end; None where billing has no such invoice."""
    shows: str = "credited"
    state: str = "completed"


_STOPPED = Ends(shows="blocked", state="exception")


class DisputeDays(Play):
    """Disputes credited, confirmed, changed, rejected, paid meanwhile, twice, and never answered."""

    flow = "invoice_dispute"

    async def _act(self) -> None:
        await self._rulings()
        await self._reviews()
        await self._refusals()
        await self._trouble()
        await self._silence()

    async def _rulings(self) -> None:
        self._say("An invoice of 120.00 is disputed: nobody asks for it until somebody rules.")
        case = await self._dispute("credited", 0, number="D-0001", minor=12_000, ends=Ends(gives=8_000, left=4_000))
        await self._rule(case, "credit 80.00")
        self._say("Another one is right as it is: it is asked for again.")
        confirmed = Ends(shows="confirmed", left=15_000)
        case = await self._dispute("confirmed", 1, number="D-0002", minor=20_000, ends=confirmed)
        await self._rule(case, "confirmed")
        self._say("The same invoice is disputed once more, on another case: that is a dispute of its own.")
        case = await self._claim("disputed once more", 1, number="D-0002", ends=Ends(gives=5_000, left=15_000))
        await self._rule(case, "credit 50.00")
        self._say("The customer pays while it is disputed: the credit is kept for the next invoice.")
        case = await self._dispute("paid meanwhile", 2, number="D-0003", minor=9_000, ends=Ends(gives=3_000, left=0))
        await PAY_BY_CARD[self._billing.vendor](self._billing.url, invoice="D-0003")
        await self._rule(case, "credit 30.00")

    async def _reviews(self) -> None:
        self._say("400.00: more than is credited unasked; finance agrees.")
        ends = Ends(gives=40_000, left=20_000)
        case = await self._dispute("reviewed and agreed", 3, number="D-0004", minor=60_000, ends=ends)
        await self._rule(case, "credit 400.00")
        await self._decide(_REVIEWER, approve=True, note="billed twice")
        self._say("500.00: finance refuses; the invoice stands as it is.")
        ends = Ends(shows="confirmed", left=50_000)
        case = await self._dispute("reviewed and rejected", 4, number="D-0005", minor=50_000, ends=ends)
        await self._rule(case, "credit 500.00")
        await self._decide(_REVIEWER, approve=False, note="the meter is right")
        self._say("300.00, changed to 250.00 while in review: finance is asked again, and the later word counts.")
        ends = Ends(gives=25_000, left=5_000)
        case = await self._dispute("changed in review", 5, number="D-0006", minor=30_000, ends=ends)
        await self._rule(case, "credit 300.00")
        first = await self._asked_first()
        await self._rule(case, "credit 250.00", times=2)
        at, body = f"/v1/approvals/{first}/decide", {"approve": True, "note": "the first word"}
        await self.platform.command("POST", at, body=body, actor=_REVIEWER)
        await self._until(lambda: [one.approval_id for one in self._waiting()] not in ([], [first]))
        await self._decide(_REVIEWER, approve=True, note="the second word")

    async def _refusals(self) -> None:
        self._say("An invoice that nobody sent, and one that is under dispute already.")
        await self._claim("an invoice that is not there", 6, number="D-9999", ends=_STOPPED)
        first = Ends(shows="confirmed", left=7_000)
        case = await self._dispute("the first of two", 6, number="D-0007", minor=7_000, ends=first)
        await self._claim("the second of two", 6, number="D-0007", ends=msgspec.structs.replace(_STOPPED, left=7_000))
        await self._rule(case, "confirmed")
        self._say("80.00 of 70.00: more than is disputed; the agent rules again, and finance retries.")
        case = await self._dispute("too much", 6, number="D-0008", minor=7_000, ends=Ends(gives=7_000, left=0))
        await self._rule(case, "credit 80.00")
        await self._until_stopped("dispute.exceeds")
        await self._rule(case, "credit 70.00", times=2)
        await self._retry("dispute.exceeds")
        await self._until(self._is_quiet)

    async def _trouble(self) -> None:
        self._say(f"The books go down for {_OUTAGE_S:.0f} s: the invoice is credited, the memo waits.")
        case = await self._dispute("books down", 7, number="D-0009", minor=6_000, ends=Ends(gives=6_000, left=0))
        await self._down("erp", seconds=_OUTAGE_S)
        await self._rule(case, "credit 60.00")
        await self._until(self._is_quiet)
        self._say("The books close the month: finance is asked, reopens it, and nothing is credited twice.")
        case = await self._dispute("period closed", 7, number="D-0010", minor=4_500, ends=Ends(gives=4_500, left=0))
        await self._close_books(closed=True)
        await self._rule(case, "credit 45.00")
        await self._until_stopped("netsuite.closed_period")
        await self._close_books(closed=False)
        await self._retry("netsuite.closed_period")
        await self._until(self._is_quiet)

    async def _silence(self) -> None:
        self._say("One is still open: it waits, also while the platform dies and comes back; nobody asks for money.")
        ends = Ends(shows="open", left=3_000, state="waiting")
        await self._dispute("still open", 2, number="D-0011", minor=3_000, ends=ends)
        policies = self.plan.state / "estate" / "policies.yaml"
        policies.write_text(policies.read_text(encoding="utf-8").replace(_PATIENT, _IMPATIENT), encoding="utf-8")
        await self.platform.kill_and_restart()
        self._say("Now the time to rule is short: nobody does, and finance is asked.")
        ends = Ends(shows="blocked", left=2_000, state="exception")
        await self._dispute("never answered", 2, number="D-0012", minor=2_000, ends=ends)

    @property
    def _support(self) -> Any:
        return self.sandboxes.running["support"]

    @property
    def _billing(self) -> Any:
        return self.sandboxes.running["billing"]

    async def _dispute(self, name: str, customer: int, *, number: str, minor: int, ends: Ends) -> str:
        """An open invoice is disputed on a case of its own."""
        owner = {"customer_id": self._customers[customer], "number": number}
        lines = [{"description": "Service", "amount": minor}]
        invoice = {**owner, "lines": lines, "currency": "usd", "due_on": _in_a_month()}
        await self._load("billing", {"invoices": [invoice]})
        return await self._claim(name, customer, number=number, ends=ends)

    async def _claim(self, name: str, customer: int, *, number: str, ends: Ends) -> str:
        organization = self._native(self._customers[customer], "support")
        case = await DISPUTE_INVOICE[self._support.vendor](
            self._support.url, customer=organization, subject=name, invoice=number
        )
        amounts = [Money(ends.gives, "USD")] if ends.gives else []
        must: dict[str, Any] = {"billing": amounts, "books": amounts, "support": ends.shows}
        if ends.left is not None:
            is_frozen = ends.shows in ("open", "blocked") and name != "the second of two"
            must |= {"owed": Money(ends.left, "USD"), "asked for": bool(ends.left) and not is_frozen}
        self._expect(name, case, must={**must, "invoice": number}, state=ends.state)
        await self._until(lambda: self._stands_still(case))
        return case

    async def _rule(self, case: str, ruling: str, *, times: int = 1) -> None:
        """An agent says what came of it, and whatever can happen without anybody's word happens."""
        await RULE_DISPUTE[self._support.vendor](self._support.url, case, ruling=ruling)
        await self._until(lambda: self._read(lambda connection: rulings(connection, case)) == times)
        await self._until(lambda: self._stands_still(case, ruled=True))

    async def _asked_first(self) -> str:
        await self._until(lambda: bool(self._waiting()))
        return self._waiting()[0].approval_id

    def _stands_still(self, case: str, *, ruled: bool = False) -> bool:
        """Whether the newest dispute of a case has come as far as it can."""
        rows: list[TransactionRow] = [one for one in self._read(transactions) if one.subject == case]
        waits = ("approval",) if ruled else ("approval", "event")
        return bool(rows) and (
            rows[-1].state in ("completed", "exception")
            or (rows[-1].state == "waiting" and rows[-1].waiting_for in waits)
        )

    def _may_wait(self, row: TransactionRow) -> bool:
        """The invoices are older than the platform, so that the books never have what a payment of one settles."""
        return row.state == "waiting" and (row.waiting_for in ("approval", "event") or row.flow == "invoice_settlement")

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        number = branch.must["invoice"]
        memos = [one for one in held["erp"]["credit_memo"] if one["memo"].startswith(f"case {branch.subject},")]
        ids = {one["business_id"] for one in memos}
        notes = [one for one in held["billing"]["credit_note"] if one["business_id"] in ids]
        cases = {one["business_id"]: one.get("status") for one in held["support"]["dispute"]}
        found: dict[str, Any] = {
            "billing": [_amount(one) for one in notes],
            "books": [_amount(one) for one in memos],
            "support": cases.get(branch.subject) or "",
        }
        for one in held["billing"]["disputed_invoice"]:
            if one["number"] == number:
                found |= {"owed": Money(one["owed_minor"], one["currency"]), "asked for": one["is_asked_for"]}
        return {**found, "invoice": number}


def rulings(connection: Connection, case: str) -> int:
    """How many rulings of a case were told."""
    c = event_table.c
    query = select(func.count()).where(c.subject == case, c.type == DisputeRuled.type)
    return connection.execute(query).scalar_one()


def _in_a_month() -> str:
    today = time.gmtime()
    return (date(today.tm_year, today.tm_mon, today.tm_mday) + timedelta(days=30)).isoformat()


def _amount(row: report.Json) -> Money:
    return Money(row["amount_minor"], row["currency"])
