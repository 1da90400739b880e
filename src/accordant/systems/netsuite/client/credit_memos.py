"""A credit memo is posted on its day."""

from typing import Any

from accordant.canonical.credit import CreditMemo
from accordant.canonical.operation import EffectClass
from accordant.connector.capabilities import Capability
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, UPSERT, Save

_POST = Capability(
    verb="post_credit_memo",
    kind="credit_memo",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/creditMemo/eid:{{credit_id}}?replace=item",
    source=UPSERT,
)
CAPABILITIES = (_POST,)


def post_credit_memo(memo: CreditMemo, *, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.credit_memo_body(memo, currencies=currencies)

    return Save(
        capability=_POST,
        business_id=memo.credit_id,
        method="PUT",
        record="creditMemo",
        replace="item,apply" if memo.invoice_native_id else "item",
        body=body,
        command=memo,
        expected=mapping.expected_credit_memo(memo),
        dated=memo.posted_on,
    )
