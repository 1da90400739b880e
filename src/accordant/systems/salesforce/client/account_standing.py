"""Shows on a customer's account how it stands: what is owed, what of it is overdue, and what follows from it.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm; API version
67.0 (Summer '26).
"""

from accordant.canonical.account import AccountStanding
from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.connector.capabilities import Capability
from accordant.connector.http import VendorHttp
from accordant.systems.salesforce.client.readback import Held
from accordant.systems.salesforce.client.records import ROOT, applied, look, record_path, update
from accordant.systems.salesforce.mapping import account_standing as words

KIND = "account_standing"
SOBJECT = "Account"
CAPABILITY = Capability(
    verb="tell_account",
    kind=KIND,
    effect_class=EffectClass.UPSERT,
    request=f"PATCH {ROOT}/sobjects/{SOBJECT}/{{id}}",
    source="https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm",
)
HELD = Held(sobject=SOBJECT, fields=words.NAMES, facts=words.facts)


def telling(http: VendorHttp, standing: AccountStanding, *, account: Receipt, connection: str) -> Operation:
    """Set the whole standing; saying it twice leaves the same state."""
    path = record_path(SOBJECT, account.native_id)
    receipt = Receipt(kind=KIND, native_id=account.native_id, business_id=standing.customer_id)
    expected = words.expected(standing)

    async def send(attempt: Attempt) -> Applied:
        return applied(receipt, await update(http, path, fields=words.fields(standing), attempt=attempt))

    async def look_up(attempt: Attempt) -> Applied | None:
        answer, row = await look(http, path, fields=("Id", *words.NAMES), priority=attempt.priority)
        return applied(receipt, answer) if row is not None and words.facts(row) == expected else None

    return Operation(
        system="crm",
        connection=connection,
        verb=CAPABILITY.verb,
        kind=KIND,
        business_id=standing.customer_id,
        effect_class=CAPABILITY.effect_class,
        command={"standing": standing, "account": account.native_id},
        send=send,
        look_up=look_up,
        expected=expected,
    )
