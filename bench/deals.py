"""The company of the benchmark: deals as Salesforce shows them, the same for every contestant."""

import json
from datetime import UTC, datetime

DEALS_PER_S = 10
"""How fast deals are made to have been won. A poll reads the last ten seconds again: that is a hundred rows."""
_FIRST_MS = 1_735_689_600_000
_HEADS = "Al Bor Cal Den Em Far Gal Har Ist Jor Kal Lor Mer Nor Os Par Quel Ros Sal Tor Ul Ver Wel Yor Zel".split()
_MIDDLES = "an be co di el fi ga ho in ju ke li mo na or pe ri so ta ub ve wi xa yo za".split()
_TAILS = "dale ford gate ham ister kirk land mark nagel prise quist rand stad tech ville wick".split()
_PRODUCTS = (
    ("Ledger Start", 600),
    ("Ledger Team", 2400),
    ("Ledger Group", 9600),
    ("Insight Basic", 450),
)


def account_name(n: int) -> str:
    """A name that no other account of the company has."""
    rest, tail = divmod(n, len(_TAILS))
    rest, middle = divmod(rest, len(_MIDDLES))
    round_, head = divmod(rest, len(_HEADS))
    name = _HEADS[head] + _MIDDLES[middle] + _TAILS[tail]
    return name if round_ == 0 else f"{name} {_HEADS[round_ % len(_HEADS)]}{round_}"


def account_id(n: int) -> str:
    return f"001BN{n:010}AAA"


def deal_id(n: int) -> str:
    return f"006BN{n:010}AAA"


def stamp_ms(n: int) -> int:
    """When deal `n` was won."""
    return _FIRST_MS + n * (1000 // DEALS_PER_S)


def stamp_text(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, tz=UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03}+0000"


def deal_row(n: int, *, customers: int, corrected_at: int | None = None) -> bytes:
    """Deal `n` as a query answers it; deals beyond the number of customers are further deals of known ones.

    `corrected_at`: the number of the deal at whose time this one's amount was changed.
    """
    buyer = n % customers
    name = account_name(buyer)
    product, price = _PRODUCTS[n % len(_PRODUCTS)]
    account = {
        "attributes": {"type": "Account", "url": f"/services/data/v67.0/sobjects/Account/{account_id(buyer)}"},
        "Id": account_id(buyer),
        "Name": name,
        "Industry": "software",
        "BillingCountry": "United States",
        "Website": f"https://www.{name.lower().replace(' ', '-')}.example",
        "Tax_Id__c": None,
        "ParentId": None,
        "Parent_Name__c": None,
        "Source_Row__c": None,
        "Parent": None,
    }
    row = {
        "attributes": {"type": "Opportunity", "url": f"/services/data/v67.0/sobjects/Opportunity/{deal_id(n)}"},
        "Id": deal_id(n),
        "Name": f"{name}: {product}",
        "StageName": "Closed Won",
        "Amount": price * (1 + n % 3) + (0 if corrected_at is None else 1),
        "CloseDate": "2026-06-15",
        "Type": "New Customer",
        "TotalOpportunityQuantity": 1 + n % 3,
        "CurrencyIsoCode": "USD",
        "AccountId": account_id(buyer),
        "SystemModstamp": stamp_text(stamp_ms(n if corrected_at is None else corrected_at)),
        "Opportunity_Number__c": f"D-{n:08}",
        "Product__c": product,
        "Account_Name__c": name,
        "Amends_Opportunity__c": None,
        "Source_Row__c": None,
        "Account": account,
    }
    return json.dumps(row, separators=(",", ":")).encode()
