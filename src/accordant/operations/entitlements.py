"""May this customer ask for support now? Answered from what is known while that is young, else by asking.

What is known of an account bears the instant at which billing and the books were asked. Younger than `ttl_s` of
collections.yaml it answers; older, both are asked anew. Where they cannot be asked the answer is the one that the
estate declares, and says so: it is never `eligible`. So an account that was held is eligible to nobody later than the
hold and the time that an answer may be old.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, or_, select

from accordant.canonical.contract import Contract
from accordant.canonical.customer import Customer
from accordant.canonical.operation import Receipt
from accordant.canonical.ports import Billing, Erp
from accordant.governance.collections import LEVELS, SupportLevel
from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock, utc_text
from accordant.kernel.database import Database
from accordant.kernel.errors import AccordantError, Refused
from accordant.kernel.ids import canonical_id
from accordant.masterdata import crosswalk, records, standing
from accordant.masterdata.crosswalk import crosswalk_table
from accordant.masterdata.standing import Seen, StandingRow

Source = Literal["kept", "asked", "policy"]
Answer = Literal["eligible", "limited", "not eligible"]
_ANSWERS: dict[SupportLevel, Answer] = {
    "as contracted": "eligible",
    "limited": "limited",
    "suspended": "not eligible",
}
_WORST_FIRST: tuple[Answer, ...] = ("not eligible", "limited", "eligible")
_REMEMBERED_MAX = 10_000


class Eligibility(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, what it rests on, and how old that is."""

    customer_id: str
    answer: Answer
    reason: str
    service_tier: str
    """What the contract entitles to; empty where there is none."""
    as_of: str
    """RFC 3339: when what it rests on was found out."""
    source: Source
    """`kept`: from what was found out lately; `asked`: billing and the books, just now; `policy`: neither."""
    is_degraded: bool
    """Whether it is the estate's declared answer because nobody could be asked."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What we hold of a customer."""

    customer: Customer
    contract: Contract | None
    accounts: dict[str, str]
    kept: StandingRow | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The support that an account leaves, why, and when that was found out."""

    support: SupportLevel
    reason: str
    at_ms: int


Find = Callable[[str], Awaitable[Known | None]]


class Entitlements:
    """Answers for whoever is about to help a customer."""

    def __init__(self, find: Find, *, ports: Mapping[str, Any], clock: Clock, estate: Callable[[], Estate]) -> None:
        self._find = find
        self._ports = ports
        self._clock = clock
        self._estate = estate
        self._asked: dict[str, Found] = {}
        """What was found out by asking, by customer id."""

    async def check(self, word: str) -> Eligibility:
        """May the customer with this id, ours or any system's, ask for support?

        Raises:
            Refused: `customer.unknown`.
        """
        known = await self._find(word)
        if known is None:
            raise Refused(
                f"{word[:60]!r} is no customer of ours",
                code="customer.unknown",
                hint="name the customer by our id, or by its id in billing, the books, support or the CRM",
            )
        now_ms = self._clock.now_ms()
        if over := _contract_over(known, now_ms):
            return _answer(
                known, "not eligible", found=Found(support="suspended", reason=over, at_ms=now_ms), source="kept"
            )
        rules = self._estate().collections
        last = self._last(known)
        if last is not None and now_ms - last.at_ms <= rules.freshness.ttl_s * 1000:
            return _answer(known, _ANSWERS[last.support], found=last, source="kept")
        try:
            async with asyncio.timeout(rules.freshness.ask_within_s):
                found = await self._ask(known)
        except (AccordantError, TimeoutError) as failed:
            return self._declared(known, last, why=failed)
        return _answer(known, _ANSWERS[found.support], found=found, source="asked")

    def _last(self, known: Known) -> Found | None:
        """The youngest of what a transaction kept and what was asked here."""
        asked = self._asked.get(known.customer.customer_id)
        row = known.kept
        if row is None or (asked is not None and asked.at_ms > row.as_of_ms):
            return asked
        support: SupportLevel = next(level for level in LEVELS if level == row.support)
        return Found(support=support, reason=row.reason or "nothing is overdue", at_ms=row.as_of_ms)

    async def _ask(self, known: Known) -> Found:
        customer = known.customer
        accounts = {
            system: Receipt(kind="customer", native_id=native_id, business_id=customer.customer_id)
            for system, native_id in known.accounts.items()
        }
        for system in ("billing", "erp"):
            if system not in accounts:
                raise Refused(f"{customer.customer_id} is not known in {system}", code="account.unknown")
        at_ms = self._clock.now_ms()
        billing: Billing = self._ports["billing"]
        erp: Erp = self._ports["erp"]
        invoices, hold = await asyncio.gather(
            billing.open_invoices(accounts["billing"], currency=customer.currency), erp.credit_hold(accounts["erp"])
        )
        seen = Seen(invoices=invoices, hold=hold, at_ms=at_ms)
        decided = standing.decide(seen, customer, known.contract, estate=self._estate())
        found = Found(support=decided.support, reason=decided.reason or "nothing is overdue", at_ms=at_ms)
        if len(self._asked) >= _REMEMBERED_MAX:
            self._asked.clear()
        self._asked[customer.customer_id] = found
        return found

    def _declared(self, known: Known, last: Found | None, *, why: Exception) -> Eligibility:
        """The estate's answer, or what was known last where that is worse."""
        declared: Answer = self._estate().collections.freshness.unreachable
        before: Answer = _ANSWERS[last.support] if last else "eligible"
        answer: Answer = declared if _WORST_FIRST.index(declared) < _WORST_FIRST.index(before) else before
        since = f"; last known, as of {utc_text(last.at_ms)}: {before}, {last.reason}" if last else ""
        reason = f"billing and the books cannot be asked now ({_short(why)}){since}"
        at_ms = last.at_ms if last else self._clock.now_ms()
        found = Found(support="limited", reason=reason, at_ms=at_ms)
        return msgspec.structs.replace(_answer(known, answer, found=found, source="policy"), is_degraded=True)


def finder(database: Database, tenant: str) -> Find:
    """Looks customers up by our id or by any system's."""

    async def find(word: str) -> Known | None:
        return await database.read(lambda connection: _known(connection, tenant, word=word))

    return find


def _known(connection: Connection, tenant: str, *, word: str) -> Known | None:
    c = crosswalk_table.c
    named = select(c.canonical_id).where(
        c.tenant == tenant, c.noun == "customer", or_(c.canonical_id == word, c.native_id == word)
    )
    ids = set(connection.execute(named).scalars())
    if len(ids) != 1:  # none, or an id that two systems give to different customers
        return None
    (customer_id,) = ids
    customers = records.latest_of(connection, tenant, noun="customer", canonical_ids=[customer_id])
    if customer_id not in customers:
        return None
    contract_id = canonical_id("contract", customer_id)
    contracts = records.latest_of(connection, tenant, noun="contract", canonical_ids=[contract_id])
    held = crosswalk.holders(connection, tenant, noun="customer", canonical_ids=[customer_id])
    return Known(
        customer=msgspec.json.decode(customers[customer_id].body, type=Customer),
        contract=msgspec.json.decode(contracts[contract_id].body, type=Contract) if contracts else None,
        accounts=held.get(customer_id, {}),
        kept=standing.kept_of(connection, tenant, customer_ids=[customer_id]).get(customer_id),
    )


def _contract_over(known: Known, now_ms: int) -> str:
    today: date = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    if known.contract is None:
        return "there is no contract"
    if known.contract.ends_on < today:
        return f"the contract ended on {known.contract.ends_on.isoformat()}"
    return ""


def _answer(
    known: Known, answer: Answer, /, found: Found, *, source: Literal["kept", "asked", "policy"]
) -> Eligibility:
    return Eligibility(
        customer_id=known.customer.customer_id,
        answer=answer,
        reason=found.reason,
        service_tier=known.contract.service_tier if known.contract else "",
        as_of=utc_text(found.at_ms),
        source=source,
        is_degraded=False,
    )


def _short(why: Exception) -> str:
    return why.message[:200] if isinstance(why, AccordantError) else "no answer in time"
