"""Invoices: the first one of a subscription, and how they are finalized, paid, voided and written off.

Source: https://docs.stripe.com/api/invoices, /api/invoices/finalize, /pay, /void, /mark_uncollectible, and
https://docs.stripe.com/billing/customer/balance for what finalizing does to a balance (API version 2026-10-28.endive).
"""

import msgspec

from accordant.connector.sandbox import Call, Change, Record, Refused, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, invoice_change
from accordant.systems.stripe.sandbox.credits import Posted, Posting
from accordant.systems.stripe.sandbox.payments import CARD, Collected, collected
from accordant.systems.stripe.sandbox.wire import Params, error_reply, metadata_after, one_of, only, text

_INVOICE: Record = {
    "object": "invoice",
    **dict.fromkeys(
        (
            *("amount_overpaid", "amount_paid", "amount_shipping", "attempt_count", "starting_balance"),
            *("post_payment_credit_notes_amount", "pre_payment_credit_notes_amount"),
        ),
        0,
    ),
    "attempted": False,
    "auto_advance": True,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
    "billing_reason": "manual",
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "effective_at": None,
    "ending_balance": None,
    "livemode": False,
    "metadata": {},
    "number": None,
    "parent": None,
    "issuer": {"type": "self"},
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "status_transitions": {"finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
    "test_clock": None,
    "total_taxes": [],
    "total_discount_amounts": [],
}
_FINALIZE = frozenset({"auto_advance", "expand"})
_END = frozenset({"expand"})
_PAY = frozenset({"expand", "forgive", "off_session", "paid_out_of_band", "payment_method"})
_UPDATE = frozenset({"auto_advance", "description", "expand", "metadata"})
_OVER = frozenset({"paid", "uncollectible", "void"})
"""States in which an invoice is not asked for any more."""
NO_PAYMENT = "This customer has no attached payment source or default payment method."


class Invoices:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def finalize(self, call: Call, params: Params) -> Write:
        """The customer's balance in the invoice's currency is applied; what it covers wholly is paid.

        Source: https://docs.stripe.com/billing/customer/balance
        """
        only(params, _FINALIZE)
        return self._done(call, finalized(self._books, self._books.invoices.need(call.params["id"])))

    def update(self, call: Call, params: Params) -> Write:
        """What may be changed of a finalized invoice; nobody goes on asking for one that is over.

        Source: https://docs.stripe.com/invoicing/integration/automatic-advancement-collection
        """
        only(params, _UPDATE)
        before = self._books.invoices.need(call.params["id"])
        record = {**before, "metadata": metadata_after(before["metadata"], params.get("metadata", {}))}
        if "description" in params:
            record["description"] = text(params["description"], param="description") or None
        if "auto_advance" in params:
            asked = one_of(params["auto_advance"], ("true", "false"), param="auto_advance") == "true"
            record["auto_advance"] = asked and before["status"] not in _OVER
        previous = {name: before.get(name) for name in record if record[name] != before.get(name)}
        told = [Told(type="invoice.updated", record=record, previous=previous)]
        write = self._done(call, Done(record=record, told=told))
        given: Record = params.get("metadata") or {}
        about_dispute = any(name.startswith("dispute_") for name in given)
        return Write(write.reply, (_dispute_change(record),), write.apply) if about_dispute else write

    def pay(self, call: Call, params: Params) -> Write:
        """Outside Stripe, or with the one card that is always charged: nobody here has another."""
        only(params, _PAY)
        before = self._books.invoices.need(call.params["id"])
        if before["status"] not in ("open", "uncollectible"):
            raise Refused(error_reply(f"Only open invoices can be paid; this one is {before['status']}."))
        outside = one_of(params.get("paid_out_of_band", "false"), ("true", "false"), param="paid_out_of_band") == "true"
        if not outside and params.get("payment_method") != CARD:
            raise Refused(error_reply(NO_PAYMENT, code="resource_missing"))
        record = paid({**before, "attempted": not outside}, self._books.now_s())
        told, money = [Told(type="invoice.paid", record=record)], None
        if not outside:  # an attempt that succeeded is told as well
            left = int(before["amount_remaining"])
            money = collected(self._books, before, amount=left, at_s=self._books.now_s())
            told += [
                Told(type="charge.succeeded", record=money.charge),
                Told(type="invoice.payment_succeeded", record=record),
            ]
        return self._done(call, Done(record=record, told=told, money=money))

    def void(self, call: Call, params: Params) -> Write:
        """What the balance paid goes back to the customer.

        Source: https://docs.stripe.com/changelog/2019-12-03/customer-balances-returned-voided-invoices
        """
        only(params, _END)
        before = self._ending(call, among=("open", "uncollectible"), word="void")
        passed = {**before["status_transitions"], "voided_at": self._books.now_s()}
        record: Record = {**before, "status": "void", "status_transitions": passed}
        back = int(before["starting_balance"]) - int(before["ending_balance"] or 0)
        posted = None
        if back:
            posting = Posting(
                amount=back, currency=before["currency"], type="unapplied_from_invoice", invoice=before["id"]
            )
            customer = self._books.customers.need(before["customer"])
            posted = posting.on(self._books, customer, balance=self._books.balance(customer["id"], before["currency"]))
        return self._done(call, Done(record=record, told=[Told(type="invoice.voided", record=record)], posted=posted))

    def mark_uncollectible(self, call: Call, params: Params) -> Write:
        """It may still be paid, or voided."""
        only(params, _END)
        before = self._ending(call, among=("open",), word="uncollectible")
        passed = {**before["status_transitions"], "marked_uncollectible_at": self._books.now_s()}
        record = {**before, "status": "uncollectible", "status_transitions": passed}
        return self._done(call, Done(record=record, told=[Told(type="invoice.marked_uncollectible", record=record)]))

    def _ending(self, call: Call, *, among: tuple[str, ...], word: str) -> Record:
        before = self._books.invoices.need(call.params["id"])
        if before["status"] not in among:
            said = f"You can only mark {' or '.join(among)} invoices as {word}; this one is {before['status']}."
            raise Refused(error_reply(said))
        return before

    def _done(self, call: Call, done: "Done") -> Write:
        def apply() -> None:
            done.put(self._books)
            self._books.tell(call, done.told)

        if done.posted is not None:
            done.told.extend(done.posted.told)
        return Write(Reply(200, done.record), (invoice_change("update", done.record),), apply)


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice as it shall stand, and what goes with it."""

    record: Record
    told: list[Told]
    posted: Posted | None = None
    money: Collected | None = None

    def put(self, books: Books) -> None:
        if self.money is not None:
            self.money.put(books)
        books.invoices.put(self.record)
        books.numbers.add(self.record["number"])
        if self.posted is not None:
            self.posted.put(books)


def _dispute_change(record: Record) -> Change:
    """What an invoice says of the dispute that it is under; no money moves."""
    number = record["number"]
    return Change(kind="invoice_dispute", change="update", native_id=record["id"], business_id=number, body=record)


def finalized(books: Books, before: Record) -> Done:
    """A draft as it is once finalized: with a number, its balance applied, paid where that covers it wholly."""
    if before["status"] != "draft":
        raise Refused(error_reply("This invoice is already finalized, you can't re-finalize a non-draft invoice."))
    now_s, total = books.now_s(), int(before["total"])
    customer = books.customers.need(before["customer"])
    balance = books.balance(customer["id"], before["currency"])
    due = max(0, total + balance)
    record: Record = {
        **before,
        **dict.fromkeys(("amount_due", "amount_remaining"), due),
        "automatically_finalizes_at": None,
        "effective_at": before["effective_at"] or now_s,
        "starting_balance": balance,
        "ending_balance": balance + total - due,
        "number": before["number"] or _next_number(books, customer),
        "status": "open",
        "status_transitions": {**before["status_transitions"], "finalized_at": now_s},
    }
    told = [Told(type="invoice.finalized", record=record)]
    if due == 0:
        record = paid(record, now_s)
        told = [Told(type="invoice.finalized", record=record), Told(type="invoice.paid", record=record)]
    posted = None
    if total != due:
        posting = Posting(
            amount=total - due, currency=before["currency"], type="applied_to_invoice", invoice=before["id"]
        )
        posted = posting.on(books, customer, balance=balance)
    return Done(record=record, told=told, posted=posted)


def _next_number(books: Books, customer: Record) -> str:
    """Each customer has a sequence of its own, as accounts have where nothing else is chosen."""
    earlier = sum(1 for one in books.invoices.group(customer["id"]) if one["status"] != "draft")
    prefix, n = customer["invoice_prefix"], earlier + 1
    while f"{prefix}-{n:04}" in books.numbers:
        n += 1
    return f"{prefix}-{n:04}"


def invoice_shape(record_id: str, *, subscription: Record, customer: Record, lines: list[Record]) -> Record:
    """The first invoice: finalized at once when it is charged automatically, a draft for an hour when it is sent.

    Source: https://docs.stripe.com/billing/invoices/subscription#sub-invoice-lifecycle
    """
    total = sum(int(line["amount"]) for line in lines)
    created = subscription["created"]
    sent = subscription["collection_method"] == "send_invoice"
    parent = {"subscription": subscription["id"], "metadata": subscription["metadata"]}
    blank = blank_invoice(record_id, customer=customer, created=created, total=total)
    return {
        **blank,
        "automatically_finalizes_at": created + 3600 if sent else None,
        "billing_reason": "subscription_create",
        "collection_method": subscription["collection_method"],
        "currency": subscription["currency"],
        "due_date": created + 86_400 * int(subscription["days_until_due"] or 0) if sent else None,
        "lines": {**blank["lines"], "data": lines},
        "parent": {"type": "subscription_details", "subscription_details": parent, "quote_details": None},
        "status": "draft" if sent else "open",
    }


def blank_invoice(record_id: str, *, customer: Record, created: int, total: int) -> Record:
    """What every invoice has; the rest says whence it came."""
    url = f"/v1/invoices/{record_id}/lines"
    return {
        **_INVOICE,
        "id": record_id,
        **dict.fromkeys(("amount_due", "amount_remaining", "subtotal", "total"), total),
        "automatically_finalizes_at": None,
        **dict.fromkeys(("created", "period_start", "period_end"), created),
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "lines": {"object": "list", "data": [], "has_more": False, "url": url},
    }


def paid(record: Record, now_s: int) -> Record:
    passed = {**record["status_transitions"], "paid_at": now_s}
    amounts = {"amount_paid": record["amount_due"], "amount_remaining": 0}
    return {**record, **amounts, "auto_advance": False, "status": "paid", "status_transitions": passed}
