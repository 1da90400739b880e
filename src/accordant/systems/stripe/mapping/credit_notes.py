"""What Stripe's credit notes and balances tell: a note issued, a note voided, a balance moved in the customer's favour.

Source: https://docs.stripe.com/api/credit_notes/object, https://docs.stripe.com/api/events/types; API version
2026-10-28.endive. A note always belongs to an invoice. A credit that belongs to none is an entry of the customer's
balance, for which the list of event types has no event: `customer.updated` with the previous `balance` is all that is
told (`customer_cash_balance_transaction.created` is about money that a customer sent, another balance).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, NoReturn, TypeVar

import msgspec

from accordant.backbone.message import Ignored, Told
from accordant.canonical.credit_note import (
    BalanceCredited,
    BalanceEntry,
    BilledCreditNote,
    CreditNoteIssued,
    CreditNoteVoided,
)
from accordant.kernel.clock import utc_text
from accordant.kernel.dates import read_day, require_likely_day, require_likely_ms
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import digest
from accordant.kernel.money import Money
from accordant.kernel.pointers import pointer_in, without_place
from accordant.systems.stripe.mapping.envelope import Event, Members
from accordant.systems.stripe.mapping.money import from_stripe

NUMBER, DAY = "document_number", "effective_on"
"""Metadata by which whoever keeps billing names a credit and its day, where Stripe would give others."""
OURS = frozenset({"credit_id", "countered_credit_id"})
"""Metadata of what our own flows wrote; they post it themselves."""
_AT = "/data/object"
Known = TypeVar("Known", bound=msgspec.Struct)
_AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    number: str
    customer: str
    invoice: str
    currency: str
    total: int
    type: str = "pre_payment"
    pre_payment_amount: int | None = None
    """Since 2024; before, a note was wholly of one type."""
    created: int
    effective_at: int | None = None
    reason: str | None = None
    status: str
    voided_at: int | None = None
    metadata: dict[str, str] | None = None


class _Customer(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    balance: int
    currency: str | None = None


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    amount: int
    currency: str
    created: int
    type: str
    metadata: dict[str, str] | None = None


def issued(event: Event, members: Members) -> list[Told] | Ignored:
    note = _read(members, _Note)
    if OURS & (note.metadata or {}).keys():
        return Ignored(reason="echo")
    fact = CreditNoteIssued(credit_note=_billed(event, note))
    return _once(event, fact, note=note, happened="issued", at_s=note.created)


def voided(event: Event, members: Members) -> list[Told] | Ignored:
    note = _read(members, _Note)
    if OURS & (note.metadata or {}).keys():
        return Ignored(reason="echo")
    at_s = note.voided_at or _created_s(event)
    day = _day(event, note.id, at_s=at_s, at="voided_at")
    fact = CreditNoteVoided(credit_note=_billed(event, note), voided_on=day)
    return _once(event, fact, note=note, happened="voided", at_s=at_s)


def balance_moved(event: Event, members: Members) -> list[Told] | Ignored:
    """Each event of a balance that went down is a fact of its own; whether the entry is ours is found out later."""
    before = _before(event)
    customer = _read(members, _Customer) if before is not None else None
    if before is None or customer is None or customer.balance >= before or not customer.currency:
        return Ignored(reason="echo" if "customer_id" in (members.get("metadata") or {}) else "not_used")
    at_s = _created_s(event)
    fact = BalanceCredited(
        customer_source_id=customer.id,
        amount=from_stripe(before - customer.balance, customer.currency),
        credited_on=_day(event, customer.id, at_s=at_s, at="created"),
    )
    delivery = str(event.members["id"])
    return [
        Told(
            fact=fact,
            source_record=f"{event.message.connection}/balance/{customer.id}#{delivery}",
            subject=customer.id,
            orderingkey=customer.id,
            happened_at_ms=at_s * 1000,
            sequence=utc_text(at_s * 1000),
            content=digest("balance", delivery),
        )
    ]


TOLD: Mapping[str, Callable[[Event, Members], list[Told] | Ignored]] = {
    "credit_note.created": issued,
    "credit_note.voided": voided,
    "customer.updated": balance_moved,
}


def balance_entry(record: Mapping[str, Any], customer: str) -> BalanceEntry | None:
    """An entry that gives credit, that stands for no invoice or note and was not written by us; None for the others.

    Raises:
        Malformed: `credit_note.format`, `date.*` for a day that is none.
    """
    entry = _read(dict(record), _Entry)
    known = entry.metadata or {}
    if entry.type != "adjustment" or entry.amount >= 0 or OURS & known.keys():
        return None
    return BalanceEntry(
        number=known.get(NUMBER) or entry.id,
        source_id=f"{customer}/{entry.id}",
        total=from_stripe(-entry.amount, entry.currency),
        issued_on=_said_day(known, entry.id) or _utc_day(entry.created),
    )


def note_document(record: Mapping[str, Any]) -> tuple[str, Money, date, date | None]:
    """Number, amount, day, and the day on which it was voided; for control totals."""
    note = _read(dict(record), _Note)
    voided_on = _utc_day(note.voided_at) if note.voided_at else None
    day = _utc_day(note.effective_at or note.created)
    return _number(note), from_stripe(note.total, note.currency), day, voided_on


def _billed(event: Event, note: _Note) -> BilledCreditNote:
    wholly = note.total if note.type == "pre_payment" else 0
    off_invoice = wholly if note.pre_payment_amount is None else note.pre_payment_amount
    return BilledCreditNote(
        number=_number(note),
        source_id=note.id,
        customer_source_id=note.customer,
        invoice_source_id=note.invoice,
        total=from_stripe(note.total, note.currency),
        off_invoice=from_stripe(off_invoice, note.currency),
        issued_on=_day(event, note.id, at_s=note.effective_at or note.created, at="effective_at"),
        reason=note.reason or "",
    )


def _number(note: _Note) -> str:
    return (note.metadata or {}).get(NUMBER) or note.number


def _once(event: Event, fact: Any, /, *, note: _Note, happened: str, at_s: int) -> list[Told]:
    """Each happens once to a note, so that each has a source record of its own."""
    return [
        Told(
            fact=fact,
            source_record=f"{event.message.connection}/credit_note/{note.id}#{happened}",
            subject=_number(note),
            orderingkey=note.customer,
            happened_at_ms=at_s * 1000,
            sequence=utc_text(at_s * 1000),
            content=digest(happened, note.id),
        )
    ]


def _before(event: Event) -> int | None:
    """The balance before, where this event is about it."""
    data: object = event.members.get("data")
    previous: object = data.get("previous_attributes") if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    balance: object = previous.get("balance") if isinstance(previous, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return balance if isinstance(balance, int) and not isinstance(balance, bool) else None


def _read(members: Members, kind: type[Known]) -> Known:
    try:
        return msgspec.convert(members, type=kind)
    except msgspec.ValidationError as error:
        why, at = without_place(str(error)), _AT + pointer_in(str(error))
        refuse("credit_note.format", str(members.get("id"))[:40], at=at, expected=f"a record of Stripe: {why[:200]}")


def _created_s(event: Event) -> int:
    created = event.members.get("created")
    if isinstance(created, int) and not isinstance(created, bool):
        return created
    return refuse("credit_note.format", "", at="/created", expected="when the event was made, in seconds")


def _day(event: Event, record: str, *, at_s: int, at: str) -> date:
    place, expected = f"{_AT}/{at}", "seconds since 1970 of an instant that is not in the future"
    try:
        at_ms = require_likely_ms(at_s * 1000)
    except Malformed as wrong:
        refuse(wrong.code, record, at=place, expected=expected)
    if at_ms > event.message.received_at_ms + _AHEAD_MS_MAX:
        refuse("time.future", record, at=place, expected=expected)
    return _utc_day(at_s)


def _said_day(known: Mapping[str, str], record: str) -> date | None:
    if DAY not in known:
        return None
    try:
        return require_likely_day(read_day(known[DAY]))
    except Malformed as wrong:
        refuse(wrong.code, record, at=f"/metadata/{DAY}", expected="a day such as 2026-01-31")


def _utc_day(at_s: int) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()


def refuse(code: str, record: str, *, at: str, expected: str) -> NoReturn:
    """Raise Malformed in one voice."""
    raise Malformed(
        f"credit {record}: {at} says something else; expected {expected}",
        code=code,
        hint="look the record up in Stripe; once it can be read, replay the message",
        detail={"record": record, "pointer": at, "field": at, "expected": expected},
    )
