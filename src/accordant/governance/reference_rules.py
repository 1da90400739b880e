"""What a reference row must say to make sense, whether it stands in a file or comes as a command."""

import re
from collections.abc import Callable, Iterator

import msgspec
import pycountry

from accordant.governance.estate import ReferenceRow
from accordant.kernel.errors import Malformed
from accordant.kernel.money import exponent, parse_money
from accordant.kernel.text import is_blank

_COUNT = re.compile(r"0*[1-9][0-9]{0,8}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
ATTRIBUTE_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
COLUMNS = ("value", "target", "owner", "effective_from", "effective_to")
"""The columns every table has; all others are attributes."""
_TEXT_MAX = 500
REQUIRED = {
    "country": ("legal_entity",),
    "product": ("name", "list_price", "currency", "service_tier"),
    "service_tier": ("rank", "response_minutes"),
}
"""Attributes without which a row of the table is of no use; tables of other names are free."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a row."""

    column: str
    code: str
    what: str
    expected: str
    fix: str


def faults(table: str, row: ReferenceRow) -> Iterator[Fault]:
    """Everything wrong with a row, column by column."""
    texts = {"value": row.value, "target": row.target, "owner": row.owner}
    for column, text in {**row.attributes, **texts}.items():
        yield from _text_faults(column, text)
    for name in row.attributes:
        if name in COLUMNS or not ATTRIBUTE_NAME.fullmatch(name):
            yield Fault(
                column=name,
                code="reference.attribute_name",
                what=f"attribute {name!r}",
                expected="small letters, digits and _, and no column's name",
                fix="rename it",
            )
    if row.effective_from and row.effective_to and row.effective_from >= row.effective_to:
        yield Fault(
            column="effective_to",
            code="reference.period",
            what=f"ends on {row.effective_to}, not after its begin {row.effective_from}",
            expected="a later day (the first on which the row no longer holds)",
            fix="correct one of the two dates",
        )
    for name in REQUIRED.get(table, ()):
        if not row.attributes.get(name):
            yield Fault(
                column=name,
                code="reference.attribute_missing",
                what=f"{row.value!r} has no {name}",
                expected=f"every row of {table} to have one",
                fix="fill it in",
            )
    yield from _TABLE_RULES.get(table, _free)(row)


def _text_faults(column: str, text: str) -> Iterator[Fault]:
    if is_blank(text):
        yield Fault(column=column, code="reference.empty", what="empty", expected="text", fix="fill it in")
    elif _CONTROL.search(text):
        yield Fault(
            column=column,
            code="reference.characters",
            what="a line break or control character",
            expected="one line of text",
            fix="remove it",
        )
    elif len(text) > _TEXT_MAX:
        yield Fault(
            column=column,
            code="reference.length",
            what=f"{len(text)} characters",
            expected="at most 500",
            fix="shorten it",
        )


def _country(row: ReferenceRow) -> Iterator[Fault]:
    if pycountry.countries.get(alpha_2=row.target) is None or not row.target.isupper():
        yield _target_fault(row, "an ISO 3166-1 alpha-2 code such as DE")


def _currency(row: ReferenceRow) -> Iterator[Fault]:
    if not _is_currency(row.target):
        yield _target_fault(row, "an ISO 4217 code such as EUR")


def _product(row: ReferenceRow) -> Iterator[Fault]:
    currency, price = row.attributes.get("currency", ""), row.attributes.get("list_price", "")
    if currency and not _is_currency(currency):
        yield _attribute_fault("currency", currency, expected="an ISO 4217 code such as EUR")
    elif currency and price:
        try:
            positive = parse_money(price, currency).amount_minor > 0
        except Malformed:
            positive = False
        if not positive:
            yield _attribute_fault("list_price", price, expected=f"a positive amount in {currency} such as 1200.00")


def _service_tier(row: ReferenceRow) -> Iterator[Fault]:
    for name in ("rank", "response_minutes"):
        text = row.attributes.get(name, "")
        if text and not _COUNT.fullmatch(text):
            yield _attribute_fault(name, text, expected="a whole number above 0")


def _free(row: ReferenceRow) -> Iterator[Fault]:
    return iter(())


_TABLE_RULES: dict[str, Callable[[ReferenceRow], Iterator[Fault]]] = {
    "country": _country,
    "currency": _currency,
    "product": _product,
    "service_tier": _service_tier,
}


def _is_currency(code: str) -> bool:
    try:
        exponent(code)
    except Malformed:
        return False
    return True


def _target_fault(row: ReferenceRow, expected: str) -> Fault:
    return Fault(
        column="target", code="reference.target", what=repr(row.target), expected=expected, fix="correct the target"
    )


def _attribute_fault(name: str, text: str, *, expected: str) -> Fault:
    return Fault(column=name, code="reference.attribute", what=repr(text), expected=expected, fix=f"correct {name}")
