"""An invoice is posted on its day, countered by a credit memo that is applied to it, or paid."""

from typing import Any

from accordant.canonical.invoice import CreditNote, Invoice
from accordant.canonical.operation import EffectClass, Receipt
from accordant.canonical.payment import Payment
from accordant.connector.capabilities import Capability
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, UPSERT, Save

_POST = Capability(
    verb="post_invoice",
    kind="invoice",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/invoice/eid:{{invoice_id}}?replace=item",
    source=UPSERT,
)
_COUNTER = Capability(
    verb="post_credit_note",
    kind="credit_memo",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/creditMemo/eid:{{note_id}}?replace=item,apply",
    source=UPSERT,
)
_PAY = Capability(
    verb="post_payment",
    kind="payment",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/customerPayment/eid:{{payment_id}}?replace=apply",
    source=UPSERT,
)
CAPABILITIES = (_POST, _COUNTER, _PAY)


def post_invoice(invoice: Invoice, *, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.invoice_body(invoice, currencies=currencies)

    return Save(
        capability=_POST,
        business_id=invoice.invoice_id,
        method="PUT",
        record="invoice",
        replace="item",
        body=body,
        command=invoice,
        expected=mapping.expected_invoice(invoice),
        dated=invoice.posted_on,
    )


def post_credit_note(note: CreditNote, *, invoice: Receipt, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.credit_note_body(note, invoice=invoice, currencies=currencies)

    return Save(
        capability=_COUNTER,
        business_id=note.note_id,
        method="PUT",
        record="creditMemo",
        replace="item,apply",
        body=body,
        command={"note": note, "invoice": invoice.native_id},
        expected=mapping.expected_credit_note(note),
        dated=note.posted_on,
    )


def post_payment(payment: Payment, *, invoice: Receipt, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.payment_body(payment, invoice=invoice, currencies=currencies)

    return Save(
        capability=_PAY,
        business_id=payment.payment_id,
        method="PUT",
        record="customerPayment",
        replace="apply",
        body=body,
        command={"payment": payment, "invoice": invoice.native_id},
        expected=mapping.expected_payment(payment),
        dated=payment.paid_on,
    )
