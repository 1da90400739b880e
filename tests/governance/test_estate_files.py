from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from accordant.governance.estate import ReferenceRow
from accordant.governance.estate_files import load_estate, write_reference_row
from accordant.kernel.errors import Misconfigured


def problems(load: Callable[[], object]) -> list[str]:
    with pytest.raises(Misconfigured) as refused:
        load()
    return refused.value.detail["problems"]


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("policies.yaml", "exception: {}\n", "config.unknown_key: 'exception' is not known here"),
        ("policies.yaml", "exceptions: {}\n", "yaml.duplicate_key"),
        ("policies.yaml", "x: &a [1]\n", "yaml.alias"),
        ("policies.yaml", "x: *a\n", "yaml.alias"),
        ("policies.yaml", "x: !!python/object:os.system 1\n", "yaml.tag"),
        ("policies.yaml", "x: !!str 1\n", "yaml.tag"),
        ("policies.yaml", "\tx: 1\n", "yaml.syntax"),
        ("policies.yaml", f"x: {'[' * 3000}{']' * 3000}\n", "yaml.too_deep"),
        ("policies.yaml", "? [a, b]\n: 1\n", "yaml.key"),
        ("reference/currency.csv", "ABC,ABC,finance,,\n", "reference.target: 'ABC'"),
        ("reference/currency.csv", "usd,usd,finance,,\n", "reference.target: 'usd'"),
        ("reference/currency.csv", "EURO,EUR,finance,2020-13-01,\n", "reference.date: '2020-13-01'"),
        ("reference/currency.csv", "EURO,EUR,finance,20200101,\n", "reference.date: '20200101'"),
        ("reference/currency.csv", "EURO,EUR,finance,2020-01-02,2020-01-02\n", "reference.period"),
        ("reference/currency.csv", "EUR,EUR,finance,2020-01-01,\n", "reference.overlap"),
        ("reference/currency.csv", "EURO,EUR,,,\n", "reference.empty"),
        ("reference/currency.csv", ",EUR,finance,,\n", "reference.empty"),
        ("reference/currency.csv", "EURO,EUR,finance\n", "csv.cells: 3 cells"),
        ("reference/currency.csv", "\n", "csv.cells: an empty line"),
        ("reference/currency.csv", '"EURO,EUR,finance,,\n', "csv.cells: 1 cells"),
        ("reference/currency.csv", "EU\x07RO,EUR,finance,,\n", "reference.characters"),
        ("reference/country.csv", "Utopia,UT,md,,,EU01\n", "reference.target: 'UT'"),
        ("reference/country.csv", "Utopia,DE,md,,,\n", "reference.attribute_missing: 'Utopia' has no legal_entity"),
        ("reference/product.csv", "X,X,po,,,X,0,USD,plus\n", "reference.attribute: '0'"),
        ("reference/product.csv", "X,X,po,,,X,1.005,USD,plus\n", "reference.attribute: '1.005'"),
        ("reference/product.csv", "X,X,po,,,X,1e3,USD,plus\n", "reference.attribute: '1e3'"),
        ("reference/service_tier.csv", "gold,gold,so,,,²,30\n", "reference.attribute: '²'"),
    ],
)
def test_every_slip_is_named_with_its_line(folder: Path, file: str, line: str, expected: str) -> None:
    number = len((folder / file).read_text().splitlines()) + 1
    append(folder / file, line)
    found = problems(lambda: load_estate(folder))
    assert len(found) == 1
    assert found[0].startswith(f"{file}:{number}:")
    assert expected in found[0]
    assert found[0].count(" – ") == 2


def test_the_place_is_line_and_column_of_the_value(folder: Path) -> None:
    append(folder / "reference/currency.csv", '"a ""b"", c",EUR,finance,soon,\n')
    replace(folder / "policies.yaml", "cause_class: data,", "cause_class: date,")
    lines = (folder / "policies.yaml").read_text().splitlines()
    number = next(n for n, text in enumerate(lines, 1) if "cause_class: date," in text)
    column = lines[number - 1].index("date,") + 1
    found = problems(lambda: load_estate(folder))
    assert found[0].startswith(f"policies.yaml:{number}:{column}: config.value: 'cause_class': 'date': Invalid enum")
    assert "expected one of technical, data, process" in found[0]
    assert found[1].startswith("reference/currency.csv:28:26: reference.date: 'soon'")


def test_a_misspelt_key_brings_the_right_one(folder: Path) -> None:
    replace(folder / "policies.yaml", "severity: high", "severty: high")
    found = problems(lambda: load_estate(folder))
    assert [("missing_key" in line, "did you mean 'severity'?" in line) for line in found] == [
        (False, True),
        (True, False),
    ]


def test_an_estate_without_a_last_resort_is_refused(folder: Path) -> None:
    replace(folder / "policies.yaml", '  "*": {cause_class', "  zz: {cause_class")
    assert ["policies.no_fallback" in line for line in problems(lambda: load_estate(folder))] == [True]


def test_every_noun_has_a_system_of_record(folder: Path) -> None:
    replace(folder / "ownership.yaml", "  invoice: erp\n", "")
    replace(folder / "ownership.yaml", "  payment: erp\n", "  payment: epr\n")
    found = problems(lambda: load_estate(folder))
    assert [line.split(": ")[1] for line in found] == ["ownership.role", "ownership.missing"]
    assert "did you mean 'erp'?" in found[0]


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    found = problems(lambda: load_estate(tmp_path))
    assert [line.split(":")[0] for line in found] == ["policies.yaml", "ownership.yaml", "reference"]


def test_fifty_problems_are_shown_and_the_rest_counted(folder: Path) -> None:
    append(folder / "reference/currency.csv", "X,Y,z,,\n" * 73)
    with pytest.raises(Misconfigured) as refused:
        load_estate(folder)
    assert len(refused.value.detail["problems"]) == 50
    assert refused.value.detail["more"] == 23
    assert "73 problems" in refused.value.message


def test_other_encodings_and_missing_columns_are_named(folder: Path) -> None:
    (folder / "reference/currency.csv").write_bytes("Zürich,EUR,x,,\n".encode("latin-1"))
    (folder / "reference/legal_entity.csv").write_text("value,target,ower,effective_from,effective_to\n")
    codes = [line.split(": ")[1] for line in problems(lambda: load_estate(folder))]
    assert codes == ["csv.encoding", "csv.column_missing"]


def test_a_byte_order_mark_is_no_problem(folder: Path) -> None:
    path = folder / "reference/currency.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_estate(folder).row("currency", "EUR", on=date(2020, 1, 1))


def test_a_written_row_reads_back_and_leaves_the_others_alone(folder: Path) -> None:
    before = load_estate(folder).tables["product"]
    new = ReferenceRow(
        value='Odd, "quoted" name',
        target="X",
        owner="o",
        effective_from=date(2026, 1, 1),
        attributes={"name": "X", "list_price": "1.00", "currency": "USD", "service_tier": "plus", "note": "=1+1"},
    )
    write_reference_row(folder, "product", row=new)
    after = load_estate(folder).tables["product"]
    assert after.pop(new.value) == (new,)
    assert after == before
    assert [path.name for path in (folder / "reference").iterdir() if path.name.startswith(".")] == []


def test_a_row_that_makes_no_sense_is_not_written(folder: Path) -> None:
    path = folder / "reference/currency.csv"
    before = path.read_bytes()
    with pytest.raises(Misconfigured):
        write_reference_row(folder, "currency", row=ReferenceRow(value="a\nb", target="EUR", owner="o"))
    assert path.read_bytes() == before


def test_a_broken_file_is_left_alone_by_a_write(folder: Path) -> None:
    path = folder / "reference/currency.csv"
    append(path, "half a row\n")
    before = path.read_bytes()
    with pytest.raises(Misconfigured):
        write_reference_row(folder, "currency", row=ReferenceRow(value="Euro", target="EUR", owner="o"))
    assert path.read_bytes() == before
