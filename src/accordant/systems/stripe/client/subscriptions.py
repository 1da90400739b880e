"""Starts, changes and ends subscriptions in Stripe Billing.

Source: https://docs.stripe.com/api/subscriptions; API version 2026-10-28.endive.
"""

from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.canonical.subscription import Subscription, SubscriptionChange
from accordant.connector.http import Request, VendorHttp, segment
from accordant.kernel.priority import Priority
from accordant.systems.stripe import mapping
from accordant.systems.stripe.client.answers import applied, explain, metadata, the_record
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls


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
        return self._reprice("amend_subscription", change.subscription, existing)

    def revert(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        return self._reprice("revert_amendment", change.before, existing)

    def end(self, subscription: Subscription, *, existing: Receipt) -> Operation:
        """Cancelling sets a state; keys count on POST only, and a cancelled subscription answers 404."""
        path = f"/v1/subscriptions/{segment(existing.native_id)}"
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

    def _reprice(self, verb: str, terms: Subscription, /, existing: Receipt) -> Operation:
        """Bring the one item to the given quantity and price; nothing is prorated."""
        path = f"/v1/subscriptions/{segment(existing.native_id)}"
        expected = mapping.subscription_expected(terms)

        async def send(attempt: Attempt) -> Applied:
            item_id = existing.facts.get("billing_item") or await self._item_of(path, attempt.priority)
            form = [("items[0][id]", item_id), ("proration_behavior", "none"), *mapping.terms_form(terms)]
            return applied(await self._calls.post(path, form, attempt=attempt), "subscription", terms.subscription_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            request = Request("GET", path, (("expand[]", "customer"),), accept=frozenset({404}))
            answer = await self._http.read(request, priority=attempt.priority)
            if answer.status == 404 or mapping.subscription_facts(the_record(answer)) != expected:
                return None
            return applied(answer, "subscription", terms.subscription_id)

        return Operation(
            system="billing",
            connection=self._connection,
            verb=verb,
            kind="subscription",
            business_id=terms.subscription_id,
            effect_class=EffectClass.NATIVE_KEY,
            command={"subscription": terms, "native_id": existing.native_id},
            send=send,
            look_up=look_up,
            expected=expected,
            key_life_s=KEY_LIFE_S,
        )

    async def _item_of(self, path: str, priority: Priority) -> str:
        """The id of a subscription's first item, where the receipt does not know it."""
        record = the_record(await self._http.read(Request("GET", path), priority=priority))
        return str(record["items"]["data"][0]["id"])
