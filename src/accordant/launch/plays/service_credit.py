"""A day of service credits: every branch of the flow, on eight customers, judged by what the systems hold."""

from typing import Any

from accordant.kernel.money import Money
from accordant.launch import report
from accordant.launch.plays.play import Branch, Play
from accordant.sandboxes import ASK_AGAIN, ASK_FOR_CREDIT

_REVIEWER, _DIRECTOR = "reviewer@finance", "director@finance"
_OUTAGE_S = 3.0
_CREDITED, _STOPPED = ("completed", "credited"), ("exception", "blocked")
"""How a transaction ends, and what its case shows."""


class CreditDay(Play):
    """Credits within and beyond the limits, agreed and refused, with the books down and closed."""

    flow = "service_credit"

    async def _act(self) -> None:
        await self._quick_ones()
        await self._reviews()
        await self._trouble()

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
        customer = self._customers[5]
        self._say("A customer in arrears: even 20.00 is somebody's decision.")
        owed = {"customer_id": customer, "total": 99_00, "currency": "usd", "due_on": "2020-01-31"}
        await self._load("billing", {"invoices": [owed]})
        await self._ask("in arrears", 5, request="20.00 outage", minor=2_000)
        await self._decide(_REVIEWER, approve=True, note="goodwill")
        self._say(f"The books go down for {_OUTAGE_S:.0f} s: the credit is granted, its memo waits.")
        await self._down("erp", seconds=_OUTAGE_S)
        await self._ask("books down", 2, request="60.00 outage", minor=6_000)
        await self._until(self._is_quiet)
        self._say("The books close the month: finance is asked, reopens it, and the memo follows.")
        await self._close_books(closed=True)
        await self._ask("period closed", 6, request="45.00 outage", minor=4_500)
        await self._until_stopped("netsuite.closed_period")
        await self._close_books(closed=False)
        await self._retry("netsuite.closed_period")

    @property
    def _support(self) -> Any:
        return self.sandboxes.running["support"]

    async def _ask(
        self, name: str, customer: int, *, request: str, minor: int, ends: tuple[str, str] = _CREDITED
    ) -> str:
        """An agent opens a case with a request; `customer` -1 is nobody, `minor` is credited in the end."""
        organization = self._native(self._customers[customer], "support") if customer >= 0 else ""
        case = await ASK_FOR_CREDIT[self._support.vendor](
            self._support.url, customer=organization, subject=name, priority="urgent", request=request
        )
        amounts = [Money(minor, "USD")] if minor else []
        self._expect(name, case, must={"billing": amounts, "books": amounts, "support": ends[1]}, state=ends[0])
        return case

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        memos = [one for one in held["erp"]["credit_memo"] if one["memo"].startswith(f"case {branch.subject},")]
        ids = {one["business_id"] for one in memos}
        cases = {one["business_id"]: one["status"] for one in held["support"]["case"]}
        return {
            "billing": [_amount(one) for one in held["billing"]["credit"] if one["business_id"] in ids],
            "books": [_amount(one) for one in memos],
            "support": cases.get(branch.subject, ""),
        }


def _amount(row: report.Json) -> Money:
    return Money(row["amount_minor"], row["currency"])
