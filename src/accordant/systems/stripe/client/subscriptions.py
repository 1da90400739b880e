"""Starts, changes and ends subscriptions in Stripe Billing.

Source: https://docs.stripe.com/api/subscriptions; API version 2026-10-28.endive.
"""

from datetime import date

import msgspec

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.canonical.subscription import RunningPeriod, Subscription, SubscriptionChange
from accordant.connector.exchange import form_body
from accordant.connector.http import Answer, Request, VendorHttp, segment
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority
from accordant.kernel.proration import Delta
from accordant.systems.stripe import mapping
from accordant.systems.stripe.client.answers import Record, applied, explain, metadata, the_record
from accordant.systems.stripe.client.calls import FORM, KEY_LIFE_S, Calls


class Subscriptions:
    """The Billing port's subscription verbs."""

    def __init__(self, connection: str, http: VendorHttp, *, calls: Calls, days_until_due: int) -> None:
        self._connection = connection
        self._http = http
        self._calls = calls
        self._days_until_due = days_until_due

    def start(self, subscription: Subscription, *, account: Receipt) -> Operation:
        form = [
            ("customer", account.native_id),
            ("collection_method", "send_invoice"),
            ("days_until_due", str(self._days_until_due)),
            ("proration_behavior", "none"),
            *mapping.terms_form(subscription),
        ]

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post("/v1/subscriptions", form, attempt=attempt)
            return applied(answer, "subscription", subscription.subscription_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            query = (("customer", account.native_id), ("status", "all"))
            async for record, answer in self._calls.listing("/v1/subscriptions", query, priority=attempt.priority):
                if metadata(record).get("subscription_id") == subscription.subscription_id:
                    return applied(answer, "subscription", subscription.subscription_id, record)
            return None

        return Operation(
            system="billing",
            connection=self._connection,
            verb="start_subscription",
            kind="subscription",
            business_id=subscription.subscription_id,
            effect_class=EffectClass.NATIVE_KEY,
            command={"subscription": subscription, "account": account.native_id},
            send=send,
            look_up=look_up,
            expected=mapping.subscription_expected(subscription),
            key_life_s=KEY_LIFE_S,
        )

    def amend(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        return self._reprice("amend_subscription", change.subscription, existing, since=change.since)

    def revert(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        """With the same day of effect, so that both invoices add up to nothing."""
        return self._reprice("revert_amendment", change.before, existing, since=change.since)

    async def running_period(self, existing: Receipt, *, currency: str) -> RunningPeriod:
        return mapping.running_period(await self._held(_path(existing), Priority.CUSTOMER), currency=currency)

    async def preview(self, change: SubscriptionChange, *, existing: Receipt) -> Delta:
        """Stripe's own figure; a preview makes no invoice, so that asking again is safe."""
        if change.since is None:
            nothing = Money(0, change.before.total.currency)
            return Delta(unused=nothing, charged=nothing)
        record = await self._held(_path(existing), Priority.CUSTOMER)
        body = form_body(mapping.preview_form(record, change, since=change.since))
        request = Request("POST", "/v1/invoices/create_preview", body=body, content_type=FORM)
        return mapping.delta_of(the_record(await self._http.read(request, priority=Priority.CUSTOMER)))

    def end(self, subscription: Subscription, *, existing: Receipt) -> Operation:
        """Cancelling sets a state; keys count on POST only, and a cancelled subscription answers 404."""
        path = _path(existing)
        query = (("invoice_now", "false"), ("prorate", "false"))
        expected = mapping.subscription_expected(subscription, status="ended")

        async def send(attempt: Attempt) -> Applied:
            answer = await self._http.write(Request("DELETE", path, query, accept=frozenset({404})), attempt=attempt)
            if answer.status != 404:
                return applied(answer, "subscription", subscription.subscription_id)
            ended = await look_up(attempt)
            if ended is None:
                raise explain(answer)
            return ended

        async def look_up(attempt: Attempt) -> Applied | None:
            answer = await self._http.read(Request("GET", path, accept=frozenset({404})), priority=attempt.priority)
            if answer.status == 404 or the_record(answer).get("status") != "canceled":
                return None
            return applied(answer, "subscription", subscription.subscription_id)

        return Operation(
            system="billing",
            connection=self._connection,
            verb="end_subscription",
            kind="subscription",
            business_id=subscription.subscription_id,
            effect_class=EffectClass.UPSERT,
            command={"subscription": subscription, "native_id": existing.native_id},
            send=send,
            look_up=look_up,
            expected=expected,
        )

    def _reprice(self, verb: str, terms: Subscription, /, existing: Receipt, *, since: date | None) -> Operation:
        """Bring the one item to the given quantity and price; what is left of the period is invoiced from `since`."""
        path = _path(existing)
        expected = mapping.subscription_expected(terms)

        async def send(attempt: Attempt) -> Applied:
            if since is None:
                item_id = existing.facts.get("billing_item") or mapping.item_of(
                    await self._held(path, attempt.priority)
                )
                form = [("items[0][id]", item_id), ("proration_behavior", "none"), *mapping.terms_form(terms)]
            else:
                record = await self._held(path, attempt.priority)
                prorated = [*mapping.proration_form(record, since=since), ("expand[]", "latest_invoice")]
                form = [("items[0][id]", mapping.item_of(record)), *prorated, *mapping.terms_form(terms)]
            return _changed(await self._calls.post(path, form, attempt=attempt), terms, since=since)

        async def look_up(attempt: Attempt) -> Applied | None:
            invoiced = () if since is None else (("expand[]", "latest_invoice"),)
            request = Request("GET", path, (("expand[]", "customer"), *invoiced), accept=frozenset({404}))
            answer = await self._http.read(request, priority=attempt.priority)
            if answer.status == 404 or mapping.subscription_facts(the_record(answer)) != expected:
                return None
            return _changed(answer, terms, since=since)

        return Operation(
            system="billing",
            connection=self._connection,
            verb=verb,
            kind="subscription",
            business_id=terms.subscription_id,
            effect_class=EffectClass.NATIVE_KEY,
            command={"subscription": terms, "native_id": existing.native_id, **({"since": since} if since else {})},
            send=send,
            look_up=look_up,
            expected=expected,
            key_life_s=KEY_LIFE_S,
        )

    async def _held(self, path: str, priority: Priority) -> Record:
        return the_record(await self._http.read(Request("GET", path), priority=priority))


def _path(existing: Receipt) -> str:
    return f"/v1/subscriptions/{segment(existing.native_id)}"


def _changed(answer: Answer, terms: Subscription, *, since: date | None) -> Applied:
    """The receipt of a change; with what was invoiced for it, where anything was."""
    done = applied(answer, "subscription", terms.subscription_id)
    if since is None:
        return done
    delta = mapping.delta_of(the_record(answer)["latest_invoice"])
    billed = {"unused_minor": str(delta.unused.amount_minor), "charged_minor": str(delta.charged.amount_minor)}
    receipt = msgspec.structs.replace(done.receipt, facts={**done.receipt.facts, **billed})
    return msgspec.structs.replace(done, receipt=receipt)
