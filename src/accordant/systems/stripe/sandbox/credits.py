"""The entries of a customer's balance: posted, read, listed; never changed.

Source: https://docs.stripe.com/api/customer_balance_transactions, https://docs.stripe.com/billing/customer/balance and
https://docs.stripe.com/api/customers/object for `balance`, kept in the customer's own currency, beside which other
currencies have balances of their own (API version 2026-10-28.endive).
"""

from collections.abc import Mapping

import msgspec

from accordant.connector.sandbox import Call, Record, Reply, Write
from accordant.systems.stripe.sandbox.books import Books, Told, entry_change
from accordant.systems.stripe.sandbox.catalog import currency_of
from accordant.systems.stripe.sandbox.shelf import PAGING, ListSpec
from accordant.systems.stripe.sandbox.wire import Params, invalid, metadata_after, no_such, only, required, text, whole

_CREATE = frozenset({"amount", "currency", "description", "expand", "metadata"})
DESCRIPTION_MAX = 350


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """An entry and the customer after it."""

    entry: Record
    customer: Record
    told: tuple[Told, ...]

    def put(self, books: Books) -> None:
        books.entries.put(self.entry)
        books.customers.put(self.customer)


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says, before the balance is known that it ends in."""

    amount: int
    currency: str
    type: str = "adjustment"
    description: str | None = None
    invoice: str | None = None
    metadata: Mapping[str, str] = {}

    def on(self, books: Books, customer: Record, *, balance: int) -> Posted:
        """The customer takes the entry's currency where it has none; only entries in its currency move `balance`."""
        ending = balance + self.amount
        entry: Record = {
            "id": books.new_id("cbtxn_1"),
            "object": "customer_balance_transaction",
            "amount": self.amount,
            "checkout_session": None,
            "created": books.now_s(),
            "credit_note": None,
            "currency": self.currency,
            "customer": customer["id"],
            "customer_account": None,
            "description": self.description,
            "ending_balance": ending,
            "invoice": self.invoice,
            "livemode": False,
            "metadata": dict(self.metadata),
            "type": self.type,
        }
        own = customer["currency"] or books.first_currency(customer["id"]) or self.currency
        after: Record = {
            **customer,
            "currency": own,
            "balance": ending if own == self.currency else customer["balance"],
        }
        previous = {name: customer[name] for name in ("balance", "currency") if customer[name] != after[name]}
        told = (Told(type="customer.updated", record=after, previous=previous),) if previous else ()
        return Posted(entry=entry, customer=after, told=told)


class Credits:
    """Handlers; each takes the call and its unfolded parameters."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def create(self, call: Call, params: Params) -> Write:
        only(params, _CREATE)
        amount = whole(required(params, "amount"), param="amount")
        currency = currency_of(params, within="")
        description = text(params.get("description", ""), param="description")
        if len(description) > DESCRIPTION_MAX:
            raise invalid(f"Invalid string: must be at most {DESCRIPTION_MAX} characters", param="description")
        metadata = metadata_after({}, params.get("metadata", ""))
        books = self._books
        customer = books.customers.need(call.params["id"])
        posting = Posting(amount=amount, currency=currency, description=description or None, metadata=metadata)
        posted = posting.on(books, customer, balance=books.balance(customer["id"], currency))

        def apply() -> None:
            posted.put(books)
            books.tell(call, posted.told)

        return Write(Reply(200, posted.entry), (entry_change(posted.entry),), apply)

    def one(self, call: Call, params: Params) -> Reply:
        only(params, frozenset({"expand"}))
        entry_id = call.params["entry"]
        entry = self._books.entries.need(entry_id)
        if entry["customer"] != call.params["id"]:
            raise no_such(self._books.entries.word, entry_id)
        return Reply(200, entry)

    def listed(self, call: Call, params: Params) -> Reply:
        """Newest first."""
        only(params, PAGING | {"created", "invoice"})
        customer = self._books.customers.need(call.params["id"])["id"]

        def keep(entry: Record) -> bool:
            return "invoice" not in params or entry["invoice"] == params["invoice"]

        page = self._books.entries.list_page(params, ListSpec(operation=call.operation, group=customer, keep=keep))
        return Reply(200, {**page, "url": f"/v1/customers/{customer}/balance_transactions"})
