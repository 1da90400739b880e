"""Says what of a customer's invoices waits for money, reminds of one, and pauses collection.

Source: https://docs.stripe.com/api/invoices/list, https://docs.stripe.com/api/invoices/send,
https://docs.stripe.com/billing/subscriptions/pause-payment (while paused, invoices are kept as drafts; the
subscription's status stays), https://docs.stripe.com/api/events/list (events of the last 30 days; each names the
idempotency key of the request that caused it); API version 2026-10-28.endive.
"""

from collections.abc import Sequence
from typing import cast

from accordant.canonical.invoice import OpenInvoice, Reminder
from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, Receipt
from accordant.connector.http import Answer, Request, VendorHttp, segment
from accordant.kernel.ids import canonical_id
from accordant.kernel.priority import Priority
from accordant.systems.stripe.client.answers import Record, applied, metadata, the_record
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls
from accordant.systems.stripe.mapping import from_stripe

PAUSED, RUNNING = "paused", "running"
SENT = "invoice.sent"


class Receivables:
    """The Billing port's verbs about money that has not come."""

    def __init__(self, connection: str, http: VendorHttp, *, calls: Calls) -> None:
        self._connection = connection
        self._http = http
        self._calls = calls

    async def open_invoices(self, account: Receipt, *, currency: str) -> tuple[OpenInvoice, ...]:
        """Finalized, not paid, not voided, not written off, in `currency`; what is in another one is left out."""
        query = (("customer", account.native_id), ("status", "open"))
        listing = self._calls.listing("/v1/invoices", query, priority=Priority.CUSTOMER)
        found = {str(record["id"]): record async for record, _ in listing}
        return tuple(_open(one) for one in found.values() if str(one["currency"]).upper() == currency)

    async def subscriptions_of(self, account: Receipt) -> tuple[Receipt, ...]:
        """Those that carry our id and are not cancelled, always in the same order."""
        query = (("customer", account.native_id),)
        listing = self._calls.listing("/v1/subscriptions", query, priority=Priority.CUSTOMER)
        found = {str(record["id"]): metadata(record).get("subscription_id") async for record, _ in listing}
        ours = {native_id: str(ours) for native_id, ours in found.items() if ours}
        return tuple(
            Receipt(kind="subscription", native_id=native_id, business_id=ours[native_id])
            for native_id in sorted(ours, key=lambda one: ours[one])
        )

    def send_reminder(self, reminder: Reminder) -> Operation:
        """The native id names the invoice and the key of the request, by which the event that it caused is found."""
        invoice_id = reminder.invoice_source_id
        business_id = canonical_id("reminder", invoice_id, reminder.step)

        def receipt_of(record: Record, key: str) -> Record:
            return {**record, "id": f"{invoice_id}/{key}"}

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post(f"/v1/invoices/{segment(invoice_id)}/send", [], attempt=attempt)
            return applied(answer, "reminder", business_id, receipt_of(the_record(answer), attempt.key))

        async def look_up(attempt: Attempt) -> Applied | None:
            listing = self._calls.listing("/v1/events", (("type", SENT),), priority=attempt.priority)
            async for event, answer in listing:
                if _caused(event) == (invoice_id, attempt.key):
                    return applied(answer, "reminder", business_id, receipt_of(event, attempt.key))
            return None

        return Operation(
            system="billing",
            connection=self._connection,
            verb="send_reminder",
            kind="reminder",
            business_id=business_id,
            effect_class=EffectClass.NATIVE_KEY,
            command=reminder,
            send=send,
            look_up=look_up,
            expected={"invoice": invoice_id},
            key_life_s=KEY_LIFE_S,
        )

    def pause(self, subscription: Receipt) -> Operation:
        return self._collecting("pause_collection", PAUSED, subscription)

    def resume(self, subscription: Receipt) -> Operation:
        return self._collecting("resume_collection", RUNNING, subscription)

    async def reminders(self, native_ids: Sequence[str]) -> dict[str, Facts]:
        """Of which of these reminders an event tells; one that Stripe no longer keeps is absent."""
        left, found = {tuple(one.partition("/")[::2]): one for one in native_ids}, dict[str, Facts]()
        async for event, _ in self._calls.listing("/v1/events", (("type", SENT),), priority=Priority.BACKGROUND):
            native_id = left.pop(_caused(event), None)
            if native_id is not None:
                found[native_id] = {"invoice": native_id.partition("/")[0]}
            if not left:
                break
        return found

    def _collecting(self, verb: str, state: str, subscription: Receipt, /) -> Operation:
        """Setting a state; the key keeps a repeat from undoing what came after it."""
        path = f"/v1/subscriptions/{segment(subscription.native_id)}"
        form = [("pause_collection[behavior]", "keep_as_draft")] if state == PAUSED else [("pause_collection", "")]
        expected: Facts = {"subscription_id": subscription.business_id, "collection": state}

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post(path, form, attempt=attempt)
            return applied(answer, "collection", subscription.business_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            answer: Answer = await self._http.read(
                Request("GET", path, accept=frozenset({404})), priority=attempt.priority
            )
            if answer.status == 404 or collection_facts(the_record(answer)) != expected:
                return None
            return applied(answer, "collection", subscription.business_id)

        return Operation(
            system="billing",
            connection=self._connection,
            verb=verb,
            kind="collection",
            business_id=subscription.business_id,
            effect_class=EffectClass.NATIVE_KEY,
            command={"subscription": subscription.business_id, "native_id": subscription.native_id, "to": state},
            send=send,
            look_up=look_up,
            expected=expected,
            key_life_s=KEY_LIFE_S,
        )


def collection_facts(record: Record) -> Facts:
    """Whether a subscription asks for money."""
    state = PAUSED if record.get("pause_collection") else RUNNING
    return {"subscription_id": metadata(record).get("subscription_id"), "collection": state}


def _open(record: Record) -> OpenInvoice:
    due_s = record.get("due_date")
    return OpenInvoice(
        number=str(record.get("number") or ""),
        source_id=str(record["id"]),
        remaining=from_stripe(int(record["amount_remaining"]), str(record["currency"])),
        due_at_ms=None if due_s is None else int(due_s) * 1000,
        attempts=int(record.get("attempt_count") or 0) if record.get("attempted") else 0,
        is_disputed=metadata(record).get("dispute_status") == "open",
    )


def _caused(event: Record) -> tuple[str, str]:
    """The invoice that an event is about, and the key of the request that caused it."""
    request = cast(Record, event.get("request") or {})
    return str(event["data"]["object"]["id"]), str(request.get("idempotency_key") or "")
