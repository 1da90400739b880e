"""How a customer's account stands, in the fields that Salesforce keeps for it on the account.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_account.htm
(API version 67.0); the fields are custom fields of ours. Amounts are text with their currency beside them: a currency
field would take an account's own currency for granted.
"""

from collections.abc import Mapping
from typing import Any

from accordant.canonical.account import AccountStanding
from accordant.canonical.operation import Facts

_FIELDS = {
    "status": "Accordant_Account_Status__c",
    "balance": "Accordant_Balance__c",
    "overdue": "Accordant_Overdue__c",
    "currency": "Accordant_Currency__c",
    "as_of": "Accordant_As_Of__c",
    "reason": "Accordant_Account_Reason__c",
    "transaction": "Accordant_Account_Transaction__c",
}
NAMES = tuple(_FIELDS.values())
REASON_CHARS = 255


def fields(standing: AccountStanding) -> dict[str, Any]:
    return {_FIELDS[name]: value for name, value in expected(standing).items()}


def expected(standing: AccountStanding) -> Facts:
    return {
        "status": standing.status,
        "balance": standing.balance.decimal_text,
        "overdue": standing.overdue.decimal_text,
        "currency": standing.balance.currency,
        "as_of": standing.as_of.isoformat(),
        "reason": standing.reason[:REASON_CHARS] or None,
        "transaction": standing.transaction_id,
    }


def facts(row: Mapping[str, Any]) -> Facts:
    return {name: row.get(field) or None for name, field in _FIELDS.items()}
