"""How each customer's account stands: what follows from what billing and the books say now, and what was brought about.

The decision is pure and knows no order of events: equal answers of billing and the books, equal standing. What is kept
of it says when they were asked, so that whoever reads it later knows how old it is.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Table, Text

from accordant.backbone.transaction import Transaction
from accordant.canonical.account import CreditHold
from accordant.canonical.contract import Contract
from accordant.canonical.customer import Customer
from accordant.canonical.invoice import OpenInvoice
from accordant.governance.collections import STATUSES, Status, SupportLevel, judge
from accordant.governance.estate import Estate
from accordant.kernel.database import Database, Lookup, Query, as_struct, given, metadata, one_of
from accordant.kernel.money import Money
from accordant.masterdata import records

BY_HAND = "put on hold by hand in the books"
_ON_HOLD = STATUSES.index("on hold")


class StandingRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was last decided about an account, and whether all systems were brought in line with it."""

    tenant: str
    customer_id: str
    status: str
    support: str
    """`as contracted`, `limited` or `suspended`."""
    hold: str
    """`ours`, `by hand`, `waived` or `none`."""
    collection: str
    """`running` or `paused`."""
    balance_minor: int
    overdue_minor: int
    currency: str
    reason: str
    settled: str
    """`yes`, or `no` from before the first write until after the last."""
    as_of_ms: int
    """When billing and the books were asked; what they said is at least as new."""
    transaction_id: str


standing_table = Table(
    "account_standing",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("support", Text, nullable=False),
    Column("hold", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("balance_minor", BigInteger, nullable=False),
    Column("overdue_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("settled", Text, nullable=False),
    Column("as_of_ms", BigInteger, nullable=False),
    Column("transaction_id", Text, nullable=False),
)
_c = standing_table.c
_KEPT = Query(
    standing_table.select().where(_c.tenant == given("tenant"), one_of(_c.customer_id, "ids")),
    as_struct(StandingRow),
)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What billing and the books said."""

    invoices: tuple[OpenInvoice, ...]
    hold: CreditHold
    at_ms: int
    """Just before they were asked."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """How an account stands, and what each system is to do about it."""

    status: Status
    reason: str
    support: SupportLevel
    hold: str
    """As `StandingRow.hold`."""
    places_hold: bool
    releases_hold: bool
    is_paused: bool
    balance: Money
    overdue: Money


def decide(seen: Seen, customer: Customer, contract: Contract | None, /, *, estate: Estate) -> Decided:
    """How the account stands by the ladder that is for it.

    A hold by hand is a fact of the books: the account is on hold at least, and no payment releases it. Where the books
    waive a hold, what is owed leads to no more than `past due`.
    """
    rules = estate.collections
    ladder = rules.ladder_of(customer.legal_entity, contract.service_tier if contract else "")
    calendar = rules.calendar_of(customer.legal_entity)
    judged = judge(ladder, calendar, invoices=seen.invoices, at_ms=seen.at_ms)
    status, reason, hold = judged.status, judged.reason, seen.hold
    if hold.is_waived and _is_held(status):
        status, reason = "past due", f"{reason}; the books waive the hold"
    if hold.is_on and not hold.is_ours and not _is_held(status):
        status, reason = "on hold", BY_HAND
    owed = [one.remaining for one in seen.invoices]
    late = [one.remaining for one in seen.invoices if one.due_at_ms is not None and one.due_at_ms <= seen.at_ms]
    places = _is_held(status) and not hold.is_on
    releases = hold.is_ours and not _is_held(judged.status)
    return Decided(
        status=status,
        reason=reason,
        support=rules.support_at(status),
        hold=_hold_after(hold, places=places, releases=releases),
        places_hold=places,
        releases_hold=releases,
        is_paused=status == "suspended",
        balance=_sum(owed, customer.currency),
        overdue=_sum(late, customer.currency),
    )


def kept(tenant: str, customer_id: str) -> Lookup[StandingRow | None]:
    """What was last decided about an account; None where nothing ever was."""
    return Lookup(_Kept(tenant), customer_id, None)


def kept_of(connection: Connection, tenant: str, *, customer_ids: Iterable[str]) -> dict[str, StandingRow]:
    """The same for many at once; accounts about which nothing was decided are absent."""
    return {row.customer_id: row for row in _KEPT.all(connection, tenant=tenant, ids=set(customer_ids))}


class _Kept(msgspec.Struct, frozen=True):
    tenant: str

    def __call__(self, connection: Connection, keys: Sequence[str]) -> dict[str, StandingRow | None]:
        return dict(kept_of(connection, self.tenant, customer_ids=keys))


async def last_decided(tx: Transaction, name: str, *, customer_id: str) -> tuple[StandingRow, ...]:
    """What was last decided about an account, remembered under a name; empty where nothing ever was."""

    async def ask(ours: Database) -> tuple[StandingRow, ...]:
        found = await ours.find(kept(tx.row.tenant, customer_id))
        return (found,) if found else ()

    return await tx.recall(name, ask, result_type=tuple[StandingRow, ...])


async def support_left(tx: Transaction, name: str, *, customer_id: str) -> str:
    """The support that an account leaves its customer, remembered under a name."""
    return await tx.recall(name, lambda ours: _level(ours, tx.row.tenant, customer_id=customer_id), result_type=str)


async def agreed_with(tx: Transaction, customer_id: str, *, contract_id: str) -> "Agreed":
    """The customer's contract as it was before this transaction, and the support that its account leaves."""
    tenant, own = tx.row.tenant, tx.row.transaction_id

    async def ask(ours: Database) -> Agreed:
        contract, level = await asyncio.gather(
            records.left_by_others(ours, tenant, noun="contract", canonical_id=contract_id, transaction_id=own),
            _level(ours, tenant, customer_id=customer_id),
        )
        return Agreed(contract=contract, support=level)

    return await tx.recall("latest contract", ask, result_type=Agreed)


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer has of us, and what its account leaves of it."""

    contract: str
    """As JSON; empty where there is none."""
    support: str = "as contracted"
    """`as contracted`, `limited` or `suspended`."""


async def _level(ours: Database, tenant: str, *, customer_id: str) -> str:
    row = await ours.find(kept(tenant, customer_id))
    return row.support if row else "as contracted"


def _is_held(status: Status) -> bool:
    return STATUSES.index(status) >= _ON_HOLD


def _hold_after(hold: CreditHold, *, places: bool, releases: bool) -> str:
    if places:
        return "ours"
    if releases:
        return "none"
    if hold.is_on:
        return "ours" if hold.is_ours else "by hand"
    return "waived" if hold.is_waived else "none"


def _sum(amounts: Sequence[Money], currency: str) -> Money:
    return sum(amounts, Money(0, currency))
