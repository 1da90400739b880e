"""What an account row means: a customer, whatever was sold to it, or nobody's customer yet.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
(API version 67.0): `Type` is a picklist whose values for customers are the two of `CUSTOMER`, unless the organization
renamed them.
"""

from datetime import UTC, datetime

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.customer import CustomerIntroduced, SourceAccount
from accordant.kernel.clock import utc_text
from accordant.kernel.ids import digest
from accordant.systems.salesforce.mapping.account import FIELDS, PARENT_LEVELS, source_account
from accordant.systems.salesforce.mapping.record import Record, decoded

STREAM = "Account"
CUSTOMER = ("Customer - Direct", "Customer - Channel")
PATHS = (
    *("AccountNumber", "Type", "CurrencyIsoCode", "SystemModstamp", *FIELDS),
    *(f"{'.'.join(['Parent'] * level)}.{name}" for level in range(1, PARENT_LEVELS + 1) for name in FIELDS),
)
"""What a poll asks of each account."""


class _Account(Record):
    NOUN = "account"
    NUMBER = "AccountNumber"


def told(message: Message) -> list[Told] | Ignored:
    """The fact that one polled account tells.

    Raises:
        Malformed: with `detail` naming the record, the field, its value and what was expected. Codes: row.malformed,
            time.*, currency.missing, account.missing, account.too_deep, name.*, text.control, value.placeholder.
    """
    row = _Account(decoded(message, _Account.NOUN))
    row.check_shape()
    if row.text("Type") not in CUSTOMER:
        return Ignored(reason="not_a_customer")
    account = source_account(row)
    currency = row.needed("CurrencyIsoCode", "currency.missing", expected="a currency code such as USD")
    stamp_ms = row.stamp_ms(received_at_ms=message.received_at_ms)
    introduced_on = datetime.fromtimestamp(stamp_ms / 1000, UTC).date()
    return [
        Told(
            fact=CustomerIntroduced(account=account, currency_word=currency, introduced_on=introduced_on),
            source_record=f"{message.connection}/{STREAM}/{row.native_id}",
            subject=row.number,
            orderingkey=row.native_id,
            happened_at_ms=stamp_ms,
            sequence=f"{utc_text(stamp_ms)} {row.native_id}",
            content=_content(account, currency),
        )
    ]


def _content(account: SourceAccount, currency: str) -> str:
    """Digest of what identifies the customer; what we write into the account is not among it."""
    parts = [currency]
    one: SourceAccount | None = account
    while one is not None:
        parts += [one.source_id, one.name, one.country_word or "", one.tax_id or "", one.domain or ""]
        one = one.parent
    return digest(*parts)
