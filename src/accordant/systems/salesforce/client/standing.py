"""Shows on a deal where it stands with the platform, in three fields of the opportunity.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm; API version
67.0 (Summer '26).
"""

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.connector.capabilities import Capability
from accordant.connector.http import VendorHttp
from accordant.systems.salesforce.client.readback import Held
from accordant.systems.salesforce.client.records import ROOT, applied, look, record_path, update
from accordant.systems.salesforce.mapping import standing as words

KIND = "opportunity"
SOBJECT = "Opportunity"
CAPABILITY = Capability(
    verb="tell_standing",
    kind=KIND,
    effect_class=EffectClass.UPSERT,
    request=f"PATCH {ROOT}/sobjects/{SOBJECT}/{{id}}",
    source="https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm",
)
HELD = Held(sobject=SOBJECT, fields=(words.STATUS, words.TRANSACTION), facts=words.facts)


def telling(http: VendorHttp, standing: DealStanding, *, connection: str) -> Operation:
    """Set the three fields of the deal; saying it twice leaves the same state."""
    path = record_path(SOBJECT, standing.source_id)
    receipt = Receipt(kind=KIND, native_id=standing.source_id, business_id=standing.opportunity_id)

    async def send(attempt: Attempt) -> Applied:
        return applied(receipt, await update(http, path, fields=words.fields(standing), attempt=attempt))

    async def look_up(attempt: Attempt) -> Applied | None:
        """What an earlier sending left, None unless the deal shows exactly this standing."""
        fields = ("Id", words.STATUS, words.REASON, words.TRANSACTION)
        answer, row = await look(http, path, fields=fields, priority=attempt.priority)
        return applied(receipt, answer) if row is not None and words.shows(row, standing) else None

    return Operation(
        system="crm",
        connection=connection,
        verb=CAPABILITY.verb,
        kind=KIND,
        business_id=standing.opportunity_id,
        effect_class=CAPABILITY.effect_class,
        command=standing,
        send=send,
        look_up=look_up,
        expected=words.expected(standing),
    )
