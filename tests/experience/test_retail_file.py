"""A retailer's file is read to the last line, or refused with the line that is wrong; each line is accounted for."""

import contextlib
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from accordant.kernel.errors import AccordantError
from accordant.launch.retail_file import (
    BROKEN_HEADER,
    HEADER,
    NO_CUSTOMER,
    NO_PRICE,
    Document,
    Sales,
    originals,
    read_sales,
)

GOOD = "536365,85123A,WHITE HANGING HEART,6,12-01-2010 08:26,2.55,17850,United Kingdom"
CREDIT = "C536379,85123A,WHITE HANGING HEART,-1,12-01-2010 09:41,2.55,17850,United Kingdom"


def file(folder: Path, *lines: str, header: Iterable[str] = HEADER, encoding: str = "latin-1") -> Path:
    path = folder / "sales.csv"
    path.write_bytes("".join(f"{line}\r\n" for line in (",".join(header), *lines)).encode(encoding))
    return path


def read(path: Path) -> tuple[list[Document], Sales]:
    sales = Sales()
    return list(read_sales(path, sales)), sales


def changed(line: str, **cells: str) -> str:
    places = ("number", "code", "said", "quantity", "moment", "price", "customer", "country")
    values = dict(zip(places, line.split(","), strict=True)) | cells
    return ",".join(values.values())


@pytest.mark.parametrize("header", [HEADER, BROKEN_HEADER])
def test_lines_become_documents_and_what_cannot_be_posted_is_counted_by_name(
    tmp_path: Path, header: tuple[str, ...]
) -> None:
    lines = [
        GOOD,
        GOOD,
        changed(GOOD, code="POST", price="18"),
        changed(GOOD, price="0", code="FREE"),
        changed(GOOD, number="536366", customer=""),
        CREDIT,
    ]
    documents, sales = read(file(tmp_path, *lines, header=header))
    assert [(one.number, one.total_minor, one.is_credit) for one in documents] == [
        ("536365", 2 * 6 * 255 + 6 * 1800, False),
        ("C536379", -255, True),
    ]
    assert (sales.lines, sales.documents, sales.without_lines, sales.repeated) == (6, 3, 1, 1)
    assert sales.rejected == {NO_PRICE: [5], NO_CUSTOMER: [6]}
    assert [line.at for line in documents[0].lines] == [2, 3, 4]
    assert documents[0].issued_at.isoformat() == "2010-12-01T08:26:00"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (changed(GOOD, price="2,55"), "row.malformed"),
        (changed(GOOD, price="1e3"), "money.format"),
        (changed(GOOD, price="2.555"), "money.too_many_decimals"),
        (changed(GOOD, price="-2.55"), "money.negative"),
        (changed(GOOD, price="٢.55"), "money.format"),
        (changed(GOOD, quantity="6.0"), "quantity.format"),
        (changed(GOOD, quantity="0"), "quantity.format"),
        (changed(GOOD, quantity="-6"), "export.sign"),
        (changed(CREDIT, quantity="6"), "export.sign"),
        (changed(GOOD, moment="13-01-2010 08:26"), "date.format"),
        (changed(GOOD, moment="2010-12-01 08:26"), "date.format"),
        (changed(GOOD, number="X36365"), "number.format"),
        (changed(GOOD, customer="1785O"), "number.format"),
        (changed(GOOD, country=""), "row.malformed"),
        (f"{GOOD},more", "row.malformed"),
        (f'{changed(GOOD, said="")}"'.replace(",,", ',"half,'), "row.malformed"),
        (changed(GOOD, said="x" * 5_000), "row.malformed"),
        (changed(GOOD, said="A\0B"), "export.encoding"),
        (changed(GOOD, customer="13047"), "export.duplicate_id"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_by_its_number(tmp_path: Path, line: str, code: str) -> None:
    with pytest.raises(AccordantError, match="line 4") as refused:
        read(file(tmp_path, changed(GOOD, number="536364"), GOOD, line, encoding="utf-8"))
    assert refused.value.code == code
    assert refused.value.hint


def test_a_document_that_comes_back_is_refused_where_it_does(tmp_path: Path) -> None:
    with pytest.raises(AccordantError, match="line 4 has 536365 again, which begins on line 2") as refused:
        read(file(tmp_path, GOOD, CREDIT, GOOD))
    assert refused.value.code == "export.duplicate_id"


@pytest.mark.parametrize(
    ("header", "encoding", "code"),
    [
        ((*HEADER[:7], "Land"), "latin-1", "export.column_missing"),
        ((HEADER[1], HEADER[0], *HEADER[2:]), "latin-1", "export.column_missing"),
        (HEADER, "utf-16", "export.encoding"),
    ],
)
def test_another_header_or_encoding_is_refused(
    tmp_path: Path, header: tuple[str, ...], encoding: str, code: str
) -> None:
    with pytest.raises(AccordantError) as refused:
        read(file(tmp_path, GOOD, header=header, encoding=encoding))
    assert refused.value.code == code


def test_both_encodings_say_the_same_and_nothing_is_no_file(tmp_path: Path) -> None:
    said = changed(GOOD, said="CAFÉ £5")
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        ((document,), _) = read(file(tmp_path, said, encoding=encoding))
        assert document.lines[0].description == "CAFÉ £5"
    (tmp_path / "sales.csv").write_bytes(b"")
    for path, code in (("sales.csv", "export.column_missing"), ("none.csv", "export.file_missing")):
        with pytest.raises(AccordantError) as refused:
            read(tmp_path / path)
        assert refused.value.code == code


def test_a_long_file_is_streamed(tmp_path: Path) -> None:
    """The first document is given before the file is read to its end: the last line is wrong, and not yet reached."""
    lines = [changed(GOOD, number=f"{500_000 + n // 20}", code=f"{n % 20:05}") for n in range(40_000)]
    reading = read_sales(file(tmp_path, *lines, "nonsense"), sales := Sales())
    assert next(reading).number == "500000"
    assert sales.lines == 21
    with pytest.raises(AccordantError, match="line 40002"):
        list(reading)
    assert sales.documents == 1_999


def test_a_credit_belongs_to_the_one_earlier_invoice_that_holds_all_of_it(tmp_path: Path) -> None:
    other = changed(GOOD, number="536366", customer="13047")
    lines = [
        GOOD,
        other,
        CREDIT,
        changed(CREDIT, number="C536380", quantity="-5"),
        changed(CREDIT, number="C536381"),
        changed(CREDIT, number="C536382", price="2.54", customer="13047"),
        changed(GOOD, number="536400"),
        changed(GOOD, number="536401"),
        changed(CREDIT, number="C536402"),
    ]
    documents, _ = read(file(tmp_path, *lines))
    assert originals(documents) == {"C536379": "536365", "C536380": "536365"}


def test_noise_is_refused_by_name_and_never_crashes(tmp_path: Path) -> None:
    rng = random.Random(7)
    for _ in range(300):
        line = list(rng.choice((GOOD, CREDIT)))
        for _ in range(rng.randrange(1, 4)):
            line[rng.randrange(len(line))] = rng.choice('",C-0 x\0é\x9f\n')
        with contextlib.suppress(AccordantError):
            read(file(tmp_path, "".join(line), encoding="utf-8"))
