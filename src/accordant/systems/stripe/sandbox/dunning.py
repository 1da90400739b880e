"""What happens to an invoice that is not paid: it is sent again, a charge fails, it becomes overdue.

Source: https://docs.stripe.com/api/invoices/send, https://docs.stripe.com/api/events/types (invoice.sent,
invoice.payment_failed, invoice.overdue), https://docs.stripe.com/billing/subscriptions/webhooks; API version
2026-10-28.endive. Nobody here has a card and no clock runs: that a charge fails, and that the automation for overdue
invoices has its turn, is loaded by whoever plays the company.
"""

from collections.abc import Mapping
from typing import Any

from accordant.connector.sandbox import Call, Change, Record, Refused, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told
from accordant.systems.stripe.sandbox.wire import Params, error_reply, mapping, one_of, only, required, whole

HAPPENINGS = ("payment_failed", "overdue", "disputed")


class Dunning:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def send(self, call: Call, params: Params) -> Write:
        """An open invoice goes to the customer once more; the invoice itself does not change."""
        only(params, frozenset({"expand"}))
        record = self._books.invoices.need(call.params["id"])
        if record["status"] not in ("open", "paid"):
            raise Refused(error_reply(f"You can't send an invoice that is {record['status']}."))
        if record["collection_method"] != "send_invoice":
            message = "Invoice must have collection_method set to send_invoice in order to be sent."
            raise Refused(error_reply(message))
        sent = self._books.sent.get(record["id"], 0) + 1
        change = Change(
            kind="reminder",
            change="create",
            native_id=f"{record['id']}#{sent}",
            body={"invoice": record["id"], "number": record["number"], "times": sent},
        )

        def apply() -> None:
            self._books.sent[record["id"]] = sent
            self._books.tell(call, (Told(type="invoice.sent", record=record),))

        return Write(Reply(200, record), (change,), apply)


def happen(books: Books, given: Mapping[str, Any]) -> None:
    """`{"invoice": "in_…", "what": "payment_failed" | "overdue" | "disputed"}`, as Stripe's own clock would have it.

    With `late` it happened while the invoice was open, and is told only now. A dispute is what a case has written on
    the invoice; Stripe tells nobody of that.

    Raises:
        ValueError: no such invoice, it is not open, or nothing of this name happens.
    """
    record, what, late = books.invoices.find(str(given["invoice"])), given["what"], bool(given.get("late"))
    if record is None or what not in HAPPENINGS or not (late or record["status"] == "open"):
        raise ValueError(f"no open invoice {given['invoice']!r}, or {what!r} is none of {HAPPENINGS}")
    if what == "disputed":
        books.invoices.put({**record, "metadata": {**record["metadata"], "dispute_status": "open"}})
        return
    if what == "payment_failed":
        record = {**record, "attempted": True, "attempt_count": int(record["attempt_count"]) + 1}
    if late:
        record = {**record, "status": "open", "amount_paid": 0, "amount_remaining": record["amount_due"]}
    else:
        books.invoices.put(record)
    books.tell(None, (Told(type=f"invoice.{what}", record=record),))


def sent_lines(books: Books) -> list[Record]:
    """How often each invoice was sent again."""
    found = ((books.invoices.need(invoice_id)["number"], times) for invoice_id, times in books.sent.items())
    return [{"business_id": number or "", "number": number, "times": times} for number, times in sorted(found)]


def paused(given: Any) -> Record | None:
    """Empty text ends a pause.

    Source: https://docs.stripe.com/billing/subscriptions/pause-payment
    """
    if given == "":
        return None
    asked = mapping(given, param="pause_collection")
    only(asked, frozenset({"behavior", "resumes_at"}), within="pause_collection")
    choice = required(asked, "behavior", within="pause_collection")
    behaviors = ("keep_as_draft", "mark_uncollectible", "void")
    resumes = whole(asked["resumes_at"], param="pause_collection[resumes_at]") if "resumes_at" in asked else None
    return {"behavior": one_of(choice, behaviors, param="pause_collection[behavior]"), "resumes_at": resumes}
