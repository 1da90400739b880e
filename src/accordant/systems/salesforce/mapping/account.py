"""The account a record belongs to and the accounts above it, as far up as we ask.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
(API version 67.0).
"""

from accordant.canonical.customer import SourceAccount
from accordant.kernel.text import name_fault
from accordant.systems.salesforce.mapping.record import Record, Row, row_of, text_of

FIELDS = "Id Name Industry BillingCountry Website Tax_Id__c ParentId Parent_Name__c Source_Row__c".split()
PARENT_LEVELS = 2

_EXISTING = "the name of an account that exists"


def account_paths() -> list[str]:
    """What a query names to see a record's account and those above it."""
    prefixes = [".".join(["Account", *["Parent"] * level]) for level in range(PARENT_LEVELS + 1)]
    return [f"{prefix}.{name}" for prefix in prefixes for name in FIELDS]


def account_of(record: Record, *, required: bool) -> SourceAccount | None:
    """Codes of refusals: row.malformed, account.missing, account.too_deep, name.*, text.control, value.placeholder."""
    found = record.row("Account")
    if found is not None:
        return _source_account(record, found, at="/Account", levels=PARENT_LEVELS)
    word = record.text("Account_Name__c")
    if word is None and record.text("AccountId") is None and not required:
        return None
    return record.refuse("account.missing", "Account_Name__c", value=word, expected=_EXISTING)


def source_account(record: Record) -> SourceAccount:
    """The account that the record is itself; codes as `account_of`."""
    return _source_account(record, record.itself, at="", levels=PARENT_LEVELS)


def _source_account(record: Record, account: Row, *, at: str, levels: int) -> SourceAccount:
    raw = text_of(account.get("Source_Row__c"))
    if raw is not None:
        expected = "an account row with as many values as the export has columns"
        record.refuse("row.malformed", f"{at}/Source_Row__c", value=raw, expected=expected)
    name = text_of(account.get("Name"))
    if name is None:
        record.refuse("account.missing", f"{at}/Name", value=None, expected="an account with a name")
    fault = name_fault(name)
    if fault is not None:
        record.refuse(fault[0], f"{at}/Name", value=name, expected=fault[1])
    return SourceAccount(
        source_id=str(account.get("Id") or ""),
        name=name,
        country_word=text_of(account.get("BillingCountry")),
        industry=text_of(account.get("Industry")),
        tax_id=text_of(account.get("Tax_Id__c")),
        domain=_domain(text_of(account.get("Website"))),
        parent=_parent_of(record, account, at=at, levels=levels),
    )


def _parent_of(record: Record, account: Row, *, at: str, levels: int) -> SourceAccount | None:
    parent = row_of(account.get("Parent"))
    if parent is not None:
        return _source_account(record, parent, at=f"{at}/Parent", levels=levels - 1)
    parent_id, word = text_of(account.get("ParentId")), text_of(account.get("Parent_Name__c"))
    if parent_id is not None and levels == 0:
        expected = f"an account with at most {PARENT_LEVELS} levels above it"
        record.refuse("account.too_deep", f"{at}/ParentId", value=parent_id, expected=expected)
    if parent_id is not None or word is not None:
        record.refuse("account.missing", f"{at}/Parent_Name__c", value=word, expected=_EXISTING)
    return None


def _domain(website: str | None) -> str | None:
    """`https://www.acme.com/about` → `acme.com`."""
    if website is None:
        return None
    host = website.lower().split("//")[-1].split("/")[0].split(":")[0]
    return host.removeprefix("www.") or None
