"""What customers paid by card: the charge, and which invoice it paid.

Source: https://docs.stripe.com/api/charges/object, https://docs.stripe.com/api/invoice-payment/object (since 2025-03-31
an invoice names its payments instead of one charge), API version 2026-10-28.endive.
"""

import msgspec

from accordant.connector.sandbox import Call, Record, Reply
from accordant.systems.stripe.sandbox.books import Books
from accordant.systems.stripe.sandbox.shelf import PAGING, ListSpec
from accordant.systems.stripe.sandbox.wire import Params, one_of, only

CARD = "pm_card_visa"
"""Stripe's own name of a test card that always pays. Source: https://docs.stripe.com/testing"""
_CHARGE: Record = {
    "object": "charge",
    **dict.fromkeys(
        (
            *("application", "application_fee", "application_fee_amount", "balance_transaction"),
            *("calculated_statement_descriptor", "description", "failure_balance_transaction", "failure_code"),
            *("failure_message", "on_behalf_of", "outcome", "receipt_email", "receipt_number", "receipt_url", "review"),
            *("shipping", "source", "source_transfer", "statement_descriptor", "statement_descriptor_suffix"),
            *("transfer_data", "transfer_group"),
        )
    ),
    "amount_refunded": 0,
    "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
    "captured": True,
    "disputed": False,
    "fraud_details": {},
    "livemode": False,
    "metadata": {},
    "paid": True,
    "payment_method": CARD,
    "payment_method_details": {"card": {"brand": "visa", "last4": "4242"}, "type": "card"},
    "refunded": False,
    "status": "succeeded",
}
_STATUSES = ("canceled", "open", "paid")


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """A charge, and the payment of an invoice that it is."""

    charge: Record
    payment: Record

    def put(self, books: Books) -> None:
        books.charges.put(self.charge)
        books.payments.put(self.payment)


def collected(books: Books, invoice: Record, *, amount: int, at_s: int) -> Collected:
    """The card is charged for what remains to be paid of an invoice."""
    intent = books.new_id("pi_1")
    charge: Record = {
        **_CHARGE,
        "id": books.new_id("ch_1"),
        **dict.fromkeys(("amount", "amount_captured"), amount),
        "created": at_s,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "payment_intent": intent,
    }
    payment: Record = {
        "id": books.new_id("inpay_1"),
        "object": "invoice_payment",
        **dict.fromkeys(("amount_paid", "amount_requested"), amount),
        "created": at_s,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": at_s},
    }
    return Collected(charge=charge, payment=payment)


class Payments:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def of_invoices(self, call: Call, params: Params) -> Reply:
        """Newest first; of one invoice, in one status."""
        only(params, PAGING | {"invoice", "status"})
        status = one_of(params["status"], _STATUSES, param="status") if "status" in params else None

        def keep(payment: Record) -> bool:
            return status in (None, payment["status"])

        spec = ListSpec(operation=call.operation, group=params.get("invoice"), keep=keep)
        return Reply(200, self._books.payments.list_page(params, spec))

    def charges(self, call: Call, params: Params) -> Reply:
        """Newest first; of one customer, or of one payment intent."""
        only(params, PAGING | {"created", "customer", "payment_intent"})

        def keep(charge: Record) -> bool:
            return params.get("payment_intent") in (None, charge["payment_intent"])

        spec = ListSpec(operation=call.operation, group=params.get("customer"), keep=keep)
        return Reply(200, self._books.charges.list_page(params, spec))

    def charge(self, call: Call, params: Params) -> Reply:
        only(params, frozenset({"expand"}))
        return Reply(200, self._books.charges.need(call.params["id"]))
