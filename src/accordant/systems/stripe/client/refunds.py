"""Gives back what was paid, and says of an invoice what came for it and what was given back.

Source: https://docs.stripe.com/api/refunds, https://docs.stripe.com/api/invoice-payment/list,
https://docs.stripe.com/api/invoices/list; API version 2026-10-28.endive. Lists show a write at once.
"""

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.canonical.refund import Refund
from accordant.canonical.settlement import Settlement
from accordant.kernel.priority import Priority
from accordant.systems.stripe.client.answers import Record, applied, metadata
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls
from accordant.systems.stripe.mapping import refunds as words


class Refunds:
    """The Billing port's verbs about money that came."""

    def __init__(self, connection: str, calls: Calls) -> None:
        self._connection = connection
        self._calls = calls

    async def settlement(self, number: str, *, account: Receipt, apart_from: str = "") -> Settlement | None:
        """Of the customer's invoices alone, so that nobody is given back what somebody else paid."""
        query = (("customer", account.native_id),)
        async for invoice, _ in self._calls.listing("/v1/invoices", query, priority=Priority.CUSTOMER):
            if number and invoice.get("number") == number:
                payments = await self._payments(str(invoice["id"]))
                return words.settlement_of(
                    await self._without(invoice, credit_id=apart_from), payments, apart_from=apart_from
                )
        return None

    async def _without(self, invoice: Record, *, credit_id: str) -> Record:
        """The invoice as if a credit note of ours had not lowered it."""
        query = (("invoice", str(invoice["id"])),)
        lowered = int(invoice.get("pre_payment_credit_notes_amount") or 0)
        if not credit_id or not lowered:
            return invoice
        notes = self._calls.listing("/v1/credit_notes", query, priority=Priority.CUSTOMER)
        own = [one async for one, _ in notes if metadata(one).get("credit_id") == credit_id]
        remaining = int(invoice["amount_remaining"]) + sum(int(one["pre_payment_amount"]) for one in own)
        return {**invoice, "amount_remaining": remaining}

    def refund(self, refund: Refund) -> Operation:
        form = words.refund_form(refund)

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post("/v1/refunds", form, attempt=attempt)
            return applied(answer, "refund", refund.refund_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            query = (("payment_intent", refund.payment_source_id),)
            async for record, answer in self._calls.listing("/v1/refunds", query, priority=attempt.priority):
                if metadata(record).get("refund_id") == refund.refund_id:
                    return applied(answer, "refund", refund.refund_id, record)
            return None

        return Operation(
            system="billing",
            connection=self._connection,
            verb="refund_payment",
            kind="refund",
            business_id=refund.refund_id,
            effect_class=EffectClass.NATIVE_KEY,
            command=refund,
            send=send,
            look_up=look_up,
            expected=words.refund_expected(refund),
            key_life_s=KEY_LIFE_S,
        )

    async def _payments(self, invoice_id: str) -> list[tuple[Record, list[Record]]]:
        """What was paid by a payment of Stripe's own, each with its refunds, the newest first."""
        query = (("invoice", invoice_id), ("status", "paid"))
        found = [
            payment
            async for payment, _ in self._calls.listing("/v1/invoice_payments", query, priority=Priority.CUSTOMER)
            if payment["payment"].get("payment_intent")
        ]
        return [(payment, await self._refunds(str(payment["payment"]["payment_intent"]))) for payment in found]

    async def _refunds(self, payment_intent: str) -> list[Record]:
        query = (("payment_intent", payment_intent),)
        listing = self._calls.listing("/v1/refunds", query, priority=Priority.CUSTOMER)
        return [record async for record, _ in listing]
