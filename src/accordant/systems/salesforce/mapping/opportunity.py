"""What an opportunity row means: a deal won, a contract changed, nothing yet, or words that nobody can read.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm
(API version 67.0). Dates come as Salesforce writes them or as an export left them, month/day/year.
"""

import re
from datetime import date
from decimal import Decimal

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.contract import ContractAmended, ContractAmendment
from accordant.canonical.customer import SourceAccount
from accordant.canonical.envelope import Fact
from accordant.canonical.opportunity import Opportunity, OpportunityWon
from accordant.kernel.clock import utc_text
from accordant.kernel.dates import read_day, require_likely_day
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import digest
from accordant.systems.salesforce.mapping.account import account_of, account_paths
from accordant.systems.salesforce.mapping.record import Record, decoded

STREAM = "Opportunity"
WON = frozenset({"Won", "Closed Won"})
OPEN_OR_LOST = frozenset(
    {"Prospecting", "Engaging", "Lost", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers"}
    | {"Perception Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Lost"}
)
AMENDING = frozenset({"Existing Customer - Upgrade", "Existing Customer - Downgrade"})

FIELDS = (
    "Id Name StageName Amount CloseDate Type TotalOpportunityQuantity CurrencyIsoCode AccountId SystemModstamp "
    "Opportunity_Number__c Product__c Account_Name__c Amends_Opportunity__c Source_Row__c"
).split()
PATHS = (*FIELDS, *account_paths())
"""What a poll asks of each opportunity."""

_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,8})?", re.ASCII)
_COUNT = re.compile(r"0*([1-9]\d{0,8})(\.0+)?", re.ASCII)


def told(message: Message) -> list[Told] | Ignored:
    """The fact that one polled opportunity tells.

    Raises:
        Malformed: with `detail` naming the record, the field, its value and what was expected. Codes: row.malformed,
            stage.unknown, date.*, time.*, money.format, money.missing, money.negative, money.zero,
            quantity.format, product.missing, currency.missing, account.missing, account.too_deep, name.*,
            text.control, value.placeholder.
    """
    row = _Deal(decoded(message, _Deal.NOUN))
    row.check_shape()
    won = row.is_won()
    closed_on = row.closed_on(required=won)
    amount_text = row.amount(required=won)
    account = account_of(row, required=won)
    if not won or closed_on is None or amount_text is None or account is None:
        return Ignored(reason="not_won")
    fact = _fact(row, account, closed_on=closed_on, amount_text=amount_text)
    stamp_ms = row.stamp_ms(received_at_ms=message.received_at_ms)
    return [
        Told(
            fact=fact,
            source_record=f"{message.connection}/{STREAM}/{row.native_id}",
            subject=row.number,
            orderingkey=account.source_id,
            happened_at_ms=stamp_ms,
            sequence=f"{utc_text(stamp_ms)} {row.native_id}",
            content=_content(row, account),
        )
    ]


def _fact(row: "_Deal", account: SourceAccount, *, closed_on: date, amount_text: str) -> Fact:
    amends = row.text("Amends_Opportunity__c")
    if row.text("Type") in AMENDING and amends:
        amendment = ContractAmendment(
            opportunity_id=row.number,
            source_id=row.native_id,
            account=account,
            amends_opportunity_id=amends,
            product_word=row.needed("Product__c", "product.missing", expected="the name of a product"),
            quantity=row.quantity(),
            amount_text=amount_text,
            currency_word=row.needed("CurrencyIsoCode", "currency.missing", expected="a currency code such as USD"),
            effective_on=closed_on,
        )
        return ContractAmended(amendment=amendment)
    opportunity = Opportunity(
        opportunity_id=row.number,
        source_id=row.native_id,
        account=account,
        product_word=row.needed("Product__c", "product.missing", expected="the name of a product"),
        quantity=row.quantity(),
        amount_text=amount_text,
        currency_word=row.needed("CurrencyIsoCode", "currency.missing", expected="a currency code such as USD"),
        closed_on=closed_on,
    )
    return OpportunityWon(opportunity=opportunity)


def _content(row: "_Deal", account: SourceAccount) -> str:
    """Digest of what the deal is worth knowing for; not its timestamp and not what we wrote into it."""
    parent = account.parent
    grandparent = parent.parent if parent else None
    fields = "StageName Product__c AccountId Amount CurrencyIsoCode TotalOpportunityQuantity CloseDate Type".split()
    accounts = [
        part for one in (account, parent, grandparent) if one for part in (one.source_id, one.name, one.country_word)
    ]
    values = [*(row.text(name) for name in fields), row.text("Amends_Opportunity__c"), *accounts]
    return digest(*(value or "" for value in values))


class _Deal(Record):
    """An opportunity, and how its own fields are read."""

    NOUN = "opportunity"
    NUMBER = "Opportunity_Number__c"

    def is_won(self) -> bool:
        stage = self.text("StageName")
        if stage in WON:
            return True
        if stage not in OPEN_OR_LOST:
            allowed = ", ".join(sorted(WON | OPEN_OR_LOST))
            self.refuse("stage.unknown", "StageName", value=stage, expected=f"one of {allowed}")
        return False

    def closed_on(self, *, required: bool) -> date | None:
        value = self.text("CloseDate")
        if value is None:
            needed = "the day of closing"
            return self.refuse("date.missing", "CloseDate", value=None, expected=needed) if required else None
        expected = "a day such as 2017-03-01 or 3/1/2017 (month first)"
        american = _US_DATE.fullmatch(value)
        try:
            iso = f"{american[3]}-{american[1]:0>2}-{american[2]:0>2}" if american else value
            return require_likely_day(read_day(iso))
        except Malformed as wrong:
            code = wrong.code if wrong.code == "date.suspicious" else "date.format"
            return self.refuse(code, "CloseDate", value=value, expected=expected)

    def amount(self, *, required: bool) -> str | None:
        value = self.text("Amount")
        expected = "a positive amount in plain digits, such as 1054 or 1054.50"
        if value is None:
            return self.refuse("money.missing", "Amount", value=None, expected=expected) if required else None
        if not _AMOUNT.fullmatch(value):
            self.refuse("money.format", "Amount", value=value, expected=expected)
        if Decimal(value) < 0:
            self.refuse("money.negative", "Amount", value=value, expected=expected)
        if required and Decimal(value) == 0:
            self.refuse("money.zero", "Amount", value=value, expected=expected)
        return value

    def quantity(self) -> int:
        value = self.text("TotalOpportunityQuantity")
        if value is None:
            return 1
        found = _COUNT.fullmatch(value)
        if found is None:
            self.refuse("quantity.format", "TotalOpportunityQuantity", value=value, expected="a whole number from 1 on")
        return int(found[1])
