"""Accounts that are customers without a deal, as records that the organization loads."""

from collections.abc import Iterable

from accordant.systems.salesforce.mapping.customer import CUSTOMER
from accordant.systems.salesforce.sandbox.native_ids import id_from_key
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Record


def customer_accounts(rows: Iterable[tuple[str, str]], *, currency: str) -> dict[str, list[Record]]:
    """Number and country of each; a customer that has no name goes by its number."""
    prefix = SCHEMA["Account"].prefix
    accounts: list[Record] = [
        {
            "Id": id_from_key(prefix, "Account", number),
            "Name": f"Customer {number}",
            "AccountNumber": number,
            "Type": CUSTOMER[0],
            "BillingCountry": country,
            "CurrencyIsoCode": currency,
        }
        for number, country in rows
    ]
    return {"Account": accounts}
