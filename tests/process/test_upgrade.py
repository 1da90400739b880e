"""A change in the middle of a period: billing's invoice, the order's growth and the revenue schedule are one figure."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from accordant.backbone.rows import TransactionRow
from accordant.canonical.contract import Contract, ContractAmended, ContractAmendment
from accordant.canonical.opportunity import OpportunityWon
from accordant.canonical.order import Order
from accordant.canonical.revenue import RevenueSchedule
from accordant.canonical.subscription import Subscription
from accordant.governance.estate import Estate
from accordant.governance.policies import FlowPolicy
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money
from accordant.kernel.proration import Period, delta
from accordant.masterdata.records import history
from accordant.process.agreement import contract_id_of
from accordant.process.customer_onboarding import subscription_id_of
from accordant.wiring import FLOWS
from tests.experience.company import deal
from tests.process.beginnings import account, sold, won
from tests.process.bench import Bench, benched

Record = TypeVar("Record")
SOLD = Money(60_000, "USD")


@pytest.fixture
async def bench(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Bench]:
    async with benched(tmp_path, sqlite_template) as one:
        one.mood.begin(refuse_at=None)
        one.rig.clock.advance(one.world.clock.now_ms() / 1000 - one.rig.clock.now_ms() / 1000)
        sold(one, "100")
        row = await one.play(OpportunityWon(opportunity=won("100")), "100")
        assert row.state == "completed", one.open_item(row)
        yield one


def today(bench: Bench) -> date:
    return datetime.fromtimestamp(bench.rig.clock.now_ms() / 1000, UTC).date()


def forward(bench: Bench, *, days: int) -> None:
    """Everybody's clock."""
    bench.world.advance(days * 86_400)
    bench.rig.clock.advance(days * 86_400)


async def amend(bench: Bench, number: str, *, amount: str, on: date) -> TransactionRow:
    bench.holds("crm", {"Opportunity": [deal(number, AccountId=account("100").source_id)]})
    amendment = ContractAmendment(
        opportunity_id=number,
        source_id=str(deal(number)["Id"]),
        account=account("100"),
        amends_opportunity_id="100",
        product_word="Ledger Start",
        quantity=2,
        amount_text=amount,
        currency_word="USD",
        effective_on=on,
    )
    return await bench.play(ContractAmended(amendment=amendment), number)


def orders(bench: Bench) -> int:
    return sum(one["amount_minor"] for one in bench.world.company.held()["erp"]["order"])


def invoiced(bench: Bench) -> list[int]:
    """Totals of the invoices that changes made, in order."""
    shelf = bench.world.vendor_of("billing").books.invoices.values()
    return [one["total"] for one in shelf if one["billing_reason"] == "subscription_update"]


def schedules(bench: Bench) -> list[RevenueSchedule]:
    return kept(bench, "revenue_schedule", subscription_id_of("100"), RevenueSchedule)


def kept(bench: Bench, noun: str, canonical: str, kind: type[Record]) -> list[Record]:
    """Every version of one of our own records."""
    rows: Any = bench.rig.database.read_now(
        lambda connection: history(connection, "t", noun=noun, canonical_id=canonical)
    )
    return [msgspec.json.decode(row.body, type=kind) for row in rows]


async def test_an_upgrade_costs_the_days_that_are_left_in_all_three_places(bench: Bench) -> None:
    began, before = today(bench), orders(bench)
    forward(bench, days=100)
    row = await amend(bench, "200", amount="1200.00", on=began + timedelta(days=100))
    assert row.state == "completed", bench.open_item(row)
    period = Period(starts_on=began, ends_on=began.replace(year=began.year + 1))
    owed = delta(SOLD, Money(120_000, "USD"), period=period, since=began + timedelta(days=100))
    assert owed.amount.amount_minor > 0
    assert invoiced(bench) == [owed.amount.amount_minor] == [orders(bench) - before]
    sold, grown = kept(bench, "order", canonical_id("order", "100"), Order)
    assert grown.total == sold.total + owed.amount, "what the read-back will expect of the books"
    assert grown.total.amount_minor == orders(bench)
    (schedule,) = schedules(bench)
    assert schedule.total == SOLD + owed.amount
    assert sum(one.amount.amount_minor for one in schedule.months) == schedule.total.amount_minor


async def test_twice_in_one_period_adds_up(bench: Bench) -> None:
    began, before = today(bench), orders(bench)
    forward(bench, days=50)
    await amend(bench, "200", amount="1200.00", on=began + timedelta(days=50))
    forward(bench, days=50)
    row = await amend(bench, "201", amount="300.00", on=began + timedelta(days=100))
    assert row.state == "completed", bench.open_item(row)
    up, down = invoiced(bench)
    assert up > 0 > down
    assert orders(bench) - before == up + down
    assert schedules(bench)[-1].total.amount_minor == SOLD.amount_minor + up + down


async def test_a_day_to_come_changes_no_running_period(bench: Bench) -> None:
    began, before = today(bench), orders(bench)
    row = await amend(bench, "200", amount="1200.00", on=began + timedelta(days=30))
    assert row.state == "completed", bench.open_item(row)
    assert (invoiced(bench), schedules(bench)) == ([], [])
    assert orders(bench) - before == 60_000


async def test_an_earlier_day_than_the_last_change_is_somebodys_decision(bench: Bench) -> None:
    began = today(bench)
    forward(bench, days=100)
    await amend(bench, "200", amount="1200.00", on=began + timedelta(days=100))
    row = await amend(bench, "201", amount="300.00", on=began + timedelta(days=20))
    item = bench.open_item(row)
    assert item is not None
    assert item.code == "proration.out_of_order"
    assert len(invoiced(bench)) == 1


async def test_a_figure_of_billings_own_stops_it_before_anything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, before = today(bench), orders(bench)
    forward(bench, days=100)
    module = "accordant.systems.stripe.sandbox.prorations._rounded"
    monkeypatch.setattr(module, lambda amount, currency: int(amount) + 7)
    row = await amend(bench, "200", amount="1200.00", on=began + timedelta(days=100))
    item = bench.open_item(row)
    assert item is not None
    assert item.code == "proration.differs"
    assert (invoiced(bench), orders(bench)) == ([], before)


async def test_what_the_books_refuse_is_invoiced_back_to_nothing(bench: Bench) -> None:
    began, before = today(bench), orders(bench)
    forward(bench, days=100)
    bench.mood.begin(refuse_at=1)
    row = await amend(bench, "200", amount="1200.00", on=began + timedelta(days=100))
    assert row.state == "compensated", bench.open_item(row)
    assert sum(invoiced(bench)) == 0
    assert len(invoiced(bench)) == 2
    assert (orders(bench), schedules(bench)) == (before, [])


async def test_a_retry_after_the_contract_was_kept_counts_the_change_once(bench: Bench) -> None:
    """Sales cannot be told; by then billing, the books, support and our own records hold the change."""
    bench.rig.estates = {1: holding(bench.rig.estates[1])}
    began = today(bench)
    forward(bench, days=100)
    bench.mood.begin(refuse_at=3)
    row = await amend(bench, "200", amount="1200.00", on=began + timedelta(days=100))
    item = bench.open_item(row)
    assert item is not None
    assert row.state == "exception"
    bench.mood.begin(refuse_at=None)
    await bench.rig.desk.retry(item.exception_id, actor="ops")
    await bench.rig.settled()
    (state,) = [one.state for one in bench.rig.transactions() if one.transaction_id == row.transaction_id]
    assert state == "completed"
    first, second = contracts(bench)
    assert (first.total, second.total) == (SOLD, Money(120_000, "USD"))
    assert len(invoiced(bench)) == len(schedules(bench)) == 1
    assert [one.total for one in subscriptions(bench)] == [SOLD, Money(120_000, "USD")]


def holding(estate: Estate) -> Estate:
    flows = {name: FlowPolicy(on_failure="hold") for name in FLOWS.all()}
    return msgspec.structs.replace(estate, policies=msgspec.structs.replace(estate.policies, flows=flows))


def contracts(bench: Bench) -> list[Contract]:
    (customer,) = bench.world.company.held()["support"]["customer"]
    return kept(bench, "contract", contract_id_of(customer["business_id"]), Contract)


def subscriptions(bench: Bench) -> list[Subscription]:
    return kept(bench, "subscription", subscription_id_of("100"), Subscription)
