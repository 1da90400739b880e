"""A seeded company of our own making: its accounts, its deals of a year, and the mistakes a real one makes."""

import random
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

Record = dict[str, Any]

MISSPELT, MEANT = "Ledger Taem", "Ledger Team"
"""What sales typed, and the product it meant."""
REFUSED_PRODUCT = "Care Premium"
REFUSED_ITEM = "CARE-PREM"
"""The product of the one expansion whose order the ERP will refuse, and its item there."""
RENAMED_ENTITY, NEW_ENTITY, RENAMED_ON = "AP01", "AP02", date(2026, 7, 1)
"""A legal entity that was renamed; the country table still says the old name."""

_PRICES = {"Ledger Start": 600, "Ledger Team": 2400, "Ledger Group": 9600, "Insight Basic": 450, "Insight Pro": 3600}
_ACCOUNTS = (
    ("Alder Freight", "United States", "logistics", ""),
    ("Birchwood Clinics", "United States", "medical", ""),
    ("Birchwood Labs", "United States", "medical", "Birchwood Clinics"),
    ("Cobalt Retail", "Germany", "retail", ""),
    ("Cobalt Outlet", "Germany", "retail", "Cobalt Retail"),
    ("Dunlin Software", "Netherlands", "software", ""),
    ("Eastgate Energy", "France", "energy", ""),
    ("Fennel Foods", "United Kingdom", "food", ""),
    ("Garnet Media", "Canada", "media", ""),
    ("Heron Insurance", "United States", "finance", ""),
    ("Heron Claims", "United States", "finance", "Heron Insurance"),
    ("Ironbark Mining", "Australia", "mining", ""),
    ("Juniper Telecom", "Brazil", "telecom", ""),
    ("Kestrel Travel", "Spain", "travel", ""),
)
_PACIFIC = "Ironbark Mining"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _native_id(prefix: str, key: str) -> str:
    """An id as the CRM makes them: 15 characters, and three more that say which of them are capitals."""
    short = f"{prefix}DM{key.replace('-', ''):0>10}"
    groups = (short[:5], short[5:10], short[10:])
    return short + "".join(_LETTERS[sum(1 << n for n, one in enumerate(group) if one.isupper())] for group in groups)


_IDS = {name: _native_id("001", str(n)) for n, (name, *_) in enumerate(_ACCOUNTS)}
_FIRST_DAY = date(2026, 1, 5)
_NEW_DEALS = 52


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """What happens at the company, in the two batches in which the CRM shows it."""

    first: dict[str, list[Record]]
    """Accounts, products, the deals of the first half-year."""
    later: dict[str, list[Record]]
    """Expansions of the second half-year, one of which the ERP will refuse."""
    deals_won: int
    """Won deals of both batches."""
    first_won: int


def seeded_company(seed: int) -> Company:
    """The company of a seed: equal seeds, equal companies."""
    rng = random.Random(f"{seed}:company")  # noqa: S311 - repeatable by design
    accounts = _accounts()
    won = [_new_deal(n, rng) for n in range(_NEW_DEALS)]
    for name in ("Garnet Media", "Kestrel Travel"):
        won.append(_deal(f"D-{len(won):03}", name, product=MISSPELT, amount="2400.00", on=_day(2 * len(won))))
    quiet = [_not_won(n, rng) for n in range(14)]
    later = _expansions(won, rng)
    return Company(
        first={"Account": accounts, "Opportunity": won + quiet, "Product2": _products()},
        later={"Opportunity": later},
        deals_won=len(won) + len(later),
        first_won=len(won),
    )


def legal_entity_table(header: str, rows: Iterable[str]) -> str:
    """The demo estate's table after the renaming: the old name has ended, the new one means the same subsidiary."""
    kept: list[str] = [header]
    for row in rows:
        value, target, owner, *_ = row.split(",")
        if value == RENAMED_ENTITY:
            kept.append(f"{value},{target},{owner},,{RENAMED_ON}")
            kept.append(f"{NEW_ENTITY},{target},{owner},,")
        else:
            kept.append(row)
    return "\n".join(kept) + "\n"


def _accounts() -> list[Record]:
    return [
        {
            "Id": _IDS[name],
            "Name": name,
            "Industry": industry,
            "BillingCountry": country,
            "Website": f"https://www.{name.lower().replace(' ', '-')}.example",
            "CurrencyIsoCode": "USD",
            **({"ParentId": _IDS[parent], "Parent_Name__c": parent} if parent else {}),
        }
        for name, country, industry, parent in _ACCOUNTS
    ]


def _products() -> list[Record]:
    names = [*_PRICES, REFUSED_PRODUCT]
    return [{"Id": _native_id("01t", str(n)), "Name": name} for n, name in enumerate(names)]


def _new_deal(n: int, rng: random.Random) -> Record:
    """Every account buys at least once; what is paid differs from the list."""
    names = list(_IDS)
    account = names[n] if n < len(names) else rng.choice(names)
    product = rng.choice(list(_PRICES))
    quantity = rng.choice((1, 1, 1, 2, 5))
    cents = round(_PRICES[product] * quantity * rng.uniform(0.8, 1.1) * 100)
    amount = f"{cents // 100}.{cents % 100:02}"
    deal = _deal(f"D-{n:03}", account, product=product, amount=amount, on=_day(2 * n))
    return {**deal, "TotalOpportunityQuantity": str(quantity)}


def _not_won(n: int, rng: random.Random) -> Record:
    stage = ("Closed Lost", "Negotiation/Review", "Prospecting")[n % 3]
    product = rng.choice(list(_PRICES))
    name = rng.choice(list(_IDS))
    deal = _deal(f"L-{n:03}", name, product=product, amount=f"{_PRICES[product]}.00", on=_day(5 * n))
    return {**deal, "StageName": stage}


def _expansions(won: Sequence[Record], rng: random.Random) -> list[Record]:
    """Six that go well, one for the renamed legal entity, one whose product the ERP does not sell any more."""
    first_of = {str(deal["Account_Name__c"]): deal for deal in reversed(won)}
    pacific = first_of.pop(_PACIFIC)
    chosen = rng.sample(list(first_of.values()), 7)  # of seven accounts: what is parked holds up nobody else
    products = [str(deal["Product__c"]) for deal in chosen]
    products[3] = REFUSED_PRODUCT
    made: list[Record] = []
    for n, (deal, product) in enumerate(zip([*chosen, pacific], [*products, pacific["Product__c"]], strict=True)):
        doubled = str(Decimal(deal["Amount"]) * 2)
        changed = _deal(f"X-{n:03}", deal["Account_Name__c"], product=product, amount=doubled, on=_day(200 + 3 * n))
        quantity = str(int(deal["TotalOpportunityQuantity"]) * 2)
        made.append(
            {
                **changed,
                "Type": "Existing Customer - Upgrade",
                "TotalOpportunityQuantity": quantity,
                "Amends_Opportunity__c": deal["Opportunity_Number__c"],
            }
        )
    return made


def _deal(number: str, account: str, *, product: str, amount: str, on: date) -> Record:
    return {
        "Id": _native_id("006", number),
        "Name": f"{account}: {product}",
        "Opportunity_Number__c": number,
        "StageName": "Closed Won",
        "Type": "New Customer",
        "Amount": amount,
        "CurrencyIsoCode": "USD",
        "TotalOpportunityQuantity": "1",
        "CloseDate": on.isoformat(),
        "AccountId": _IDS[account],
        "Account_Name__c": account,
        "Product__c": product,
    }


def _day(n: int) -> date:
    return _FIRST_DAY + timedelta(days=n)
