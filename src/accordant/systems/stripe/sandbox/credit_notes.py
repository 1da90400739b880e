"""Credit notes: they lower a finalized invoice, or give back what was paid on it; void while nothing was paid.

Source: https://docs.stripe.com/api/credit_notes/create, https://docs.stripe.com/api/credit_notes/void and
https://docs.stripe.com/invoicing/integration/programmatic-credit-notes (API version 2026-10-28.endive).
"""

import msgspec

from accordant.connector.sandbox import Call, Change, Record, Refused, Reply, Write
from accordant.connector.sandbox.exchange import ChangeKind
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.sandbox.books import Books, Told, invoice_change
from accordant.systems.stripe.sandbox.credits import Posted, Posting
from accordant.systems.stripe.sandbox.invoices import paid
from accordant.systems.stripe.sandbox.shelf import PAGING, ListSpec
from accordant.systems.stripe.sandbox.wire import (
    Params,
    error_reply,
    invalid,
    mapping,
    metadata_after,
    one_of,
    only,
    required,
    rows,
    text,
    whole,
)

_CREATE = frozenset(
    {"amount", "credit_amount", "effective_at", "expand", "invoice", "lines", "memo", "metadata", "out_of_band_amount"}
    | {"reason", "refund_amount"}
)
_LINE = frozenset({"amount", "description", "invoice_line_item", "quantity", "type", "unit_amount"})
_LINE_TYPES = ("custom_line_item", "invoice_line_item")
_REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")
_GIVEN_BACK = ("credit_amount", "out_of_band_amount", "refund_amount")


class _Split(msgspec.Struct, frozen=True, kw_only=True):
    """What a note takes off what is owed, and what it gives back of what was paid."""

    pre: int
    post: int
    credit: int
    """The part of `post` that goes to the customer's balance."""


class CreditNotes:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, call: Call, params: Params) -> Write:
        """A note first lowers what remains to be paid; the caller says where the rest goes."""
        only(params, _CREATE)
        books = self._books
        invoice = books.invoices.need(required(params, "invoice"), param="invoice")
        if invoice["status"] not in ("open", "paid"):
            message = f"Credit notes can only be issued for open or paid invoices; this one is {invoice['status']}."
            raise Refused(error_reply(message, param="invoice"))
        lines = self._lines(params, invoice)
        amount = sum(int(line["amount"]) for line in lines)
        if amount <= 0:
            raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
        before = books.notes.group(invoice["id"])
        credited = sum(int(one["total"]) for one in before if one["status"] == "issued")
        if credited + amount > int(invoice["total"]):
            message = "The credit note's amount exceeds what is left to credit on the invoice."
            raise Refused(error_reply(message, param="amount"))
        split = _split(params, amount=amount, remaining=int(invoice["amount_remaining"]))
        note = self._shape(params, invoice, lines=lines, split=split)
        note["number"] = f"{invoice['number']}-CN-{len(before) + 1:02}"
        return self._issued(call, note, invoice=invoice, split=split)

    def void(self, call: Call, params: Params) -> Write:
        """Only while the invoice is open: what was paid back stays paid back."""
        only(params, frozenset({"expand"}))
        before = self._books.notes.need(call.params["id"])
        invoice = self._books.invoices.need(before["invoice"])
        if before["status"] != "issued":
            raise Refused(error_reply("This credit note has been voided already."))
        if invoice["status"] != "open":
            raise Refused(error_reply("You can only void a credit note if its invoice is open."))
        note = {**before, "status": "void", "voided_at": self._books.now_s()}
        after = _lowered(invoice, by=-int(before["pre_payment_amount"]), post=0)
        told = [Told(type="credit_note.voided", record=note), _updated(invoice, after)]
        changes = (credit_note_change("update", note), invoice_change("update", after))

        def apply() -> None:
            self._books.notes.put(note)
            self._books.invoices.put(after)
            self._books.tell(call, told)

        return Write(Reply(200, note), changes, apply)

    def listed(self, call: Call, params: Params) -> Reply:
        """Newest first; of one invoice or of one customer."""
        only(params, PAGING | {"created", "customer", "invoice"})
        asked = {name: params[name] for name in ("customer", "invoice") if name in params}

        def keep(note: Record) -> bool:
            return all(note[name] == value for name, value in asked.items())

        spec = ListSpec(operation=call.operation, keep=keep if asked else None)
        return Reply(200, self._books.notes.list_page(params, spec))

    def one(self, call: Call, params: Params) -> Reply:
        only(params, frozenset({"expand"}))
        return Reply(200, self._books.notes.need(call.params["id"]))

    def _issued(self, call: Call, note: Record, *, invoice: Record, split: _Split) -> Write:
        books = self._books
        after = _lowered(invoice, by=split.pre, post=split.post)
        told = [Told(type="credit_note.created", record=note), _updated(invoice, after)]
        if after["status"] == "open" and after["amount_remaining"] == 0:
            after = paid(after, books.now_s())
            told.append(Told(type="invoice.paid", record=after))
        posted = self._given(note, invoice, amount=split.credit) if split.credit else None
        if posted is not None:
            note = {**note, "customer_balance_transaction": posted.entry["id"]}
            told = [Told(type="credit_note.created", record=note), *told[1:], *posted.told]
        changes = (credit_note_change("create", note), invoice_change("update", after))

        def apply() -> None:
            books.notes.put(note)
            books.invoices.put(after)
            if posted is not None:
                posted.put(books)
            books.tell(call, told)

        return Write(Reply(200, note), changes, apply)

    def _given(self, note: Record, invoice: Record, *, amount: int) -> Posted:
        customer, currency = self._books.customers.need(invoice["customer"]), invoice["currency"]
        posting = Posting(amount=-amount, currency=currency, type="credit_note", invoice=invoice["id"])
        posted = posting.on(self._books, customer, balance=self._books.balance(customer["id"], currency))
        entry = {**posted.entry, "credit_note": note["id"]}
        return msgspec.structs.replace(posted, entry=entry)

    def _lines(self, params: Params, invoice: Record) -> list[Record]:
        if "lines" not in params:
            amount = whole(required(params, "amount"), param="amount")
            return [self._line("custom_line_item", amount=amount, quantity=1, said={"description": None})]
        given = [mapping(one, param="lines") for one in rows(params["lines"], param="lines")]
        return [self._line_of(one, invoice) for one in given]

    def _line_of(self, given: Params, invoice: Record) -> Record:
        only(given, _LINE, within="lines")
        kind = one_of(required(given, "type", within="lines"), _LINE_TYPES, param="lines[type]")
        quantity = whole(given.get("quantity", "1"), param="lines[quantity]")
        if kind == "custom_line_item":
            unit = whole(required(given, "unit_amount", within="lines"), param="lines[unit_amount]")
            said = {"description": text(required(given, "description", within="lines"), param="lines[description]")}
            return self._line(kind, amount=unit * quantity, quantity=quantity, said=said)
        wanted = required(given, "invoice_line_item", within="lines")
        found = next((line for line in invoice["lines"]["data"] if line["id"] == wanted), None)
        if found is None:
            raise invalid(f"No such invoice line item: '{wanted}'", param="lines[invoice_line_item]")
        amount = whole(given["amount"], param="lines[amount]") if "amount" in given else None
        if amount is None:
            amount = int(found["amount"]) * quantity // max(1, int(found["quantity"]))
        said = {"description": found["description"], "invoice_line_item": wanted}
        return self._line(kind, amount=amount, quantity=quantity, said=said)

    def _line(self, kind: str, *, amount: int, quantity: int, said: Record) -> Record:
        unit, rest = divmod(amount, quantity) if quantity else (0, amount)
        return {
            "id": self._books.new_id("cnli_1"),
            "object": "credit_note_line_item",
            "amount": amount,
            "discount_amount": 0,
            "discount_amounts": [],
            "livemode": False,
            "quantity": quantity,
            "tax_rates": [],
            "taxes": [],
            "type": kind,
            "unit_amount": None if rest else unit,
            "unit_amount_decimal": None if rest else str(unit),
            **said,
        }

    def _shape(self, params: Params, invoice: Record, *, lines: list[Record], split: _Split) -> Record:
        record_id, now_s = self._books.new_id("cn_1"), self._books.now_s()
        total = split.pre + split.post
        reason = one_of(params["reason"], _REASONS, param="reason") if "reason" in params else None
        return {
            "id": record_id,
            "object": "credit_note",
            **dict.fromkeys(("amount", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"), total),
            "amount_shipping": 0,
            "created": now_s,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "customer_account": None,
            "customer_balance_transaction": None,
            "discount_amount": 0,
            "discount_amounts": [],
            "effective_at": whole(params["effective_at"], param="effective_at") if "effective_at" in params else now_s,
            "invoice": invoice["id"],
            "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/credit_notes/{record_id}/lines"},
            "livemode": False,
            "memo": params.get("memo") or None,
            "metadata": metadata_after({}, params.get("metadata", "")),
            "out_of_band_amount": _whole_of(params, "out_of_band_amount") or None,
            "pdf": f"https://pay.stripe.com/credit_notes/acct_sandbox/{record_id}/pdf",
            "post_payment_amount": split.post,
            "pre_payment_amount": split.pre,
            "pretax_credit_amounts": [],
            "reason": reason,
            "refunds": [],
            "shipping_cost": None,
            "status": "issued",
            "total_taxes": [],
            "type": "mixed" if split.pre and split.post else "pre_payment" if split.pre else "post_payment",
            "voided_at": None,
        }


def _split(params: Params, *, amount: int, remaining: int) -> _Split:
    pre = min(remaining, amount)
    parts = {name: _whole_of(params, name) for name in _GIVEN_BACK}
    if parts["refund_amount"]:
        raise Refused(error_reply("This customer has no charge that could be refunded.", param="refund_amount"))
    if sum(parts.values()) != amount - pre:
        message = (
            f"The sum of credit amount, refund amount and out of band amount must equal the post payment amount, "
            f"{amount - pre}."
        )
        raise invalid(message)
    return _Split(pre=pre, post=amount - pre, credit=parts["credit_amount"])


def _whole_of(params: Params, name: str) -> int:
    return whole(params[name], param=name) if name in params else 0


def _lowered(invoice: Record, *, by: int, post: int) -> Record:
    return {
        **invoice,
        "amount_due": int(invoice["amount_due"]) - by,
        "amount_remaining": int(invoice["amount_remaining"]) - by,
        "pre_payment_credit_notes_amount": int(invoice["pre_payment_credit_notes_amount"]) + by,
        "post_payment_credit_notes_amount": int(invoice["post_payment_credit_notes_amount"]) + post,
    }


def _updated(before: Record, after: Record) -> Told:
    previous = {name: value for name, value in before.items() if after[name] != value}
    return Told(type="invoice.updated", record=after, previous=previous)


def credit_note_change(change: ChangeKind, note: Record) -> Change:
    """The amount is positive, as Stripe shows it: what the customer is given."""
    money = from_stripe(int(note["total"]), note["currency"])
    return Change(
        kind="credit_note",
        change=change,
        native_id=note["id"],
        business_id=note["metadata"].get("credit_id"),
        amount_minor=money.amount_minor,
        currency=money.currency,
        body=note,
    )


def note_lines(books: Books) -> list[Record]:
    """What the business sees of the notes: our ids, no native ids, no times, sorted."""
    lines = [_line(books, record) for record in books.notes.values()]
    return sorted(lines, key=lambda line: msgspec.json.encode(line, order="sorted"))


def _line(books: Books, record: Record) -> Record:
    change, owner = credit_note_change("create", record), books.customers.find(record["customer"])
    return {
        "business_id": change.business_id or "",
        "customer": owner["metadata"].get("customer_id", "") if owner else "",
        "amount_minor": change.amount_minor,
        "currency": change.currency,
        "number": record["number"],
        "status": record["status"],
    }
