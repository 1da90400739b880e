"""How each shipped flow begins: what people have entered before, and the fact that begins it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import select

from accordant.canonical.case import CreditRequest, CreditRequested
from accordant.canonical.contract import ContractAmended, ContractAmendment
from accordant.canonical.customer import SourceAccount
from accordant.canonical.envelope import Fact
from accordant.canonical.opportunity import Opportunity, OpportunityCorrected, OpportunityWon
from accordant.masterdata.crosswalk import crosswalk_table
from tests.experience.company import deal
from tests.process.bench import Bench

Beginning = Callable[[Bench, str], Awaitable[Fact]]
"""Makes ready what the flow needs for a subject (a number as text), and gives the fact that begins it."""


def account(number: str) -> SourceAccount:
    return SourceAccount(source_id=_account_id(number), name=f"Lone Star {number}", country_word="United States")


def won(number: str) -> Opportunity:
    return Opportunity(
        opportunity_id=number,
        source_id=str(deal(number)["Id"]),
        account=account(number),
        product_word="Ledger Start",
        amount_text="600.00",
        currency_word="USD",
        closed_on=date(2026, 3, 2),
    )


def _account_id(number: str) -> str:
    return f"001Kx00000{number:0>5}IAA"


def _sold(bench: Bench, number: str) -> None:
    at = _account_id(number)
    bench.holds("crm", {"Account": [{"Id": at, "Name": f"Lone Star {number}", "BillingCountry": "United States"}]})
    bench.holds("crm", {"Opportunity": [deal(number, AccountId=at)]})


async def _onboarding(bench: Bench, number: str) -> Fact:
    _sold(bench, number)
    return OpportunityWon(opportunity=won(number))


async def _customer(bench: Bench, number: str) -> None:
    row = await bench.play(await _onboarding(bench, number), number)
    assert row.state == "completed", bench.open_item(row)


async def _amendment(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    changing = str(int(number) + 10_000)
    bench.holds("crm", {"Opportunity": [deal(changing, AccountId=_account_id(number))]})
    amendment = ContractAmendment(
        opportunity_id=changing,
        source_id=str(deal(changing)["Id"]),
        account=account(number),
        amends_opportunity_id=number,
        product_word="Ledger Start",
        quantity=2,
        amount_text="1200.00",
        currency_word="USD",
        effective_on=date(2026, 3, 9),
    )
    return ContractAmended(amendment=amendment)


async def _correction(bench: Bench, number: str) -> Fact:
    return OpportunityCorrected(opportunity=won(number))


async def _credit(bench: Bench, number: str) -> Fact:
    await _customer(bench, number)
    bench.holds("support", {"tickets": [{"subject": "Down", "comment": {"body": "Since noon"}}]})
    case = str(max(one["id"] for one in bench.world.vendor_of("support").tickets.store.values()))
    request = CreditRequest(
        case_id=case,
        source_id=case,
        customer_source_id=_native(bench, "support"),
        severity="high",
        subject="Down",
        amount_text="400.00",
        reason="outage",
        requested_by="7",
        requested_on=date(2026, 3, 20),
    )
    return CreditRequested(request=request)


def _native(bench: Bench, system: str) -> str:
    """How a system calls the customer that was opened last."""
    c = crosswalk_table.c
    query = select(c.native_id).where(c.noun == "customer", c.system == system).order_by(c.since_ms.desc())
    found: Any = bench.rig.database.read_now(lambda connection: connection.execute(query).scalars().first())
    return found


BEGINNINGS: Mapping[str, Beginning] = {
    "customer_onboarding": _onboarding,
    "contract_amendment": _amendment,
    "deal_correction": _correction,
    "service_credit": _credit,
}
