"""An account held for longer than an answer may be old is `eligible` to nobody, whatever goes wrong."""

import asyncio
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accordant.canonical.account import CreditHold
from accordant.canonical.contract import Contract, ContractLine
from accordant.canonical.customer import Address, Customer
from accordant.canonical.invoice import OpenInvoice
from accordant.governance.collections import Collections, Freshness
from accordant.governance.estate import Estate
from accordant.governance.policies import Policies
from accordant.kernel.clock import ManualClock
from accordant.kernel.errors import Refused, Unavailable
from accordant.kernel.money import Money
from accordant.masterdata.standing import Seen, StandingRow, decide
from accordant.operations.entitlements import Entitlements, Known

TTL_S = 60
RULES = Collections(
    support={
        "current": "as contracted",
        "past due": "as contracted",
        "on hold": "limited",
        "suspended": "suspended",
    },
    freshness=Freshness(ttl_s=TTL_S, ask_within_s=1),
)
ESTATE = Estate(version=1, tables={}, policies=Policies(exceptions={}), ownership={}, collections=RULES)
HERE = Address(country="US")
CUSTOMER = Customer(
    customer_id="customer-1", name="Acme", legal_entity="US01", currency="USD", bill_to=HERE, ship_to=HERE
)
CONTRACT = Contract(
    contract_id="contract-1",
    customer_id="customer-1",
    version=1,
    total=Money(1, "USD"),
    service_tier="plus",
    ends_on=date(2100, 1, 1),
    line=ContractLine(
        line_id="s",
        product_id="p",
        quantity=1,
        total=Money(1, "USD"),
        service_tier="plus",
        starts_on=date(2020, 1, 1),
        ends_on=date(2100, 1, 1),
    ),
    agreed_in="1",
)


class Company:
    """Billing and the books as they are, what was kept of them, and whoever asks."""

    def __init__(self, rules: Collections = RULES) -> None:
        self.clock = ManualClock()
        self.held = False
        self.down = False
        self.slow = False
        self.asked = 0
        self.kept: StandingRow | None = None
        self.contract: Contract | None = CONTRACT
        estate = msgspec.structs.replace(ESTATE, collections=rules)
        self.desk = Entitlements(
            self._find, ports={"billing": self, "erp": self}, clock=self.clock, estate=lambda: estate
        )

    async def _find(self, word: str) -> Known | None:
        if word != "customer-1":
            return None
        accounts = {"billing": "cus_1", "erp": "1001"}
        return Known(customer=CUSTOMER, contract=self.contract, accounts=accounts, kept=self.kept)

    async def open_invoices(self, account: Any, *, currency: str) -> tuple[OpenInvoice, ...]:
        self.asked += 1
        if self.slow:
            await asyncio.sleep(30)
        if self.down:
            raise Unavailable("billing is down")
        return ()

    async def credit_hold(self, account: Any) -> CreditHold:
        if self.down:
            raise Unavailable("the books are down")
        return self._hold()

    def _hold(self) -> CreditHold:
        return CreditHold(is_on=self.held, is_ours=False, is_waived=False)

    def seen_now(self) -> StandingRow:
        """What a transaction finds out at this moment, and commits some time."""
        at_ms = self.clock.now_ms()
        found = decide(Seen(invoices=(), hold=self._hold(), at_ms=at_ms), CUSTOMER, CONTRACT, estate=ESTATE)
        return StandingRow(
            tenant="t",
            customer_id="customer-1",
            status=found.status,
            support=found.support,
            hold=found.hold,
            collection="running",
            balance_minor=0,
            overdue_minor=0,
            currency="USD",
            reason=found.reason,
            settled="yes",
            as_of_ms=at_ms,
            transaction_id="tx-1",
        )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 90)),
        st.tuples(st.sampled_from(["hold", "release", "down", "up", "look", "commit", "check"]), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_a_held_account_is_eligible_to_nobody_after_the_time_that_an_answer_may_be_old(
    steps: list[tuple[str, int]],
) -> None:
    async def play() -> None:
        company, looked = Company(), list[StandingRow]()
        held_since: int | None = None
        for what, seconds in [*steps, ("check", 0)]:
            match what:
                case "wait":
                    company.clock.advance(seconds)
                case "hold":
                    held_since = company.clock.now_ms() if not company.held else held_since
                    company.held = True
                case "release":
                    company.held, held_since = False, None
                case "down" | "up":
                    company.down = what == "down"
                case "look":
                    looked.append(company.seen_now())
                case "commit" if looked:
                    company.kept = looked.pop()
                case _:
                    said = await company.desk.check("customer-1")
                    old_ms = company.clock.now_ms() - held_since if held_since is not None else 0
                    if old_ms > TTL_S * 1000:
                        assert said.answer != "eligible", (said, old_ms)
                    assert said.is_degraded == (said.source == "policy")
                    assert not said.is_degraded or said.answer != "eligible"

    asyncio.run(play())


async def test_what_is_young_answers_without_asking_and_what_is_old_does_not() -> None:
    company = Company()
    first = await company.desk.check("customer-1")
    assert (first.answer, first.source, first.service_tier, company.asked) == ("eligible", "asked", "plus", 1)
    company.held = True
    company.clock.advance(TTL_S)
    at_the_border = await company.desk.check("customer-1")
    assert (at_the_border.answer, at_the_border.source, company.asked) == ("eligible", "kept", 1)
    company.clock.advance(0.001)
    later = await company.desk.check("customer-1")
    assert (later.answer, later.source, company.asked) == ("limited", "asked", 2)
    assert "by hand" in later.reason


async def test_what_a_transaction_kept_counts_where_it_is_younger() -> None:
    company = Company()
    await company.desk.check("customer-1")
    company.held = True
    company.clock.advance(1)
    company.kept = company.seen_now()
    said = await company.desk.check("customer-1")
    assert (said.answer, said.source, company.asked) == ("limited", "kept", 1)


@pytest.mark.parametrize(("unreachable", "answer"), [("limited", "limited"), ("not eligible", "not eligible")])
async def test_where_nobody_can_be_asked_the_estate_has_declared_the_answer(unreachable: Any, answer: str) -> None:
    rules = msgspec.structs.replace(RULES, freshness=Freshness(ttl_s=TTL_S, unreachable=unreachable))
    company = Company(rules)
    company.down = True
    said = await company.desk.check("customer-1")
    assert (said.answer, said.source, said.is_degraded) == (answer, "policy", True)
    assert "billing is down" in said.reason or "the books are down" in said.reason


async def test_what_was_worse_before_stays_worse_while_nobody_can_be_asked() -> None:
    company = Company()
    company.kept = msgspec.structs.replace(company.seen_now(), support="suspended", reason="long overdue")
    company.clock.advance(TTL_S + 1)
    company.down = True
    said = await company.desk.check("customer-1")
    assert (said.answer, said.is_degraded) == ("not eligible", True)
    assert "long overdue" in said.reason


async def test_nobody_waits_for_a_system_that_does_not_answer() -> None:
    company = Company()
    company.slow = True
    said = await asyncio.wait_for(company.desk.check("customer-1"), 5)
    assert (said.answer, said.is_degraded, "no answer in time" in said.reason) == ("limited", True, True)


async def test_without_a_contract_that_runs_nobody_is_eligible() -> None:
    company = Company()
    company.contract = msgspec.structs.replace(CONTRACT, ends_on=date(2020, 12, 31))
    ended = await company.desk.check("customer-1")
    assert (ended.answer, company.asked) == ("not eligible", 0)
    assert "2020-12-31" in ended.reason
    company.contract = None
    assert (await company.desk.check("customer-1")).answer == "not eligible"


async def test_who_is_nobodys_customer_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refused:
        await Company().desk.check("nobody")
    assert (refused.value.code, bool(refused.value.hint)) == ("customer.unknown", True)
