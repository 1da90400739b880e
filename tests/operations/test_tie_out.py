"""Billing beside the books: what ties is counted, and any one document that does not is named."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from accordant.canonical.control import LedgerDocument
from accordant.kernel.money import Money
from accordant.operations.tie_out import DIFFERENT, EXTRA, MISSING, TWICE, compared

ENTITIES, CURRENCIES = ("EU01", "UK01"), ("GBP", "EUR")
DAYS = (date(2010, 11, 30), date(2010, 12, 1), date(2010, 12, 31))


def a_document(number: int, minor: int, entity: str, currency: str, on: date) -> LedgerDocument:
    amount = Money(minor, currency)
    return LedgerDocument(
        number=f"{number}", native_id=f"in_{number}", legal_entity=entity, amount=amount, entered_on=on
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerDocument]:
    """Invoices and credits under numbers of their own."""
    minors = st.integers(-10_000, 10_000).filter(bool)
    rows = st.tuples(minors, st.sampled_from(ENTITIES), st.sampled_from(CURRENCIES), st.sampled_from(DAYS))
    return [a_document(n, *row) for n, row in enumerate(draw(st.lists(rows, min_size=1, max_size=12)))]


def as_entered(side: Sequence[LedgerDocument]) -> list[LedgerDocument]:
    """The same in the books: in another order, under their own ids, on another day of the month."""
    return [
        msgspec.structs.replace(one, native_id=f"5{n}", entered_on=one.entered_on.replace(day=15))
        for n, one in enumerate(reversed(side))
    ]


@given(ledgers())
def test_the_same_documents_tie_and_their_totals_are_their_sums(side: list[LedgerDocument]) -> None:
    found = compared(side, as_entered(side))
    assert found.ties
    assert sum(total.billing_documents for total in found.totals) == len(side)
    for total in found.totals:
        kept = [
            one.amount.amount_minor
            for one in side
            if (one.legal_entity, one.amount.currency, one.period, one.kind)
            == (total.legal_entity, total.currency, total.period, total.kind)
        ]
        assert (total.billing_minor, total.books_minor) == (sum(kept), sum(kept))


@given(ledgers(), st.data())
def test_a_document_that_is_missing_or_there_twice_is_named_on_either_side(
    side: list[LedgerDocument], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(side))
    without = [other for other in side if other is not one]
    for found, what in (
        (compared(side, as_entered(without)), MISSING),
        (compared(without, as_entered(side)), EXTRA),
        (compared(side, as_entered([*side, one])), TWICE),
        (compared([*side, one], as_entered(side)), TWICE),
    ):
        assert not found.ties
        assert [(each.number, each.kind, each.what) for each in found.differences] == [(one.number, one.kind, what)]


CHANGES: tuple[Callable[[LedgerDocument], dict[str, Any]], ...] = (
    lambda one: {"amount": one.amount + Money(1 if one.amount.amount_minor > 0 else -1, one.amount.currency)},
    lambda one: {"amount": Money(one.amount.amount_minor, "EUR" if one.amount.currency == "GBP" else "GBP")},
    lambda one: {"legal_entity": "UK01" if one.legal_entity == "EU01" else "EU01"},
    lambda one: {"entered_on": date(2011, 1, 31)},
)


@given(ledgers(), st.data(), st.sampled_from(CHANGES))
def test_a_document_changed_in_any_one_thing_is_named(
    side: list[LedgerDocument], data: st.DataObject, change: Callable[[LedgerDocument], dict[str, Any]]
) -> None:
    one = data.draw(st.sampled_from(side))
    changed = [msgspec.structs.replace(other, **change(other)) if other is one else other for other in side]
    found = compared(side, as_entered(changed))
    (named,) = found.differences
    assert (named.number, named.what) == (one.number, DIFFERENT)
    assert len(named.billing) == len(named.books) == 1
    assert not found.ties
    assert not all(total.ties for total in found.totals)


@given(ledgers(), st.data())
def test_a_sign_turned_round_is_a_document_missing_and_another_too_many(
    side: list[LedgerDocument], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(side))
    turned = [msgspec.structs.replace(other, amount=-other.amount) if other is one else other for other in side]
    found = compared(side, as_entered(turned))
    assert {(each.number, each.what) for each in found.differences} == {(one.number, MISSING), (one.number, EXTRA)}


def test_what_cancels_out_in_the_totals_is_found_all_the_same() -> None:
    """Two mistakes of a penny that make the total right."""
    on = DAYS[1]
    side = [a_document(n, 1_000, "UK01", "GBP", on) for n in (1, 2)]
    wrong = [a_document(1, 1_001, "UK01", "GBP", on), a_document(2, 999, "UK01", "GBP", on)]
    found = compared(side, wrong)
    assert all(total.ties for total in found.totals)
    assert not found.ties
    assert [one.number for one in found.differences] == ["1", "2"]
