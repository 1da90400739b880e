"""A retailer's invoices through the whole platform: from the shop's file to books that tie out with billing."""

import asyncio
import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from accordant.backbone.rows import transaction_table
from accordant.kernel.errors import Unavailable
from accordant.launch import report
from accordant.launch import state as states
from accordant.launch.plays.play import open_items
from accordant.launch.progress import read_progress
from accordant.launch.retail_file import CURRENCY, Document, Line, Sales, originals, read_sales
from accordant.launch.run import Plan, Run
from accordant.launch.story import Spectator
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.sandboxes import CUSTOMERS, SHOP

ENTITY, ENTITY_IN_BOOKS = "UK01", "4"
"""The one legal entity of a retailer in the United Kingdom; it invoices in pounds wherever its customers are."""
_COUNTRIES = {"EIRE": "IE"}
"""Words of the file that the demo estate's table does not know."""
_AT_ONCE = 8
_LOOK_EVERY_S = 0.1
_STALLED_AFTER_S = 120.0
_ENDED = ("completed", "exception")


class Retail(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says must happen."""

    documents: tuple[Document, ...]
    sales: Sales
    originals: dict[str, str]

    @property
    def invoices(self) -> list[Document]:
        return [one for one in self.documents if not one.is_credit]

    @property
    def credits(self) -> list[Document]:
        return [one for one in self.documents if one.is_credit]

    @property
    def customers(self) -> dict[str, str]:
        """Country by number."""
        return {one.customer: one.country for one in self.documents}


def plan_of_retail(path: Path, state: Path, *, limits: str = "off") -> tuple[Plan, Retail]:
    """Read the file and lay out the state folder for its retailer. Raises what `read_sales` raises."""
    sales = Sales()
    documents = tuple(read_sales(path, sales))
    made = Retail(documents=documents, sales=sales, originals=originals(documents))
    states.prepare(state, limits=limits)
    _settle_estate(state / "estate" / "reference", made)
    records = CUSTOMERS["salesforce"](sorted(made.customers.items()), currency=CURRENCY)
    return Plan(state=state, records=records, limits=limits, deals_won=len(made.customers) + len(documents)), made


class RetailRun(Run):
    """Opens the customers, lets the shop invoice them, and asks billing and the books whether they tie."""

    def __init__(self, plan: Plan, made: Retail, *, spectator: Spectator) -> None:
        super().__init__(plan, watch=lambda phase, now: spectator.look(phase, now, goal=plan.deals_won))
        self._made = made
        self._say = spectator.note

    async def play(self) -> report.Json:
        """Play it and return the report."""
        made = self._made
        try:
            await self._open()
            began = time.monotonic()
            await self.platform.start()
            self._say(f"{len(made.customers):,} customers of the file are opened in every system.")
            await self._until_ended("customers", {"customer_opening": len(made.customers)})
            opened = await asyncio.to_thread(self.database.read_now, _billed_customers)
            self._say(f"The shop issues {len(made.invoices):,} invoices and {len(made.credits):,} credits in billing.")
            await self._sell(opened)
            await self._until_ended("documents", self._expected())
            tied = await self.platform.command("GET", "/v1/tie-out")
            counters = await self.sandboxes.counters()
            flows = await asyncio.to_thread(self.database.read_now, _by_flow)
            return {
                "file": self._figures_of_file(),
                "transactions": {f"{flow} {state}": n for (flow, state), n in sorted(flows.items())},
                "open_items": await asyncio.to_thread(self.database.read_now, lambda c: len(open_items(c, None))),
                "tie_out": tied,
                "holds": self._holds(tied),
                "wall_s": round(time.monotonic() - began, 1),
                "requests": {role: one["requests"] for role, one in counters.items()},
            }
        finally:
            self.platform.stop()
            self.sandboxes.stop()
            self.database.close()

    def _expected(self) -> dict[str, int]:
        """How many transactions of each flow there must be in the end."""
        on_invoices, credits_ = len(self._made.originals), len(self._made.credits)
        return {
            "invoice_posting": len(self._made.invoices),
            "credit_note": on_invoices,
            "balance_credit": credits_ - on_invoices,
        }

    async def _sell(self, opened: dict[str, str]) -> None:
        """All invoices, then all credits: a history, each document with a day of its own."""
        ids: dict[str, str] = {}
        turns = asyncio.Semaphore(_AT_ONCE)
        billing = self.sandboxes.running["billing"]
        async with SHOP[billing.vendor](billing.url, currency=CURRENCY) as shop:

            async def issue(one: Document) -> None:
                async with turns:
                    on, items = one.issued_at.date(), [_item(line) for line in one.lines]
                    if not one.is_credit:
                        ids[one.number] = await shop.invoice(opened[one.customer], one.number, on=on, items=items)
                    elif one.number in self._made.originals:
                        invoice = ids[self._made.originals[one.number]]
                        await shop.credit_note(invoice, one.number, on=on, items=items)
                    else:
                        amount = -one.total_minor
                        await shop.credit(opened[one.customer], one.number, on=on, amount=amount)

            await asyncio.gather(*map(issue, self._made.invoices))
            await asyncio.gather(*map(issue, self._made.credits))

    async def _until_ended(self, phase: str, wanted: dict[str, int]) -> None:
        """Until so many transactions of each flow have ended, or stopped for a person, and were read back."""
        moved_at, before = time.monotonic(), None
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.platform.require_alive()
            now = await asyncio.to_thread(read_progress, self.database)
            flows = await asyncio.to_thread(self.database.read_now, _by_flow)
            self._watch(phase, now)
            self._note(now)
            ended: Counter[str] = Counter()
            for (flow, state), n in flows.items():
                ended[flow] += n if state in _ENDED else 0
            missing = {flow: n for flow, n in wanted.items() if ended[flow] < n}
            if not missing and not now.unverified and not now.unread and now.ended == now.total:
                return
            moved_at, before = (time.monotonic(), now) if now != before else (moved_at, before)
            if time.monotonic() - moved_at > _STALLED_AFTER_S:
                raise Unavailable(f"nothing moved for {_STALLED_AFTER_S:.0f} s ({phase}): {dict(ended)} of {wanted}")

    def _figures_of_file(self) -> report.Json:
        made, sales = self._made, self._made.sales
        return {
            "lines": sales.lines,
            "documents": sales.documents,
            "rejected_lines": {reason: len(lines) for reason, lines in sales.rejected.items()},
            "documents_without_lines": sales.without_lines,
            "repeated_lines_kept": sales.repeated,
            "customers": len(made.customers),
            "currency": CURRENCY,
            "invoices": len(made.invoices),
            "invoices_minor": sum(one.total_minor for one in made.invoices),
            "credits": len(made.credits),
            "credits_minor": sum(one.total_minor for one in made.credits),
            "credits_on_an_invoice": len(made.originals),
            "credits_on_the_balance": len(made.credits) - len(made.originals),
        }

    def _holds(self, tied: report.Json) -> bool:
        """Billing and the books tie, and say what the file says."""
        wanted: Counter[tuple[str, str]] = Counter()
        for one in self._made.documents:
            wanted[f"{one.issued_at:%Y-%m}", "credit" if one.is_credit else "invoice"] += one.total_minor
        books = {(one["period"], one["kind"]): one["books_minor"] for one in tied["totals"]}
        return not tied["differences"] and books == dict(wanted)


def _item(line: Line) -> tuple[str, str, int, int]:
    return line.code, line.description, line.unit_minor, abs(line.quantity)


def _settle_estate(folder: Path, made: Retail) -> None:
    """The retailer's own words: what it sells, where its customers are, and that one legal entity bills them all."""
    with (folder / "legal_entity.csv").open("a", encoding="utf-8") as table:
        table.write(f"{ENTITY},{ENTITY_IN_BOOKS},finance operations,,\n")
    header, *rows = list(csv.reader((folder / "country.csv").read_text(encoding="utf-8").splitlines()))
    at = header.index("legal_entity")
    moved = [[*row[:at], ENTITY, *row[at + 1 :]] for row in rows]
    added = [[word, code, "master data", "", "", ENTITY] for word, code in _COUNTRIES.items()]
    _write(folder / "country.csv", [header, *moved, *added])
    sold: dict[str, Line] = {}
    for document in made.documents:
        for line in document.lines:
            sold.setdefault(line.code, line)
    columns = "value target owner effective_from effective_to name list_price currency service_tier".split()
    prices = {code: f"{line.unit_minor // 100}.{line.unit_minor % 100:02}" for code, line in sold.items()}
    products = [
        [code, code, "product operations", "", "", line.description or code, prices[code], CURRENCY, "standard"]
        for code, line in sold.items()
    ]
    _write(folder / "product.csv", [columns, *products])
    items = "value target owner effective_from effective_to department class location".split()
    posted = [[code, code, "finance operations", *[""] * 5] for code in sold]
    _write(folder / "revenue_item.csv", [items, *posted])


def _write(path: Path, rows: Sequence[Sequence[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8")


def _billed_customers(connection: Connection) -> dict[str, str]:
    """Billing's id of each customer by the number of its account."""
    c, tx = crosswalk_table.c, transaction_table.c
    query = (
        select(tx.subject, c.native_id)
        .join(transaction_table, tx.transaction_id == c.transaction_id)
        .where(c.noun == "customer", c.system == "billing")
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _by_flow(connection: Connection) -> dict[tuple[str, str], int]:
    tx = transaction_table.c
    query = select(tx.flow, tx.state, func.count()).group_by(tx.flow, tx.state)
    found: Any = connection.execute(query)
    return {(flow, state): n for flow, state, n in found}
