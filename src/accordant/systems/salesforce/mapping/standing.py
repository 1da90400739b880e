"""A deal's standing in the fields that Salesforce keeps for it on the opportunity.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm
(API version 67.0); the three fields are custom fields of ours.
"""

from collections.abc import Mapping
from typing import Any

from accordant.canonical.operation import Facts
from accordant.canonical.opportunity import DealStanding

STATUS = "Accordant_Status__c"
REASON = "Accordant_Reason__c"
TRANSACTION = "Accordant_Transaction__c"
REASON_CHARS = 255


def fields(standing: DealStanding) -> dict[str, str | None]:
    return {
        STATUS: standing.status,
        REASON: standing.reason[:REASON_CHARS] or None,
        TRANSACTION: standing.transaction_id,
    }


def expected(standing: DealStanding) -> Facts:
    return {"status": standing.status, "transaction": standing.transaction_id}


def facts(row: Mapping[str, Any]) -> Facts:
    return {"status": row.get(STATUS), "transaction": row.get(TRANSACTION)}


def shows(row: Mapping[str, Any], standing: DealStanding) -> bool:
    """Whether the deal shows exactly this standing, its reason too."""
    same_reason = (row.get(REASON) or "") == standing.reason[:REASON_CHARS]
    return facts(row) == expected(standing) and same_reason
