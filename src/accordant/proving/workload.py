"""A seeded company that never stops selling: accounts and deals of every kind, as the CRM shows them, batch by batch.

Sales does what sales does: most deals are simply won, some are won later, some change what was sold before, some are
changed after they were closed, and some name a product that nobody sells.
"""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

import msgspec

Record = dict[str, Any]
Kind = Literal[
    "won", "won_later", "not_won", "expansion", "misspelt", "mended_at_source", "unsold", "corrected_after_close"
]

MISSPELT, MEANT = "Ledger Taem", "Ledger Team"
"""Parks, until somebody gives the word its meaning."""
SLIPPED = "Insight Porr"
"""Parks, until sales mends the deal itself."""
UNSOLD = "Abacus Deluxe"
"""Parks for good: nobody sells it."""
PRODUCTS = {"Ledger Start": 600, "Ledger Team": 2400, "Ledger Group": 9600, "Insight Basic": 450, "Insight Pro": 3600}
"""List prices of the demo estate's products, in whole units."""
COUNTRIES = {
    "United States": "USD",
    "Canada": "CAD",
    "Germany": "EUR",
    "France": "EUR",
    "United Kingdom": "GBP",
    "Japan": "JPY",
    "Australia": "AUD",
    "Switzerland": "CHF",
}
NO_DECIMALS = frozenset({"JPY"})
_SHARES: tuple[tuple[Kind, int], ...] = (
    ("won", 60),
    ("expansion", 17),
    ("not_won", 7),
    ("won_later", 5),
    ("misspelt", 4),
    ("corrected_after_close", 4),
    ("mended_at_source", 2),
    ("unsold", 1),
)
_FIRST_DAY = date(2026, 1, 5)
_DEALS_PER_ACCOUNT = 5
_SUFFIX = "YAA"
"""The three characters that say which of the fifteen before them are capitals; the ids below share them."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One company that buys."""

    native_id: str
    name: str
    country: str
    currency: str
    parent: int | None
    """Number of the company that it belongs to."""


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """One deal as it shall be understood in the end."""

    number: str
    kind: Kind
    account: int
    product: str
    """The product that sales meant."""
    quantity: int
    amount_minor: int
    closed_on: date
    amends: str = ""
    """Number of the deal that first sold what this one changes."""


class Workload:
    """Tells the CRM about new deals, and remembers what it told. Equal seeds and equal questions, equal answers."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"{seed}:workload")  # noqa: S311 - repeatable by design
        self.accounts: list[Account] = []
        self.deals: dict[str, Deal] = {}
        """Everything the CRM shows, by number, in the order in which it appeared."""
        self.corrected: set[str] = set()
        """Deals that were changed after they were closed and in step everywhere."""
        self._to_win: list[Deal] = []
        self._in_step: set[str] = set()
        self._amendable: list[str] = []

    def batch(self, size: int) -> dict[str, list[Record]]:
        """New deals and their accounts; deals that were open before and are won now come with them."""
        first_new = len(self.accounts)
        while len(self.accounts) * _DEALS_PER_ACCOUNT < len(self.deals) + size:
            self.accounts.append(self._new_account())
        won_now = [_row(deal, self.accounts[deal.account]) for deal in self._to_win]
        self._to_win = []
        made = [self._new_deal() for _ in range(size)]
        rows = [_row(deal, self.accounts[deal.account], is_new=True) for deal in made]
        accounts = [_account_row(one, self.accounts) for one in self.accounts[first_new:]]
        return {"Account": accounts, "Opportunity": won_now + rows}

    def in_step(self, number: str, row: Record) -> Record | None:
        """The CRM shows that a deal is in step everywhere; returns the row of a correction, where sales makes one."""
        deal = self.deals.get(number)
        if deal is None or number in self._in_step:
            return None
        self._in_step.add(number)
        if deal.kind == "corrected_after_close":
            self.corrected.add(number)
            return {**row, "Amount": _amount(deal.amount_minor * 2, self.accounts[deal.account].currency)}
        if not deal.amends:
            self._amendable.append(number)
        return None

    def blocked(self, number: str, row: Record) -> Record | None:
        """The CRM shows that a deal is blocked; returns the row as sales mends it, where sales does."""
        deal = self.deals.get(number)
        if deal is None or deal.kind != "mended_at_source" or row.get("Product__c") == deal.product:
            return None
        return {**row, "Product__c": deal.product}

    def _new_account(self) -> Account:
        n, rng = len(self.accounts), self._rng
        parent = rng.randrange(n) if n >= 4 and rng.random() < 0.25 else None
        if parent is not None and self._level(parent) >= 2:
            parent = None
        country = rng.choice(list(COUNTRIES)) if parent is None else self.accounts[parent].country
        return Account(
            native_id=f"001VR{n:010}{_SUFFIX}",
            name=f"{rng.choice(_FIRST)} {rng.choice(_SECOND)} {n}",
            country=country,
            currency=COUNTRIES[country],
            parent=parent,
        )

    def _level(self, n: int) -> int:
        parent = self.accounts[n].parent
        return 0 if parent is None else 1 + self._level(parent)

    def _new_deal(self) -> Deal:
        n, rng = len(self.deals), self._rng
        kind = self._kind()
        number = f"{'X' if kind == 'expansion' else 'D'}-{n:06}"
        before = self._sold_before() if kind == "expansion" else None
        account = before.account if before else rng.randrange(len(self.accounts))
        product = {"misspelt": MEANT, "mended_at_source": "Insight Pro"}.get(kind) or rng.choice(list(PRODUCTS))
        quantity = rng.choice((1, 1, 1, 2, 5))
        price = PRODUCTS[product] * quantity * rng.randint(80, 110)
        deal = Deal(
            number=number,
            kind=kind,
            account=account,
            product=product,
            quantity=quantity,
            amount_minor=price if self.accounts[account].currency not in NO_DECIMALS else price * 100,
            closed_on=_FIRST_DAY + timedelta(days=n % 300),
            amends=before.number if before else "",
        )
        self.deals[number] = deal
        if kind == "won_later":
            self._to_win.append(deal)
        return deal

    def _kind(self) -> Kind:
        kinds, weights = zip(*_SHARES, strict=True)
        kind: Kind = self._rng.choices(kinds, weights=weights)[0]
        return "won" if kind == "expansion" and not self._amendable else kind

    def _sold_before(self) -> Deal:
        """Each line is changed once, so that no second change is told before the first is in step."""
        return self.deals[self._amendable.pop(self._rng.randrange(len(self._amendable)))]


def minor_units(amount: str, currency: str) -> int:
    """`24.50` USD is 2450, `2450` JPY is 2450."""
    whole, _, rest = amount.partition(".")
    return int(whole) if currency in NO_DECIMALS else int(whole) * 100 + int(f"{rest:0<2}"[:2])


def _amount(minor: int, currency: str) -> str:
    return str(minor) if currency in NO_DECIMALS else f"{minor // 100}.{minor % 100:02}"


def _row(deal: Deal, account: Account, *, is_new: bool = False) -> Record:
    words = {"misspelt": MISSPELT, "mended_at_source": SLIPPED, "unsold": UNSOLD}
    stage = {"not_won": "Closed Lost", "won_later": "Negotiation/Review" if is_new else "Closed Won"}
    row: Record = {
        "Id": f"006VR{deal.number[2:]:0>10}{_SUFFIX}",
        "Name": f"{account.name}: {deal.product}"[:120],
        "Opportunity_Number__c": deal.number,
        "StageName": stage.get(deal.kind, "Closed Won"),
        "Type": "Existing Customer - Upgrade" if deal.amends else "New Customer",
        "Amount": _amount(deal.amount_minor, account.currency),
        "CurrencyIsoCode": account.currency,
        "TotalOpportunityQuantity": str(deal.quantity),
        "CloseDate": deal.closed_on.isoformat(),
        "AccountId": account.native_id,
        "Account_Name__c": account.name,
        "Product__c": words.get(deal.kind, deal.product),
    }
    return {**row, "Amends_Opportunity__c": deal.amends} if deal.amends else row


def _account_row(account: Account, accounts: Sequence[Account]) -> Record:
    parent = None if account.parent is None else accounts[account.parent]
    row: Record = {
        "Id": account.native_id,
        "Name": account.name,
        "BillingCountry": account.country,
        "Website": f"https://www.{account.name.lower().replace(' ', '-')}.example",
        "CurrencyIsoCode": account.currency,
    }
    return {**row, "ParentId": parent.native_id, "Parent_Name__c": parent.name} if parent else row


_FIRST = "Alder Birchwood Cobalt Dunlin Eastgate Fennel Garnet Heron Ironbark Juniper Kestrel Larch".split()
_SECOND = "Freight Clinics Retail Software Energy Foods Media Insurance Mining Telecom Travel Tools".split()
