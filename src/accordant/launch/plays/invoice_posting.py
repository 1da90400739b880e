"""A day of invoices: posted, paid, voided, told late and often, and stopped, judged by what the systems hold."""

from pathlib import Path
from typing import Any

import msgspec

from accordant.kernel.money import Money, parse_money
from accordant.launch import report
from accordant.launch.plays.play import TENANT, Branch, Play, states_of
from accordant.launch.run import Fix, Plan, groups_of
from accordant.launch.story import Spectator
from accordant.masterdata.records import latest_of
from accordant.sandboxes import ENTER_CUSTOMER, PAY_INVOICE, VOID_INVOICE

_OUTAGE_S = 3.0
_LATE_S = 1.5
_YEN = 3
"""Place of the deal that is sold in yen."""


class InvoiceDay(Play):
    """Every way of an invoice, on eight customers, of whom one buys in yen."""

    flow = "invoice_posting"

    def __init__(self, plan: Plan, *, spectator: Spectator) -> None:
        super().__init__(plan, spectator=spectator)
        self._later: list[tuple[str, str]] = []
        """Flow and invoice of what was done to invoices since."""

    @classmethod
    def plan_of(cls, state: Path, seed: int) -> Plan:
        plan = super().plan_of(state, seed)
        deals = list(plan.records["Opportunity"])
        deals[_YEN] = {**deals[_YEN], "CurrencyIsoCode": "JPY", "Amount": "150000"}
        return msgspec.structs.replace(plan, records={**plan.records, "Opportunity": deals})

    async def _act(self) -> None:
        self._yen = next(one for one in self._customers if self._currency(one) == "JPY")
        self._dollars = [one for one in self._customers if one != self._yen]
        await self._quick_ones()
        await self._endings()
        await self._trouble()

    async def _quick_ones(self) -> None:
        self._say("An invoice, one with tax, one in yen, one with 25 lines: posted.")
        await self._bill("posted", 0, amounts=[12_000])
        await self._bill("posted with tax", 1, amounts=[10_000, 2_000], tax=840)
        await self._bill("posted in yen", -1, amounts=[15_000])
        await self._bill("25 lines, of which the event shows 10", 2, amounts=list(range(101, 126)))
        await self._bill("an invoice for nothing", 2, amounts=[0], books="nothing")
        self._say("The same event, delivered three times.")
        await self._disturb("webhook_duplicate", copies=[2, 2])
        await self._bill("delivered three times", 3, amounts=[30_000])
        await self._until(self._is_quiet)
        await self._calm()

    async def _endings(self) -> None:
        self._say("Paid by card; and voided, which the books counter.")
        paid = await self._bill("paid", 4, amounts=[9_900], books="paid")
        void = await self._bill("void after posting", 4, amounts=[7_700], books="countered")
        await self._until(self._is_quiet)
        await self._pay(paid)
        await VOID_INVOICE[self._billing.vendor](self._billing.url, void)
        self._later.append(("invoice_voiding", void))
        self._say("The payment is told before its invoice: it waits.")
        await self._disturb("webhook_delay", operation="webhook.invoice.finalized", delay_s=_LATE_S)
        early = await self._bill("paid before posted", 5, amounts=[4_200], books="paid")
        await self._pay(early)
        await self._until(self._is_quiet)
        await self._calm()

    async def _trouble(self) -> None:
        self._say("A product that nobody has mapped, and a customer of nobody's: nothing is posted.")
        await self._bill("product unmapped, then mapped", 5, amounts=[5_000], product="INS-ULTRA")
        stranger = await ENTER_CUSTOMER[self._billing.vendor](self._billing.url, "Nobody's customer")
        await self._bill("a customer of nobody's", 0, amounts=[100], books="nothing", stranger=stranger)
        await self._until_stopped("map.missing")
        self._say("  accordant reference set revenue_item INS-ULTRA INS-PRO")
        await self._map(Fix(table="revenue_item", value="INS-ULTRA", target="INS-PRO"))
        self._say(f"The books go down for {_OUTAGE_S:.0f} s: the invoice waits.")
        await self._down("erp", seconds=_OUTAGE_S)
        await self._bill("books down", 6, amounts=[6_600])
        await self._until(self._is_quiet)
        self._say("The books close the month: finance is asked, reopens it, and the invoice follows.")
        await self._close_books(closed=True)
        await self._bill("period closed", 6, amounts=[8_800])
        await self._until_stopped("netsuite.closed_period")
        await self._close_books(closed=False)
        await self._retry("netsuite.closed_period")

    @property
    def _billing(self) -> Any:
        return self.sandboxes.running["billing"]

    async def _bill(self, name: str, customer: int, *, amounts: list[int], books: str = "open", **how: Any) -> str:
        """Finalize an invoice, of a line for each amount; `customer` -1 buys in yen. Gives billing's id."""
        number = f"PLAY-{len(self._branches) + 1:04}"
        owner = self._yen if customer == -1 else self._dollars[customer]
        currency = "JPY" if customer == -1 else "USD"
        product = how.get("product", "INS-PRO")
        given: dict[str, Any] = {
            "id": f"in_{number}",
            "number": number,
            "currency": currency.lower(),
            "due_on": "2099-01-31",
            "lines": [{"product": product, "description": name, "amount": one} for one in amounts],
            "tax": how.get("tax", 0),
            "auto_advance": True,
            **({"customer": how["stranger"]} if "stranger" in how else {"customer_id": owner}),
        }
        total = Money(sum(amounts) + how.get("tax", 0), currency)
        held = [] if books == "nothing" else [total]
        left = Money(total.amount_minor if books == "open" else 0, currency)
        countered = held if books == "countered" else []
        must = {"billing": total, "books": held, "left": [left] if held else [], "countered": countered}
        self._expect(name, number, must=must, state="exception" if "stranger" in how else "completed")
        await self._load("billing", {"invoices": [given]})
        return str(given["id"])

    async def _pay(self, invoice: str) -> None:
        await PAY_INVOICE[self._billing.vendor](self._billing.url, invoice)
        self._later.append(("invoice_settlement", invoice))

    async def _map(self, fix: Fix) -> None:
        await self.platform.command(
            "PUT", f"/v1/reference/{fix.table}", body={"value": fix.value, "target": fix.target}
        )
        for group in self._read(lambda connection: groups_of(connection, fix)):
            await self.platform.command("POST", f"/v1/causes/{group}/release")

    async def _disturb(self, kind: str, **how: Any) -> None:
        faults = [{"kind": kind, "operation": how.pop("operation", "*"), **how}]
        await self.sandboxes.ask("billing", "PUT", action="faults", body={"faults": faults})

    async def _calm(self) -> None:
        await self.sandboxes.ask("billing", "DELETE", action="faults")

    def _currency(self, customer_id: str) -> str:
        body = self._read(lambda c: latest_of(c, TENANT, noun="customer", canonical_ids=[customer_id]))
        return str(msgspec.json.decode(body[customer_id].body)["currency"])

    def _is_quiet(self) -> bool:
        """What was paid or voided has arrived as well."""
        told = [(flow, invoice.removeprefix("in_")) for flow, invoice in self._later]
        arrived = all(self._read(lambda c, of=one: states_of(c, of[0], subject=of[1])) for one in told)
        return arrived and super()._is_quiet()

    def _found(self, branch: Branch, held: report.Json) -> dict[str, Any]:
        billed = [one for one in held["billing"]["invoice"] if one["number"] == branch.subject]
        posted = [one for one in held["erp"]["invoice"] if one["number"] == branch.subject]
        notes = [one for one in held["erp"]["credit_memo"] if (one["memo"] or "").startswith(f"{branch.subject}:")]
        return {
            "billing": _amount(billed[0]),
            "books": [_amount(one) for one in posted],
            "left": [parse_money(one["remaining"], one["currency"]) for one in posted],
            "countered": [_amount(one) for one in notes],
        }


def _amount(row: report.Json) -> Money:
    return Money(row["amount_minor"], row["currency"])
