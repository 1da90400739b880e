"""What the plays about accounts that fall behind have in common: invoices made by hand, and how each account stands."""

from typing import Any

from sqlalchemy import Connection, select

from accordant.backbone.rows import transaction_table
from accordant.kernel.clock import SystemClock
from accordant.launch import report
from accordant.launch.plays.play import TENANT, Branch, Play
from accordant.masterdata import standing
from accordant.sandboxes import BILL, ENTER_CUSTOMER, PAY

FLOWS = ("payment_status", "collections", "credit_hold")
UNKNOWN = "account.unknown"


class AccountPlay(Play):
    """A play whose branches are customers: what every system shows of each in the end."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._whose: dict[str, str] = {}
        """Our customer id by the subject of a branch."""

    async def _bill(self, customer: int, *, due_in_s: int | None = None) -> tuple[str, str]:
        """50.00 for one of the customers, or for a stranger (-1); id and number."""
        vendor, url = self._billing.vendor, self._billing.url
        if customer >= 0:
            native = self._native(self._customers[customer], "billing")
        else:
            native = await ENTER_CUSTOMER[vendor](url, "Somebody")
        due_s = None if due_in_s is None else SystemClock().now_ms() // 1000 + due_in_s
        made = await BILL[vendor](url, customer=native, cents=5_000, due_s=due_s)
        if customer >= 0:
            self._whose[made[1]] = self._customers[customer]
        return made

    async def _pay(self, invoice_id: str) -> None:
        await PAY[self._billing.vendor](self._billing.url, invoice_id)

    async def _happens(self, invoice_id: str, what: str, *, times: int = 1, late: bool = False) -> None:
        one = {"invoice": invoice_id, "what": what, "late": late}
        for _ in range(times):
            await self._load("billing", {"happenings": [one]})

    async def _by_hand(self, customer: int, hold: str) -> None:
        """Somebody in finance sets Hold on the customer's form."""
        await self._load("erp", {"holds": [{"external_id": self._customers[customer], "hold": hold}]})

    async def _until_stands(self, customer: int, status: str) -> None:
        """Until every system was brought in line with it."""
        customer_id = self._customers[customer]

        def stands() -> bool:
            row = self._read(lambda c: standing.kept_of(c, TENANT, customer_ids=[customer_id])).get(customer_id)
            return row is not None and (row.status, row.settled) == (status, "yes")

        await self._until(stands)

    @property
    def _billing(self) -> Any:
        return self.sandboxes.running["billing"]

    def _ended(self, branch: Branch) -> list[str]:
        return self._read(lambda connection: ends_of(connection, branch.subject))

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        customer_id = self._whose.get(branch.subject, "")
        one = {system: _line(held[system], kind, customer_id=customer_id) for system, kind in _KINDS.items()}
        names = {line["business_id"]: line["name"] for line in held["support"]["customer"]}
        told = [line for line in held["crm"]["account_standing"] if line["business_id"] == names.get(customer_id)]
        found = {
            "crm": told[0]["status"] if told else "",
            "books": one["erp"].get("hold", ""),
            "support": one["support"].get("status", ""),
        }
        if "billing" in branch.must:
            found["billing"] = self._in_billing(branch, held, customer_id=customer_id)
        return {name: found[name] for name in branch.must}

    def _in_billing(self, branch: Branch, held: report.Json, *, customer_id: str) -> str:
        """Reminders of the branch's invoice, and whether subscriptions are collected."""
        lines = [one for one in held["billing"]["subscription"] if one["customer"] == customer_id]
        collected = sorted({one["collection"] for one in lines})
        sent = [one["times"] for one in held["billing"]["reminder"] if one["number"] == branch.subject]
        return f"{sum(sent)} reminders, {', '.join(collected)}"


_KINDS = {"erp": "customer", "support": "entitlement"}


def _line(held: report.Json, kind: str, *, customer_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [one for one in held[kind] if one["business_id"] == customer_id]
    return found[0] if found else {}


def ends_of(connection: Connection, subject: str) -> list[str]:
    """How the transactions of these flows about a subject ended, the last one last."""
    c = transaction_table.c
    query = select(c.state).where(c.flow.in_(FLOWS), c.subject == subject).order_by(c.opened_at_ms)
    return list(connection.execute(query).scalars())
