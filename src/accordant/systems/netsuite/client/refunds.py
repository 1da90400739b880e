"""A customer refund pays a credit memo out."""

from typing import Any

from accordant.canonical.operation import EffectClass, Receipt
from accordant.canonical.refund import RefundEntry
from accordant.connector.capabilities import Capability
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, UPSERT, Save

_POST = Capability(
    verb="post_refund",
    kind="customer_refund",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/customerRefund/eid:{{refund_id}}?replace=apply",
    source=UPSERT,
)
CAPABILITIES = (_POST,)


def post_refund(entry: RefundEntry, *, memo: Receipt, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.refund_body(entry, memo=memo, currencies=currencies)

    return Save(
        capability=_POST,
        business_id=entry.refund_id,
        method="PUT",
        record="customerRefund",
        replace="apply",
        body=body,
        command={"entry": entry, "memo": memo.native_id},
        expected=mapping.expected_refund(entry),
        dated=entry.posted_on,
    )
