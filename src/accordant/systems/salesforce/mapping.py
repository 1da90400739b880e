"""What an opportunity row means: a deal won, a contract changed, nothing yet, or words that nobody can read.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm
(API version 67.0). Dates come as Salesforce writes them or as an export left them, month/day/year.
"""

import re
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn, cast

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.contract import ContractAmended, ContractAmendment
from accordant.canonical.customer import SourceAccount
from accordant.canonical.envelope import Fact
from accordant.canonical.opportunity import Opportunity, OpportunityWon
from accordant.connector.strict_json import decode
from accordant.kernel.clock import utc_text
from accordant.kernel.dates import read_day, read_instant_ms, require_likely_day, require_likely_ms
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import digest
from accordant.kernel.text import name_fault

STREAM = "Opportunity"
WON = frozenset({"Won", "Closed Won"})
OPEN_OR_LOST = frozenset(
    {"Prospecting", "Engaging", "Lost", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers"}
    | {"Perception Analysis", "Proposal/Price Quote", "Negotiation/Review", "Closed Lost"}
)
AMENDING = frozenset({"Existing Customer - Upgrade", "Existing Customer - Downgrade"})
PARENT_LEVELS = 2
AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""

DEAL_FIELDS = (
    "Id Name StageName Amount CloseDate Type TotalOpportunityQuantity CurrencyIsoCode AccountId SystemModstamp "
    "Opportunity_Number__c Product__c Account_Name__c Amends_Opportunity__c Source_Row__c"
).split()
ACCOUNT_FIELDS = "Id Name Industry BillingCountry Website Tax_Id__c ParentId Parent_Name__c Source_Row__c".split()

_US_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,8})?", re.ASCII)
_COUNT = re.compile(r"0*([1-9]\d{0,8})(\.0+)?", re.ASCII)

_CORRECT = "Correct the opportunity in Salesforce; it is read again as soon as it changes."
_ACCOUNT = "the name of an account that exists"

Row = dict[str, Any]


def translate(message: Message) -> list[Told] | Ignored:
    """The fact that one polled opportunity tells.

    Raises:
        Malformed: with `detail` naming the record, the field, its value and what was expected. Codes: row.malformed,
            stage.unknown, date.*, time.*, money.format, money.missing, money.negative, money.zero,
            quantity.format, product.missing, currency.missing, account.missing, account.too_deep, name.*,
            text.control, value.placeholder.
    """
    if message.stream != STREAM:
        return Ignored(reason="unknown_type")
    row = _Deal(_decoded(message))
    row.check_shape()
    won = row.is_won()
    closed_on = row.closed_on(required=won)
    amount_text = row.amount(required=won)
    account = row.account(required=won)
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


def _decoded(message: Message) -> Row:
    """The row; what cannot be decoded is at least named."""
    native_id = message.delivery_id.partition("@")[0][:100]
    try:
        value: object = decode(message.body)
    except Malformed as wrong:
        detail = {"record": native_id, "field": "", "value": "", "expected": "one JSON object", **wrong.detail}
        sentence = f"opportunity {native_id}: {wrong.message}"
        raise Malformed(sentence, code=wrong.code, hint=_CORRECT, detail=detail) from wrong
    if not isinstance(value, dict):
        detail = {"record": native_id, "field": "", "value": str(value)[:100], "expected": "one JSON object"}
        sentence = f"opportunity {native_id}: the row is no object; expected one JSON object"
        raise Malformed(sentence, code="row.malformed", hint=_CORRECT, detail=detail)
    return cast("Row", value)


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


class _Deal:
    """One row, and how its fields are read."""

    def __init__(self, row: Row) -> None:
        self._row = row

    @property
    def native_id(self) -> str:
        return str(self._row.get("Id") or "")

    @property
    def number(self) -> str:
        """The id people use."""
        return self.text("Opportunity_Number__c") or self.native_id

    def text(self, name: str) -> str | None:
        """The field as text, exact for numbers; None where it is empty."""
        return _text(self._row.get(name))

    def needed(self, name: str, code: str, *, expected: str) -> str:
        value = self.text(name)
        return self.refuse(code, name, value=None, expected=expected) if value is None else value

    def check_shape(self) -> None:
        """A row that did not fit its columns is not believed in any field."""
        raw = self.text("Source_Row__c")
        if raw is not None:
            expected = "as many values as the export has columns"
            self.refuse("row.malformed", "Source_Row__c", value=raw, expected=expected)

    def is_won(self) -> bool:
        stage = self.text("StageName")
        if stage in WON:
            return True
        if stage not in OPEN_OR_LOST:
            allowed = ", ".join(sorted(WON | OPEN_OR_LOST))
            self.refuse("stage.unknown", "StageName", value=stage, expected=f"one of {allowed}")
        return False

    def stamp_ms(self, *, received_at_ms: int) -> int:
        """When Salesforce last changed it; a stamp of the future would outrank every truth until its day comes."""
        value = self.text("SystemModstamp") or ""
        expected = "a date-time such as 2026-11-21T12:00:00.000+0000"
        try:
            stamp_ms = require_likely_ms(read_instant_ms(value))
        except Malformed as wrong:
            self.refuse(wrong.code, "SystemModstamp", value=value or None, expected=expected)
        if stamp_ms > received_at_ms + AHEAD_MS_MAX:
            self.refuse("time.future", "SystemModstamp", value=value, expected="a date-time that is not in the future")
        return stamp_ms

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

    def account(self, *, required: bool) -> SourceAccount | None:
        found = self._row.get("Account")
        if isinstance(found, dict):
            return self._source_account(cast("Row", found), "/Account", levels=PARENT_LEVELS)
        word = self.text("Account_Name__c")
        if word is None and self.text("AccountId") is None and not required:
            return None
        return self.refuse("account.missing", "Account_Name__c", value=word, expected=_ACCOUNT)

    def _source_account(self, account: Row, at: str, *, levels: int) -> SourceAccount:
        raw = _text(account.get("Source_Row__c"))
        if raw is not None:
            expected = "an account row with as many values as the export has columns"
            self.refuse("row.malformed", f"{at}/Source_Row__c", value=raw, expected=expected)
        name = _text(account.get("Name"))
        if name is None:
            self.refuse("account.missing", f"{at}/Name", value=None, expected="an account with a name")
        fault = name_fault(name)
        if fault is not None:
            self.refuse(fault[0], f"{at}/Name", value=name, expected=fault[1])
        return SourceAccount(
            source_id=str(account.get("Id") or ""),
            name=name,
            country_word=_text(account.get("BillingCountry")),
            industry=_text(account.get("Industry")),
            tax_id=_text(account.get("Tax_Id__c")),
            domain=_domain(_text(account.get("Website"))),
            parent=self._parent_of(account, at, levels=levels),
        )

    def _parent_of(self, account: Row, at: str, *, levels: int) -> SourceAccount | None:
        parent = account.get("Parent")
        if isinstance(parent, dict):
            return self._source_account(cast("Row", parent), f"{at}/Parent", levels=levels - 1)
        parent_id, word = _text(account.get("ParentId")), _text(account.get("Parent_Name__c"))
        if parent_id is not None and levels == 0:
            expected = f"an account with at most {PARENT_LEVELS} levels above it"
            self.refuse("account.too_deep", f"{at}/ParentId", value=parent_id, expected=expected)
        if parent_id is not None or word is not None:
            self.refuse("account.missing", f"{at}/Parent_Name__c", value=word, expected=_ACCOUNT)
        return None

    def refuse(self, code: str, field: str, *, value: str | None, expected: str) -> NoReturn:
        """Raise Malformed in one voice."""
        pointer = field if field.startswith("/") else f"/{field}"
        said = "nothing" if value is None else repr(value[:100])
        raise Malformed(
            f"opportunity {self.number[:100]}: {pointer[1:]} says {said}; expected {expected}",
            code=code,
            hint=_CORRECT,
            detail={
                "record": self.number[:100],
                "field": pointer,
                "value": "" if value is None else value[:100],
                "expected": expected,
            },
        )


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if isinstance(value, str) else str(value)


def _domain(website: str | None) -> str | None:
    """`https://www.acme.com/about` → `acme.com`."""
    if website is None:
        return None
    host = website.lower().split("//")[-1].split("/")[0].split(":")[0]
    return host.removeprefix("www.") or None
