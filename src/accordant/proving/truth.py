"""What every system must hold in the end, worked out from what sales did and from nothing that the platform says.

The meaning of a deal is written down here a second time, on purpose, and so is how the platform names things: a mistake
would have to be made twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from hashlib import blake2b

from accordant.proving.checker.history import Expected, Final
from accordant.proving.workload import Account, Deal, Workload

TENANT = "demo"
ENTITIES = {"United States": "US01", "Canada": "US01", "Germany": "EU01", "France": "EU01", "Switzerland": "EU01"} | {
    "United Kingdom": "EU01",
    "Japan": "AP01",
    "Australia": "AP01",
}
"""Which of the seller's legal entities sells in a country."""
TIERS = {"standard": 480, "plus": 120, "premium": 30}
"""Levels of support, the lowest first, with the minutes within which an answer is owed."""
TIER_OF = {"Ledger Start": "standard", "Insight Basic": "standard", "Ledger Team": "plus", "Insight Pro": "plus"} | {
    "Ledger Group": "premium"
}
NEVER_BEGUN = frozenset({"not_won"})
NEVER_CARRIED_OUT = frozenset({"not_won", "unsold"})


def name_of(noun: str, *parts: str) -> str:
    """The business id under which a system is told of a thing."""
    hasher = blake2b(digest_size=16)
    for part in (noun, *parts):
        raw = part.encode()
        hasher.update(len(raw).to_bytes(4, "big") + raw)
    return f"{noun}-{hasher.hexdigest()[:20]}"


def expected_writes(workload: Workload) -> tuple[Expected, ...]:
    """Every write that the business needs, once."""
    opened: set[int] = set()
    entitled: set[int] = set()
    writes: list[Expected] = []
    for deal in workload.deals.values():
        if deal.kind not in NEVER_CARRIED_OUT:
            writes += _openings(deal, workload, opened=opened)
            writes += _of_deal(deal, workload)
            writes.append(_entitlement(deal, workload, is_first=deal.account not in entitled))
            entitled.add(deal.account)
        if deal.kind not in NEVER_BEGUN:
            writes.append(_standing(deal))
    return tuple(writes)


def final_entitlements(workload: Workload) -> tuple[Final, ...]:
    """The support that every customer is entitled to in the end: the best that it pays for, until the last day."""
    carried = [deal for deal in workload.deals.values() if deal.kind not in NEVER_CARRIED_OUT]
    by_account: dict[int, list[Deal]] = {}
    for deal in carried:
        by_account.setdefault(deal.account, []).append(deal)
    return tuple(_final(workload.accounts[n], deals) for n, deals in by_account.items())


def _final(account: Account, deals: Sequence[Deal]) -> Final:
    """A tier once bought is kept; a change of a line keeps the day on which that line ends."""
    tier = max((TIER_OF[deal.product] for deal in deals), key=list(TIERS).index)
    ends_on = max(_a_year_later(deal.closed_on) for deal in deals if not deal.amends)
    return Final(
        system="support",
        kind="entitlement",
        business_id=customer_of(account),
        says={
            "status": "active",
            "service_tier": tier,
            "ends_on": ends_on.isoformat(),
            "response_minutes": TIERS[tier],
        },
        transactions=tuple(deal.number for deal in deals),
    )


def _a_year_later(day: date) -> date:
    return day.replace(year=day.year + 1)


def left_open(workload: Workload) -> Mapping[str, str]:
    """Deals that must stand open in the end, with the code under which they do."""
    unsold = {deal.number: "map.missing" for deal in workload.deals.values() if deal.kind == "unsold"}
    return {**unsold, **dict.fromkeys(sorted(workload.corrected), "deal.corrected")}


def transactions_begun(workload: Workload) -> int:
    """Business transactions that what sales did amounts to: one a won deal, one a change of a deal begun before."""
    mended = sum(1 for deal in workload.deals.values() if deal.kind == "mended_at_source")
    begun = sum(1 for deal in workload.deals.values() if deal.kind not in NEVER_BEGUN)
    return begun + mended + len(workload.corrected)


def customer_of(account: Account) -> str:
    """The business id of an account's customer; no two accounts of a workload are the same company."""
    return name_of("customer", TENANT, "crm", account.native_id)


def _openings(deal: Deal, workload: Workload, *, opened: set[int]) -> Iterator[Expected]:
    """The customer and its parents, in three systems, with the first deal that needs them."""
    number: int | None = deal.account
    while number is not None:
        account = workload.accounts[number]
        if number not in opened:
            opened.add(number)
            for system in ("erp", "billing", "support"):
                yield Expected(
                    system=system, kind="customer", business_id=customer_of(account), transaction=deal.number
                )
        number = account.parent


def _of_deal(deal: Deal, workload: Workload) -> Iterator[Expected]:
    """What it sells, or what it changes about something sold before, in billing and in the books."""
    account = workload.accounts[deal.account]
    for system, kind in (("billing", "subscription"), ("erp", "order")):
        yield Expected(
            system=system,
            kind=kind,
            business_id=name_of(kind, deal.amends or deal.number),
            transaction=deal.number,
            change="update" if deal.amends else "create",
            amount_minor=deal.amount_minor,
            currency=account.currency,
            version=2 if deal.amends else 1,
            tenant=TENANT,
            legal_entity=ENTITIES[account.country],
        )


def _entitlement(deal: Deal, workload: Workload, *, is_first: bool) -> Expected:
    return Expected(
        system="support",
        kind="entitlement",
        business_id=customer_of(workload.accounts[deal.account]),
        transaction=deal.number,
        change="create" if is_first else "update",
    )


def _standing(deal: Deal) -> Expected:
    return Expected(system="crm", kind="opportunity", business_id=deal.number, transaction=deal.number, change="update")
