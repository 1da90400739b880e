"""Lists everything that changed what customers owe: invoices, credit notes, and entries of balances.

Source: https://docs.stripe.com/api/invoices/list, /api/credit_notes/list, /api/customer_balance_transactions/list; API
version 2026-10-28.endive. `created` is when a record was made; the day that counts for the books is `effective_at`,
which may be long before, so that every record is read and sorted here. Entries are listed for one customer at a time.
"""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime

from accordant.canonical.control import LedgerDocument
from accordant.canonical.operation import Receipt
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority
from accordant.systems.stripe.client.answers import Record, metadata
from accordant.systems.stripe.client.calls import Calls
from accordant.systems.stripe.client.credits import path_of
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.mapping.credit_notes import balance_entry, note_document

NOBODY = "no legal entity"
"""Of a customer that does not say by whom it is billed: nobody opened it from here."""
Entity = Callable[[str], str]


class Documents:
    """The Billing port's control totals."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def all(self, *, since: date, until: date) -> tuple[LedgerDocument, ...]:
        """In no order that means anything; drafts are not among them."""
        entities = {str(one["id"]): one async for one in self._records("/v1/customers")}

        def entity_of(customer: str) -> str:
            return str(metadata(entities.get(customer, {})).get("legal_entity") or NOBODY)

        found = [one async for one in self._invoices(entity_of)]
        found += [one async for one in self._notes(entity_of)]
        for customer in entities:
            found += [one async for one in self._entries(customer, entity_of)]
        return tuple(one for one in found if since <= one.entered_on <= until)

    async def _invoices(self, entity_of: Entity) -> AsyncIterator[LedgerDocument]:
        """A void invoice stands twice: as it was, and taken back."""
        async for one in self._records("/v1/invoices"):
            passed: Record = one["status_transitions"]
            if one["status"] == "draft" or not passed.get("finalized_at"):
                continue
            total = from_stripe(int(one["total"]), one["currency"])
            issued_on = _day(one.get("effective_at") or passed["finalized_at"])
            named = (str(one["number"]), str(one["id"]), entity_of(str(one["customer"])))
            yield _document(named, total, issued_on)
            if passed.get("voided_at"):
                yield _document(named, -total, _day(passed["voided_at"]))

    async def _notes(self, entity_of: Entity) -> AsyncIterator[LedgerDocument]:
        async for one in self._records("/v1/credit_notes"):
            number, total, issued_on, voided_on = note_document(one)
            named = (number, str(one["id"]), entity_of(str(one["customer"])))
            yield _document(named, -total, issued_on)
            if voided_on:
                yield _document(named, total, voided_on)

    async def _entries(self, customer: str, entity_of: Entity) -> AsyncIterator[LedgerDocument]:
        """Ours go by our own id, as in the books."""
        account = Receipt(kind="customer", native_id=customer, business_id="")
        async for one in self._records(path_of(account)):
            credited = metadata(one).get("credit_id") or metadata(one).get("countered_credit_id")
            entry = balance_entry(one, customer)
            named = (str(credited), f"{customer}/{one['id']}", entity_of(customer))
            if entry is not None:
                yield _document((entry.number, entry.source_id, named[2]), -entry.total, entry.issued_on)
            elif credited:
                yield _document(named, from_stripe(int(one["amount"]), one["currency"]), _day(one["created"]))

    async def _records(self, path: str) -> AsyncIterator[Record]:
        """Each once, though a disturbed page may repeat some."""
        seen: set[str] = set()
        async for record, _ in self._calls.listing(path, (), priority=Priority.BACKGROUND):
            if str(record["id"]) not in seen:
                seen.add(str(record["id"]))
                yield record


def _document(named: tuple[str, str, str], amount: Money, entered_on: date, /) -> LedgerDocument:
    number, native_id, entity = named
    return LedgerDocument(number=number, native_id=native_id, legal_entity=entity, amount=amount, entered_on=entered_on)


def _day(at_s: int) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()
