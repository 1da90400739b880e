"""Opens customers in Stripe Billing, each effect once; `subscriptions` and `credits` hold the other verbs.

Source: https://docs.stripe.com/api/customers, /idempotent_requests, /pagination, /search; API version
2026-10-28.endive. Writes are safe by idempotency key for 24 hours; past that, records are found by our ids in their
metadata on the list endpoints, which show a write at once, while search may lag.
"""

from collections.abc import Sequence
from datetime import date
from typing import cast

import msgspec

from accordant.canonical.account import Balance
from accordant.canonical.control import LedgerDocument
from accordant.canonical.credit import Exposure, ServiceCredit
from accordant.canonical.credit_note import BalanceEntry
from accordant.canonical.customer import Customer
from accordant.canonical.dispute import Dispute, InvoiceCredit
from accordant.canonical.invoice import BilledLine, OpenInvoice, Reminder
from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.canonical.refund import Refund
from accordant.canonical.settlement import Settlement
from accordant.canonical.subscription import RunningPeriod, Subscription, SubscriptionChange
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.http import Request, VendorHttp, segment
from accordant.kernel.errors import Misconfigured
from accordant.kernel.priority import Priority
from accordant.kernel.proration import Delta
from accordant.systems.stripe import mapping
from accordant.systems.stripe.client.answers import Record, applied, metadata, the_record
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls
from accordant.systems.stripe.client.credits import Credits
from accordant.systems.stripe.client.disputes import Disputes
from accordant.systems.stripe.client.documents import Documents
from accordant.systems.stripe.client.readback import ReadBack
from accordant.systems.stripe.client.receivables import Receivables
from accordant.systems.stripe.client.refunds import Refunds
from accordant.systems.stripe.client.subscriptions import Subscriptions

SEARCH_WORST_LAG_S = 7_200
"""Search may be an hour behind during outages; twice that is read from the list endpoint instead."""


class StripeBilling:
    """The Billing port. `options`: `invoice_email` (may hold `{customer_id}`) and `days_until_due`."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._name = settings.name
        self._http = http
        self._email = str(settings.options.get("invoice_email", ""))
        days_until_due = int(settings.options.get("days_until_due", 30))
        if "@" not in self._email:
            message = "Stripe sends invoices only to customers with an e-mail address; set the option `invoice_email`"
            raise Misconfigured(f"connection {self._name}: {message}, such as ar+{{customer_id}}@example.com")
        self._calls = Calls(http)
        self._receivables = Receivables(settings.name, http, calls=self._calls)
        self._read_back = ReadBack(http, self._receivables)
        self._subscriptions = Subscriptions(settings.name, http, calls=self._calls, days_until_due=days_until_due)
        self._credits = Credits(settings.name, self._calls)
        self._documents = Documents(self._calls)
        self._refunds = Refunds(settings.name, self._calls)
        self._disputes = Disputes(settings.name, http, calls=self._calls)

    def open_customer(self, customer: Customer) -> Operation:
        form = mapping.customer_form(customer, email=self._email.replace("{customer_id}", customer.customer_id))

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post("/v1/customers", form, attempt=attempt)
            return applied(answer, "customer", customer.customer_id)

        async def look_up(attempt: Attempt) -> Applied | None:
            return await self._find_customer(customer.customer_id, attempt.priority)

        return Operation(
            system="billing",
            connection=self._name,
            verb="open_customer",
            kind="customer",
            business_id=customer.customer_id,
            effect_class=EffectClass.NATIVE_KEY,
            command=customer,
            send=send,
            look_up=look_up,
            expected=mapping.customer_expected(customer),
            key_life_s=KEY_LIFE_S,
            master_data=True,
        )

    def start_subscription(self, subscription: Subscription, *, account: Receipt) -> Operation:
        return self._subscriptions.start(subscription, account=account)

    def amend_subscription(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        return self._subscriptions.amend(change, existing=existing)

    async def running_period(self, existing: Receipt, *, currency: str) -> RunningPeriod:
        return await self._subscriptions.running_period(existing, currency=currency)

    async def preview_change(self, change: SubscriptionChange, *, existing: Receipt) -> Delta:
        return await self._subscriptions.preview(change, existing=existing)

    def revert_amendment(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        return self._subscriptions.revert(change, existing=existing)

    def end_subscription(self, subscription: Subscription, *, existing: Receipt) -> Operation:
        return self._subscriptions.end(subscription, existing=existing)

    def grant_credit(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        return self._credits.grant(credit, account=account)

    def counter_credit(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        return self._credits.counter(credit, account=account)

    async def settlement(self, number: str, *, account: Receipt, apart_from: str = "") -> Settlement | None:
        return await self._refunds.settlement(number, account=account, apart_from=apart_from)

    def refund_payment(self, refund: Refund) -> Operation:
        return self._refunds.refund(refund)

    def stop_collecting(self, dispute: Dispute) -> Operation:
        return self._disputes.collecting("stop_collecting", dispute, collects=False)

    def collect_again(self, dispute: Dispute, *, owes: bool) -> Operation:
        return self._disputes.collecting("collect_again", dispute, collects=True if owes else None)

    def credit_invoice(self, credit: InvoiceCredit) -> Operation:
        return self._disputes.credit(credit)

    async def exposure(self, account: Receipt, *, currency: str, on: date, since: date) -> Exposure:
        """See `credits`: only what is in `currency` counts."""
        return await self._credits.exposure(account, currency=currency, on=on, since=since)

    async def balance_entries(self, account: Receipt, *, currency: str, since: date) -> tuple[BalanceEntry, ...]:
        return await self._credits.by_hand(account, currency=currency, since=since)

    async def documents(self, *, since: date, until: date) -> tuple[LedgerDocument, ...]:
        """See `documents`: everything is read, whatever the days."""
        return await self._documents.all(since=since, until=until)

    async def balance(self, account: Receipt, *, currency: str, on: date) -> Balance:
        return await self._credits.balance(account, currency=currency, on=on)

    async def invoice_lines(self, invoice_source_id: str) -> tuple[BilledLine, ...]:
        """All lines of an invoice, of which its events show the first ten."""
        path = f"/v1/invoices/{segment(invoice_source_id)}/lines"
        listing = self._calls.listing(path, (), priority=Priority.FINANCE)
        rows = {str(row["id"]): msgspec.convert(row, type=mapping.Line) async for row, _ in listing}
        lines = list(rows.values())
        return mapping.billed_lines(lines, lines[0].currency, of=invoice_source_id) if lines else ()

    async def open_invoices(self, account: Receipt, *, currency: str) -> tuple[OpenInvoice, ...]:
        return await self._receivables.open_invoices(account, currency=currency)

    async def subscriptions_of(self, account: Receipt) -> tuple[Receipt, ...]:
        return await self._receivables.subscriptions_of(account)

    def send_reminder(self, reminder: Reminder) -> Operation:
        return self._receivables.send_reminder(reminder)

    def pause_collection(self, subscription: Receipt) -> Operation:
        return self._receivables.pause(subscription)

    def resume_collection(self, subscription: Receipt) -> Operation:
        return self._receivables.resume(subscription)

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """What Stripe holds now, by native id; see `readback`."""
        return await self._read_back.facts(kind, [ref.native_id for ref in refs])

    async def _find_customer(self, customer_id: str, priority: Priority) -> Applied | None:
        """By metadata: on the list for whatever search may not see yet, then by search.

        The list is newest first, so that records more than two hours older than the newest one, and therefore more
        than two hours old, are left to the search. Where search is not offered (404 or 400, India), all are listed.
        """
        horizon_s: int | None = None
        async for record, answer in self._calls.listing("/v1/customers", (), priority=priority):
            if metadata(record).get("customer_id") == customer_id:
                return applied(answer, "customer", customer_id, record)
            created_s = int(record["created"])
            horizon_s = created_s - SEARCH_WORST_LAG_S if horizon_s is None else horizon_s
            if created_s < horizon_s:
                break
        else:
            return None
        query = f"metadata['customer_id']:'{_quoted(customer_id)}'"
        request = Request("GET", "/v1/customers/search", (("query", query),), accept=frozenset({400, 403, 404}))
        answer = await self._http.read(request, priority=priority)
        if answer.status == 200:
            found = cast(list[Record], the_record(answer)["data"])
            hits = (record for record in found if metadata(record).get("customer_id") == customer_id)
            return next((applied(answer, "customer", customer_id, record) for record in hits), None)
        async for record, page in self._calls.listing("/v1/customers", (), priority=priority):
            if metadata(record).get("customer_id") == customer_id:
                return applied(page, "customer", customer_id, record)
        return None


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
