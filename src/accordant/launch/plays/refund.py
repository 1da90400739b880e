"""A day of refunds: every branch of the flow, on invoices that were paid by card, judged by what the systems hold."""

import time
from datetime import date, timedelta
from typing import Any

from accordant.kernel.money import Money
from accordant.launch import report
from accordant.launch.plays.play import Branch, Play, states_of
from accordant.sandboxes import ASK_AGAIN, ASK_FOR_CREDIT, REFUND_BY_HAND

_REVIEWER, _DIRECTOR = "reviewer@finance", "director@finance"
_OUTAGE_S = 3.0
_REFUNDED, _STOPPED = ("completed", "refunded"), ("exception", "blocked")
"""How a transaction ends, and what its case shows."""
_BY_HAND = "made by hand in billing"


class RefundDay(Play):
    """Refunds whole and in parts, agreed and refused, too much, too late, and one past the approvals."""

    flow = "refund"

    async def _act(self) -> None:
        await self._decisions()
        await self._refusals()
        await self._trouble()

    async def _decisions(self) -> None:
        self._say("120.00 of an invoice of 120.00: however small, somebody agrees first.")
        await self._pay("R-0001", 0, minor=12_000)
        await self._ask("agreed", 0, request="refund 120.00 R-0001 overcharge", minor=12_000)
        await self._decide(_REVIEWER, approve=True, note="billed twice")
        self._say("Again, on another case: it was given back already.")
        await self._ask("twice", 0, request="refund 120.00 R-0001 overcharge", minor=0, ends=_STOPPED)
        self._say("80.00 of 200.00, then 70.00 more; then 60.00, which is not left.")
        await self._pay("R-0002", 1, minor=20_000)
        await self._ask("partly", 1, request="refund 80.00 R-0002 outage", minor=8_000)
        await self._decide(_REVIEWER, approve=True, note="agreed")
        await self._ask("another part", 1, request="refund 70.00 R-0002 outage", minor=7_000)
        await self._decide(_REVIEWER, approve=True, note="agreed")
        await self._ask("more than is left", 1, request="refund 60.00 R-0002 outage", minor=0, ends=_STOPPED)
        self._say("90.00: finance refuses, and the case says why.")
        await self._pay("R-0003", 2, minor=9_000)
        await self._ask("rejected", 2, request="refund 90.00 R-0003 slow", minor=0, ends=("completed", "rejected"))
        await self._decide(_REVIEWER, approve=False, note="used until yesterday")
        self._say("7,500.00: more than a reviewer may decide; the director does.")
        await self._pay("R-0004", 3, minor=750_000)
        await self._ask("beyond the reviewer", 3, request="refund 7500.00 R-0004 overcharge", minor=750_000)
        await self._decide(_DIRECTOR, approve=True, note="wrong contract", refused=_REVIEWER)

    async def _refusals(self) -> None:
        self._say("Paid more than half a year ago, not paid at all, paid elsewhere, and an invoice of somebody else's.")
        await self._pay("R-0005", 4, minor=5_000, days_ago=181)
        await self._ask("too old", 4, request="refund 50.00 R-0005 outage", minor=0, ends=_STOPPED)
        await self._load("billing", {"invoices": [self._invoice("R-0006", 4, minor=5_000)]})
        await self._ask("not paid", 4, request="refund 50.00 R-0006 outage", minor=0, ends=_STOPPED)
        await self._load("billing", {"invoices": [{**self._invoice("R-0007", 4, minor=5_000), "status": "paid"}]})
        await self._ask("paid elsewhere", 4, request="refund 50.00 R-0007 outage", minor=0, ends=_STOPPED)
        await self._ask("somebody else's invoice", 4, request="refund 50.00 R-0002 outage", minor=0, ends=_STOPPED)

    async def _trouble(self) -> None:
        self._say("100.00, changed to 60.00 while in review: only the later request counts.")
        await self._pay("R-0008", 5, minor=10_000)
        case = await self._ask("changed in review", 5, request="refund 100.00 R-0008 outage", minor=6_000)
        await self._until(lambda: bool(self._waiting()))
        await ASK_AGAIN[self._support.vendor](self._support.url, case, request="refund 60.00 R-0008 outage")
        await self._until(lambda: len(self._waiting()) == 2)
        await self._decide(_REVIEWER, approve=True, note="agreed", all_open=True)
        self._say(f"The books go down for {_OUTAGE_S:.0f} s: the money goes back, the books follow.")
        await self._pay("R-0009", 6, minor=10_000)
        await self._ask("books down", 6, request="refund 100.00 R-0009 outage", minor=10_000)
        await self._until(lambda: bool(self._waiting()))
        await self._down("erp", seconds=_OUTAGE_S)
        await self._decide(_REVIEWER, approve=True, note="agreed")
        self._say("The books close the month: finance is asked, reopens it, and nothing is given back twice.")
        await self._pay("R-0010", 7, minor=4_500)
        await self._close_books(closed=True)
        await self._ask("period closed", 7, request="refund 45.00 R-0010 outage", minor=4_500)
        await self._decide(_REVIEWER, approve=True, note="agreed")
        await self._until_stopped("netsuite.closed_period")
        await self._close_books(closed=False)
        await self._retry("netsuite.closed_period")
        self._say("25.00 given back by hand in billing: nobody agreed, and finance is asked.")
        await self._pay("R-0011", 2, minor=5_000)
        billing = self.sandboxes.running["billing"]
        made = await REFUND_BY_HAND[billing.vendor](billing.url, invoice="R-0011", amount=2_500)
        must = {"billing": [Money(2_500, "USD")], "open item": "25.00 USD"}
        self._expect(_BY_HAND, made, must=must, state="exception")

    @property
    def _support(self) -> Any:
        return self.sandboxes.running["support"]

    def _invoice(self, number: str, customer: int, *, minor: int) -> dict[str, Any]:
        owner = {"customer_id": self._customers[customer], "number": number}
        return {**owner, "total": minor, "currency": "usd", "due_on": _day(30)}

    async def _pay(self, number: str, customer: int, *, minor: int, days_ago: int = 10) -> None:
        """An invoice that a card paid some days ago."""
        invoice = {**self._invoice(number, customer, minor=minor), "status": "paid", "paid_on": _day(-days_ago)}
        await self._load("billing", {"invoices": [invoice]})

    async def _ask(
        self, name: str, customer: int, *, request: str, minor: int, ends: tuple[str, str] = _REFUNDED
    ) -> str:
        """An agent opens a case with a request; `minor` is given back in the end."""
        organization = self._native(self._customers[customer], "support")
        case = await ASK_FOR_CREDIT[self._support.vendor](
            self._support.url, customer=organization, subject=name, priority="normal", request=request
        )
        amounts = [Money(minor, "USD")] if minor else []
        must = {"billing": amounts, "books": amounts, "paid out": amounts, "support": ends[1]}
        self._expect(name, case, must=must, state=ends[0])
        if ends == _STOPPED:
            await self._until(self._is_quiet)
        return case

    def _ended(self, branch: Branch) -> list[str]:
        flow = "refund_outside" if branch.name == _BY_HAND else self.flow
        return self._read(lambda connection: states_of(connection, flow, subject=branch.subject))

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        if branch.name == _BY_HAND:
            made = [one for one in held["billing"]["refund"] if not one["business_id"]]
            (item,) = self._open_items("control.bypassed") or [""]
            return {"billing": [_amount(one) for one in made], "open item": "25.00 USD" if item else ""}
        refunds = [one for one in held["billing"]["refund"] if one["case_id"] == branch.subject]
        posted = {
            kind: [_amount(one) for one in held["erp"][kind] if one["memo"].startswith(f"case {branch.subject},")]
            for kind in ("credit_memo", "customer_refund")
        }
        cases = {one["business_id"]: one["status"] for one in held["support"]["case"]}
        return {
            "billing": [_amount(one) for one in refunds],
            "books": posted["credit_memo"],
            "paid out": posted["customer_refund"],
            "support": cases.get(branch.subject, ""),
        }


def _day(days: int) -> str:
    """So many days from today, in UTC."""
    today = time.gmtime()
    return (date(today.tm_year, today.tm_mon, today.tm_mday) + timedelta(days=days)).isoformat()


def _amount(row: report.Json) -> Money:
    return Money(row["amount_minor"], row["currency"])
