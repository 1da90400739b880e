"""Invoices: the first one of a subscription, one-off ones that are loaded, and how they are finalized and paid.

Source: https://docs.stripe.com/api/invoices, /api/invoices/finalize, /api/invoices/pay, and
https://docs.stripe.com/billing/customer/balance for what finalizing does to a balance (API version 2026-10-28.endive).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from accordant.connector.sandbox import Call, Record, Refused, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, invoice_change
from accordant.systems.stripe.sandbox.credits import Posted, Posting
from accordant.systems.stripe.sandbox.wire import Params, error_reply, one_of, only

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
_PAY = frozenset({"expand", "forgive", "off_session", "paid_out_of_band"})
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
        before = self._books.invoices.need(call.params["id"])
        if before["status"] != "draft":
            raise Refused(error_reply("This invoice is already finalized, you can't re-finalize a non-draft invoice."))
        now_s, total = self._books.now_s(), int(before["total"])
        customer = self._books.customers.need(before["customer"])
        balance = self._books.balance(customer["id"], before["currency"])
        due = max(0, total + balance)
        posted = self._applied(before, customer, balance=balance, by=total - due) if total != due else None
        record: Record = {
            **before,
            **dict.fromkeys(("amount_due", "amount_remaining"), due),
            "automatically_finalizes_at": None,
            "effective_at": before["effective_at"] or now_s,
            "number": before["number"] or self._next_number(customer),
            "starting_balance": balance,
            "ending_balance": balance + total - due,
            "status": "open",
            "status_transitions": {**before["status_transitions"], "finalized_at": now_s},
        }
        told = [Told(type="invoice.finalized", record=record)]
        if due == 0:
            record = paid(record, now_s)
            told = [Told(type="invoice.finalized", record=record), Told(type="invoice.paid", record=record)]
        return self._write(call, record, told=told, posted=posted)

    def pay(self, call: Call, params: Params) -> Write:
        """Outside Stripe only: nobody here has a card."""
        only(params, _PAY)
        before = self._books.invoices.need(call.params["id"])
        if before["status"] != "open":
            raise Refused(error_reply(f"Only open invoices can be paid; this one is {before['status']}."))
        outside = one_of(params.get("paid_out_of_band", "false"), ("true", "false"), param="paid_out_of_band")
        if outside == "false":
            raise Refused(error_reply(NO_PAYMENT, code="resource_missing"))
        record = paid(before, self._books.now_s())
        return self._write(call, record, told=[Told(type="invoice.paid", record=record)])

    def _next_number(self, customer: Record) -> str:
        """Each customer has a sequence of its own, as accounts have where nothing else is chosen."""
        earlier = sum(1 for one in self._books.invoices.group(customer["id"]) if one["status"] != "draft")
        prefix, n = customer["invoice_prefix"], earlier + 1
        while f"{prefix}-{n:04}" in self._books.numbers:
            n += 1
        return f"{prefix}-{n:04}"

    def _applied(self, invoice: Record, customer: Record, *, balance: int, by: int) -> Posted:
        posting = Posting(amount=by, currency=invoice["currency"], type="applied_to_invoice", invoice=invoice["id"])
        return posting.on(self._books, customer, balance=balance)

    def _write(self, call: Call, record: Record, *, told: list[Told], posted: Posted | None = None) -> Write:
        def apply() -> None:
            self._books.invoices.put(record)
            self._books.numbers.add(record["number"])
            if posted is not None:
                posted.put(self._books)
            self._books.tell(call, told if posted is None else [*told, *posted.told])

        return Write(Reply(200, record), (invoice_change("update", record),), apply)


def load_invoice(books: Books, given: Mapping[str, Any]) -> None:
    """A one-off invoice of the customer with our id `customer_id`: `total` in Stripe's units, `currency`, `due_on`.

    It is open unless `status` says otherwise; without `due_on` it is charged automatically and never due.
    """
    owners = [one for one in books.customers.values() if one["metadata"].get("customer_id") == given["customer_id"]]
    if not owners:
        raise ValueError(f"no customer carries the customer_id {given['customer_id']!r}")
    blank = blank_invoice(books.new_id("in_1"), customer=owners[0], created=books.now_s(), total=int(given["total"]))
    due_on = given.get("due_on")
    due_s = int(datetime.fromisoformat(str(due_on)).replace(tzinfo=UTC).timestamp()) if due_on else None
    record: Record = {
        **blank,
        "collection_method": "send_invoice" if due_on else "charge_automatically",
        "currency": str(given["currency"]),
        "due_date": due_s,
        "status": str(given.get("status", "open")),
    }
    books.invoices.put(paid(record, books.now_s()) if record["status"] == "paid" else record)


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
    return {**record, **amounts, "status": "paid", "status_transitions": passed}
