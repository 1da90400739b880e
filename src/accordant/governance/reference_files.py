"""Reference tables as CSV files that people edit and compare: one row a line, replaced in one step or not at all."""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from accordant.governance.estate import ReferenceRow
from accordant.governance.likeness import did_you_mean
from accordant.governance.problems import File, Place
from accordant.governance.reference_rules import ATTRIBUTE_NAME, COLUMNS, faults
from accordant.kernel.failpoints import around

TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
_BYTES_MAX = 8_000_000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

Rows = dict[str, tuple[ReferenceRow, ...]]


def table_path(folder: Path, table: str) -> Path:
    """Where a table's file stands in an estate folder."""
    return folder / "reference" / f"{table}.csv"


def read_table(path: Path, file: File) -> Rows:
    """Every sound row of a table by value; what is wrong with the others is noted."""
    lines = _lines(path, file)
    if lines is None:
        return {}
    header = _cells(lines[0]) if lines else []
    columns = [name for name, _ in header]
    if not _is_sound_header(header, file):
        return {}
    rows: dict[str, list[ReferenceRow]] = {}
    for number, line in enumerate(lines[1:], start=2):
        row = _read_row(path.stem, line, number=number, columns=columns, file=file)
        if row is None:
            continue
        for other in rows.setdefault(row.value, []):
            if _overlap(row, other):
                file.problem(
                    (number, 1),
                    "reference.overlap",
                    what=f"{row.value!r} already has a row for the same days",
                    expected="one meaning on any day",
                    fix="end one row where the other begins, or remove one",
                )
        rows[row.value].append(row)
    return {value: tuple(found) for value, found in rows.items()}


def _lines(path: Path, file: File) -> list[str] | None:
    try:
        with path.open("rb") as opened:
            raw = opened.read(_BYTES_MAX + 1)
        if len(raw) > _BYTES_MAX:
            file.problem((1, 1), "csv.too_large", what="a longer file", expected="at most 8 MB", fix="split the table")
            return None
        return raw.decode("utf-8-sig").splitlines()
    except OSError as failed:
        file.unreadable(failed)
    except UnicodeDecodeError:
        file.problem((1, 1), "csv.encoding", what="not UTF-8", expected="UTF-8 text", fix="save it as UTF-8")
    return None


def write_table(path: Path, rows: Iterable[ReferenceRow], *, attributes: Sequence[str] = ()) -> None:
    """Write a table anew; `attributes` fixes the order of the first attribute columns."""
    every = list(rows)
    extra = list(dict.fromkeys([*attributes, *(name for row in every for name in row.attributes)]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    for row in every:
        period = [day.isoformat() if day else "" for day in (row.effective_from, row.effective_to)]
        cells = [row.attributes.get(name, "") for name in extra]
        writer.writerow([row.value, row.target, row.owner, *period, *cells])
    replace_file(path, text.getvalue().encode())


def attribute_columns(path: Path) -> list[str]:
    """The attribute columns of a file, in their order."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = next(iter(csv.reader(file)), list[str]())
    return [name for name in header if name not in COLUMNS]


def replace_file(path: Path, content: bytes) -> None:
    """The file holds the old content or the new one, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        with around("reference.file"):
            os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with around("reference.folder"):
            os.fsync(folder)
    finally:
        os.close(folder)


def _is_sound_header(header: list[tuple[str, int]], file: File) -> bool:
    names = [name for name, _ in header]
    missing = [name for name in COLUMNS if name not in names]
    for name in missing:
        near = did_you_mean(name, names) if names else "add it"
        file.problem((1, 1), "csv.column_missing", what=f"no column {name!r}", expected=", ".join(COLUMNS), fix=near)
    sound = not missing
    seen: set[str] = set()
    for name, col in header:
        known = name in seen
        seen.add(name)
        if known or not ATTRIBUTE_NAME.fullmatch(name):
            sound = False
            file.problem(
                (1, col),
                "csv.column_name",
                what=f"column {name!r}",
                expected="each name once, in small letters, digits and _",
                fix="rename or remove the column",
            )
    return sound


def _read_row(table: str, line: str, *, number: int, columns: list[str], file: File) -> ReferenceRow | None:
    cells = _cells(line)
    if len(cells) != len(columns):
        file.problem(
            (number, 1),
            "csv.cells",
            what=f"{len(cells)} cells" if line else "an empty line",
            expected=f"{len(columns)} as in the first line",
            fix="add or remove commas; put text that holds a comma in double quotes",
        )
        return None
    texts = {name: text for name, (text, _) in zip(columns, cells, strict=True)}
    places: dict[str, Place] = {name: (number, col) for name, (_, col) in zip(columns, cells, strict=True)}
    days = {name: _read_day(texts[name], places[name], file=file) for name in COLUMNS[3:]}
    row = ReferenceRow(
        value=texts["value"],
        target=texts["target"],
        owner=texts["owner"],
        effective_from=days["effective_from"],
        effective_to=days["effective_to"],
        attributes={name: text for name, text in texts.items() if name not in COLUMNS and text},
    )
    wrong = list(faults(table, row))
    for fault in wrong:
        at = places.get(fault.column, (number, 1))
        file.problem(at, fault.code, what=fault.what, expected=fault.expected, fix=fault.fix)
    return None if wrong else row


def _read_day(text: str, at: Place, *, file: File) -> date | None:
    try:
        if not text or _DAY.fullmatch(text):
            return date.fromisoformat(text) if text else None
    except ValueError:
        pass
    file.problem(
        at, "reference.date", what=repr(text), expected="a day such as 2026-01-31, or nothing", fix="correct it"
    )
    return None


def _overlap(left: ReferenceRow, right: ReferenceRow) -> bool:
    begin = max(left.effective_from or date.min, right.effective_from or date.min)
    return begin < min(left.effective_to or date.max, right.effective_to or date.max)


def _cells(line: str) -> list[tuple[str, int]]:
    """The cells of a line with their columns; a quote that never closes makes the line one cell."""
    try:
        texts = next(iter(csv.reader([line], strict=True)), list[str]())
    except csv.Error:
        return [(line, 1)]
    begins, quoted = [1], False
    for col, letter in enumerate(line, start=1):
        quoted ^= letter == '"'
        if letter == "," and not quoted:
            begins.append(col + 1)
    return list(zip(texts, begins, strict=False))
