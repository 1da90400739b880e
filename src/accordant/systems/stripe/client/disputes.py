"""Stops and starts the collection of one invoice, says on it which dispute it is under, and lowers it by a credit note.

Source: https://docs.stripe.com/api/invoices/update, https://docs.stripe.com/api/credit_notes/create and
https://docs.stripe.com/invoicing/integration/automatic-advancement-collection (`auto_advance` may be changed on draft
and open invoices; without it Stripe neither reminds nor charges again); API version 2026-10-28.endive.
"""

from accordant.canonical.dispute import Dispute, InvoiceCredit
from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation
from accordant.connector.http import Request, VendorHttp, segment
from accordant.systems.stripe.client.answers import applied, metadata, the_record
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls
from accordant.systems.stripe.mapping import disputes as words


class Disputes:
    """The Billing port's verbs about disputed invoices."""

    def __init__(self, connection: str, http: VendorHttp, *, calls: Calls) -> None:
        self._connection = connection
        self._http = http
        self._calls = calls

    def collecting(self, verb: str, dispute: Dispute, *, collects: bool | None) -> Operation:
        """Where `collects` is None, nothing is owed and only the words on the invoice change.

        The record is the invoice, by its number: a later dispute writes over what an earlier one left there.
        """
        path = f"/v1/invoices/{segment(dispute.invoice_source_id)}"
        form = words.dispute_form(dispute, collects=collects)
        expected = words.dispute_expected(dispute, collects=collects)

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post(path, form, attempt=attempt)
            return applied(answer, "invoice_dispute", dispute.invoice_number)

        async def look_up(attempt: Attempt) -> Applied | None:
            answer = await self._http.read(Request("GET", path, accept=frozenset({404})), priority=attempt.priority)
            if answer.status == 404:
                return None
            said = words.dispute_facts(the_record(answer))
            stands = all(said[name] == value for name, value in expected.items())
            return applied(answer, "invoice_dispute", dispute.invoice_number) if stands else None

        return Operation(
            system="billing",
            connection=self._connection,
            verb=verb,
            kind="invoice_dispute",
            business_id=dispute.invoice_number,
            effect_class=EffectClass.NATIVE_KEY,
            command=dispute,
            send=send,
            look_up=look_up,
            expected=expected,
            key_life_s=KEY_LIFE_S,
        )

    def credit(self, credit: InvoiceCredit) -> Operation:
        """A credit note lowers what remains to be paid; the rest becomes credit for the next invoice."""
        form = words.note_form(credit)

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post("/v1/credit_notes", form, attempt=attempt)
            return applied(answer, "credit_note", credit.credit_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            query = (("invoice", credit.invoice_source_id),)
            async for record, answer in self._calls.listing("/v1/credit_notes", query, priority=attempt.priority):
                if metadata(record).get("credit_id") == credit.credit_id:
                    return applied(answer, "credit_note", credit.credit_id, record)
            return None

        return Operation(
            system="billing",
            connection=self._connection,
            verb="credit_invoice",
            kind="credit_note",
            business_id=credit.credit_id,
            effect_class=EffectClass.NATIVE_KEY,
            command=credit,
            send=send,
            look_up=look_up,
            expected=words.note_expected(credit),
            key_life_s=KEY_LIFE_S,
        )
