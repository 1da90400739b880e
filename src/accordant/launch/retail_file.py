"""A retailer's sales lines (CSV) as the documents that they are: invoices and credits, each line accounted for.

The form is that of the UCI set *Online Retail* (https://doi.org/10.24432/C5BW33): one line for each item sold, a number
that begins with `C` for a cancellation, amounts in pounds. Its first four columns may all be called `InvoiceNo`, as in
copies whose header is broken; they are number, stock code, description and quantity. Days are written month first.
"""

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import msgspec

from accordant.kernel.errors import Malformed, Misconfigured
from accordant.kernel.money import parse_money

CURRENCY = "GBP"
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
BROKEN_HEADER = ("InvoiceNo", "InvoiceNo", "InvoiceNo", "InvoiceNo", *HEADER[4:])
NO_CUSTOMER, NO_PRICE = "no customer", "price of zero"
"""Why a line cannot be posted: nobody to ask for the money, or no money to ask for."""
LINE_BYTES_MAX = 4_096
_NUMBER = re.compile(r"C?[0-9]{6}", re.ASCII)
_QUANTITY = re.compile(r"-?[1-9][0-9]{0,8}", re.ASCII)
_CUSTOMER = re.compile(r"[0-9]{5}", re.ASCII)
_MOMENT = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4}) (\d{1,2}):(\d{2})", re.ASCII)
_HINT = "correct the line, or leave it out; nothing was loaded"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line that can be posted. `quantity` is negative on a credit, `unit_minor` counts pence."""

    at: int
    """Line of the file, the header being 1."""
    code: str
    description: str
    quantity: int
    unit_minor: int

    @property
    def total_minor(self) -> int:
        return self.quantity * self.unit_minor


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One invoice or credit, with the lines of it that can be posted."""

    number: str
    customer: str
    country: str
    issued_at: datetime
    """As its first line says, in the retailer's own time."""
    lines: tuple[Line, ...]

    @property
    def is_credit(self) -> bool:
        return self.number.startswith("C")

    @property
    def total_minor(self) -> int:
        """Negative for a credit."""
        return sum(line.total_minor for line in self.lines)


class Sales(msgspec.Struct, kw_only=True):
    """What a file holds; filled while it is read."""

    lines: int = 0
    documents: int = 0
    rejected: dict[str, list[int]] = msgspec.field(default_factory=dict[str, list[int]])
    """Line numbers by reason."""
    without_lines: int = 0
    """Documents none of whose lines can be posted."""
    repeated: int = 0
    """Lines equal to an earlier one of their document; somebody bought the same twice, and both count."""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    number: str
    customer: str
    country: str
    issued_at: datetime
    reason: str
    line: Line


def read_sales(path: Path, into: Sales) -> Iterator[Document]:
    """Documents in the order of the file, one at a time; `into` is complete when the last was given.

    Raises:
        Misconfigured: `export.file_missing`, `export.file_unreadable`, `export.column_missing`.
        Malformed: `export.encoding`, `row.malformed`, `number.format`, `quantity.format`, `date.format`, `money.*`,
            `export.sign`, `export.duplicate_id`; the message names the line.
    """
    first: dict[str, int] = {}
    held: list[_Row] = []
    for row in _rows(path):
        into.lines += 1
        if row.reason:
            into.rejected.setdefault(row.reason, []).append(row.line.at)
        if held and held[0].number != row.number:
            yield from _document(held, into)
            held = []
        if not held:
            _refuse_return(first, row)
        elif (held[0].customer, held[0].country) != (row.customer, row.country):
            _refuse_other(held[0], row)
        held.append(row)
    if held:
        yield from _document(held, into)


def originals(documents: Iterable[Document]) -> dict[str, str]:
    """Credit → the invoice it gives back from, where the file leaves no doubt about it.

    A cancellation names no invoice. It belongs to an earlier one of the same customer that holds every line of it, at
    the same price and in at least that quantity, less what was given back before. Where several do, none is taken.
    """
    left: dict[str, dict[str, Counter[tuple[str, int]]]] = {}
    found: dict[str, str] = {}
    for document in documents:
        sold = left.setdefault(document.customer, {})
        if not document.is_credit:
            sold[document.number] = _items(document)
            continue
        wanted = _items(document)
        able = [number for number, items in sold.items() if all(items[one] >= n for one, n in wanted.items())]
        if len(able) == 1:
            found[document.number] = able[0]
            sold[able[0]].subtract(wanted)
    return found


def _items(document: Document) -> Counter[tuple[str, int]]:
    items: Counter[tuple[str, int]] = Counter()
    for line in document.lines:
        items[line.code, line.unit_minor] += abs(line.quantity)
    return items


def _document(rows: Sequence[_Row], into: Sales) -> Iterator[Document]:
    into.documents += 1
    lines = tuple(row.line for row in rows if not row.reason)
    if not lines:
        into.without_lines += 1
        return
    seen = {(line.code, line.description, line.quantity, line.unit_minor) for line in lines}
    into.repeated += len(lines) - len(seen)
    one = rows[0]
    yield Document(number=one.number, customer=one.customer, country=one.country, issued_at=one.issued_at, lines=lines)


def _rows(path: Path) -> Iterator[_Row]:
    cells = csv.reader(_texts(path), strict=True)
    at = 0
    try:
        for at, row in enumerate(cells, start=1):
            if at == 1:
                _require_header(row, path)
            elif row:
                yield _row(row, at=at)
    except csv.Error as wrong:
        refuse("row.malformed", at + 1, said=str(wrong), expected="commas between the cells, and quotes that close")
    if not at:
        _require_header([], path)


def _texts(path: Path) -> Iterator[str]:
    """Line by line; UTF-8 where a line is, else Latin-1, in which the set is published."""
    try:
        with path.open("rb") as file:
            at = 0
            while raw := file.readline(LINE_BYTES_MAX + 1):
                at += 1
                yield _text(raw.removeprefix(b"\xef\xbb\xbf") if at == 1 else raw, at=at)
    except FileNotFoundError as missing:
        message = f"{path} is missing; expected a CSV file of sales lines"
        raise Misconfigured(message, code="export.file_missing", hint="name the file") from missing
    except OSError as failed:
        raise Misconfigured(
            f"{path} cannot be read: {failed.strerror}; expected a CSV file",
            code="export.file_unreadable",
            hint="name a file, and let it be read",
        ) from failed


def _text(raw: bytes, *, at: int) -> str:
    if len(raw) > LINE_BYTES_MAX:
        refuse("row.malformed", at, said=f"more than {LINE_BYTES_MAX} bytes", expected="one sale on a line")
    if b"\0" in raw or raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        refuse("export.encoding", at, said="bytes of UTF-16, or binary ones", expected="Latin-1 or UTF-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    control = next((letter for letter in text if "\x7f" <= letter <= "\x9f"), "")
    if control:
        refuse("export.encoding", at, said=f"the byte 0x{ord(control):02x}", expected="Latin-1 or UTF-8")
    return text


def _require_header(row: Sequence[str], path: Path) -> None:
    if tuple(cell.strip() for cell in row) not in (HEADER, BROKEN_HEADER):
        raise Misconfigured(
            f"{path.name}:1: the columns are {', '.join(row)[:200] or 'none'}; expected {', '.join(HEADER)}",
            code="export.column_missing",
            hint="export those columns in this order; the first four may all be called InvoiceNo",
        )


def _row(cells: Sequence[str], *, at: int) -> _Row:
    if len(cells) != len(HEADER):
        refuse("row.malformed", at, said=f"{len(cells)} cells", expected=f"{len(HEADER)}")
    number, code, description, quantity_text, moment, price, customer, country = (cell.strip() for cell in cells)
    if not _NUMBER.fullmatch(number):
        refuse("number.format", at, said=f"the number {number!r}", expected="six digits, with a C before a credit's")
    if customer and not _CUSTOMER.fullmatch(customer):
        refuse("number.format", at, said=f"the customer {customer!r}", expected="five digits, or nothing")
    if not _QUANTITY.fullmatch(quantity_text):
        refuse(
            "quantity.format", at, said=f"the quantity {quantity_text!r}", expected="a whole number that is not zero"
        )
    unit_minor = _price(price, at=at)
    quantity = int(quantity_text)
    reason = NO_CUSTOMER if not customer else "" if unit_minor else NO_PRICE
    if not reason and not (code and country):
        refuse("row.malformed", at, said="no stock code or no country", expected="both")
    if not reason and (quantity < 0) != number.startswith("C"):
        expected = "more than zero on an invoice, less on a credit"
        refuse("export.sign", at, said=f"{quantity} on {number}", expected=expected)
    line = Line(at=at, code=code, description=description, quantity=quantity, unit_minor=unit_minor)
    issued_at = _moment(moment, at=at)
    return _Row(number=number, customer=customer, country=country, issued_at=issued_at, reason=reason, line=line)


def _price(text: str, *, at: int) -> int:
    try:
        minor = parse_money(text, CURRENCY).amount_minor
    except Malformed as wrong:
        refuse(wrong.code, at, said=f"the price {text[:40]!r}", expected="plain pounds and pence, such as 2.55")
    if minor < 0:
        refuse(
            "money.negative", at, said=f"the price {text!r}", expected="zero or more: a credit's quantity is negative"
        )
    return minor


def _moment(text: str, *, at: int) -> datetime:
    found = _MOMENT.fullmatch(text)
    with contextlib.suppress(ValueError):  # a moment that is on no calendar
        month, day, year, hour, minute = map(int, found.groups() if found else ())
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - the file names no zone
    return refuse(
        "date.format", at, said=f"the moment {text[:40]!r}", expected="month-day-year hour:minute, 12-01-2010 08:26"
    )


def _refuse_return(first: dict[str, int], row: _Row) -> None:
    before = first.setdefault(row.number, row.line.at)
    if before != row.line.at:
        said, expected = f"{row.number} again, which begins on line {before}", "the lines of a document together"
        refuse("export.duplicate_id", row.line.at, said=said, expected=expected)


def _refuse_other(begun: _Row, row: _Row) -> NoReturn:
    said = f"{row.number} for {row.customer or 'no customer'} in {row.country}"
    expected = f"{begun.customer or 'no customer'} in {begun.country} as on line {begun.line.at}"
    refuse("export.duplicate_id", row.line.at, said=said, expected=expected)


def refuse(code: str, at: int, *, said: str, expected: str) -> NoReturn:
    """Raise Malformed in one voice."""
    detail = {"line": at, "expected": expected}
    raise Malformed(f"line {at} has {said}; expected {expected}", code=code, hint=_HINT, detail=detail)
