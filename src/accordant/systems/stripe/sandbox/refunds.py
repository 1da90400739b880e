"""Refunds: money goes back to the card it came from, up to what is left of the charge, and never twice the same.

Source: https://docs.stripe.com/api/refunds/create, https://docs.stripe.com/refunds,
https://docs.stripe.com/error-codes (charge_already_refunded); API version 2026-10-28.endive.
"""

import msgspec

from accordant.connector.sandbox import Call, Change, Record, Refused, Reply, Write
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.sandbox.books import Books, Told
from accordant.systems.stripe.sandbox.shelf import PAGING, ListSpec
from accordant.systems.stripe.sandbox.wire import (
    Params,
    error_reply,
    invalid,
    metadata_after,
    no_such,
    one_of,
    only,
    text,
    whole,
)

_CREATE = frozenset({"amount", "charge", "expand", "metadata", "payment_intent", "reason"})
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


class Refunds:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, call: Call, params: Params) -> Write:
        only(params, _CREATE)
        before = self._charge(params)
        left = int(before["amount"]) - int(before["amount_refunded"])
        if left == 0:
            message = f"Charge {before['id']} has already been refunded."
            raise Refused(error_reply(message, code="charge_already_refunded"))
        amount = whole(params["amount"], param="amount") if "amount" in params else left
        if amount <= 0:
            raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        if amount > left:
            message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
            raise Refused(error_reply(message, param="amount"))
        refund = self._shape(params, before, amount=amount)
        refunded = int(before["amount_refunded"]) + amount
        after = {**before, "amount_refunded": refunded, "refunded": refunded == before["amount"]}
        previous = {name: before[name] for name in ("amount_refunded", "refunded") if before[name] != after[name]}
        told = (
            Told(type="refund.created", record=refund),
            Told(type="charge.refunded", record=after, previous=previous),
        )

        def apply() -> None:
            self._books.refunds.put(refund)
            self._books.charges.put(after)
            self._books.tell(call, told)

        return Write(Reply(200, refund), (refund_change(refund),), apply)

    def one(self, call: Call, params: Params) -> Reply:
        only(params, frozenset({"expand"}))
        return Reply(200, self._books.refunds.need(call.params["id"]))

    def listed(self, call: Call, params: Params) -> Reply:
        """Newest first; of one charge or of one payment intent."""
        only(params, PAGING | {"charge", "created", "payment_intent"})
        asked = {name: params[name] for name in ("charge", "payment_intent") if name in params}

        def keep(refund: Record) -> bool:
            return all(refund[name] == value for name, value in asked.items())

        spec = ListSpec(operation=call.operation, keep=keep if asked else None)
        return Reply(200, self._books.refunds.list_page(params, spec))

    def _charge(self, params: Params) -> Record:
        if "charge" in params:
            return self._books.charges.need(text(params["charge"], param="charge"), param="charge")
        if "payment_intent" not in params:
            raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
        intent = text(params["payment_intent"], param="payment_intent")
        found = (one for one in self._books.charges.values() if one["payment_intent"] == intent)
        charge = next(found, None)
        if charge is None:
            raise no_such("payment_intent", intent, param="payment_intent")
        return charge

    def _shape(self, params: Params, charge: Record, *, amount: int) -> Record:
        reason = one_of(params["reason"], _REASONS, param="reason") if "reason" in params else None
        return {
            "id": self._books.new_id("re_1"),
            "object": "refund",
            **dict.fromkeys(
                (
                    *("balance_transaction", "customer_account", "payment_method", "receipt_number"),
                    *("source_transfer_reversal", "transfer_reversal"),
                )
            ),
            "amount": amount,
            "charge": charge["id"],
            "created": self._books.now_s(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "destination_details": {"card": {"type": "refund"}, "type": "card"},
            "metadata": metadata_after({}, params.get("metadata", "")),
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "succeeded",
        }


def refund_change(refund: Record) -> Change:
    """The amount is positive: what the customer was given back."""
    money = from_stripe(int(refund["amount"]), refund["currency"])
    return Change(
        kind="refund",
        change="create",
        native_id=refund["id"],
        business_id=refund["metadata"].get("refund_id"),
        amount_minor=money.amount_minor,
        currency=money.currency,
        body=refund,
    )


def refund_lines(books: Books) -> list[Record]:
    """What the business sees of the refunds: our ids, no native ids, no times, sorted."""
    lines = [_line(books, record) for record in books.refunds.values()]
    return sorted(lines, key=lambda line: msgspec.json.encode(line, order="sorted"))


def _line(books: Books, record: Record) -> Record:
    change, metadata = refund_change(record), record["metadata"]
    owner = books.customers.find(record["customer"]) or {"metadata": {}}
    return {
        "business_id": metadata.get("refund_id", ""),
        "customer": owner["metadata"].get("customer_id", ""),
        "amount_minor": change.amount_minor,
        "currency": change.currency,
        **{name: metadata.get(name) for name in ("case_id", "invoice_number")},
    }
