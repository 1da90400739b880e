"""Reads a CRM export (CSV files) into the organization's records, dirt and all.

The files: `accounts.csv`, `sales_pipeline.csv`, `products.csv` with a header each, UTF-8, with or without a byte order
mark. The export has no currency column: amounts are US dollars.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from accordant.kernel.errors import Malformed, Misconfigured
from accordant.systems.salesforce.sandbox.native_ids import id_from_key
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Record

CURRENCY = "USD"
ROW_LINES_MAX = 20
"""A quoted cell may hold line breaks; a row of more lines than this is a quote left open."""
ACCOUNT_COLUMNS = {"account": "Name", "sector": "Industry", "year_established": "YearStarted"} | {
    "revenue": "AnnualRevenue",
    "employees": "NumberOfEmployees",
    "office_location": "BillingCountry",
    "subsidiary_of": "Parent_Name__c",
}
DEAL_COLUMNS = {"opportunity_id": "Opportunity_Number__c", "product": "Product__c", "account": "Account_Name__c"} | {
    "deal_stage": "StageName",
    "close_date": "CloseDate",
    "close_value": "Amount",
}
PRODUCT_COLUMNS = {"product": "Name", "series": "Family", "sales_price": "List_Price__c"}


class _Line(msgspec.Struct, frozen=True):
    """One row: where it begins, its cells by column, and its raw text when the columns do not fit."""

    number: int
    cells: dict[str, str]
    raw: str | None


def records_from_export(directory: Path) -> dict[str, list[Record]]:
    """Records by object, ready for the sandbox's `load`; ids depend on the content alone.

    A row with too few or too many columns is kept with the cells it has and its raw text in `Source_Row__c`.

    Raises:
        Malformed: two rows carry the same opportunity or account id (both lines are named), or a file is not UTF-8.
        Misconfigured: a file or a column is missing.
    """
    accounts = _accounts(directory / "accounts.csv")
    by_name: dict[str, str] = {}
    for account in sorted(accounts, key=lambda account: "Source_Row__c" in account):
        by_name.setdefault(account.get("Name", ""), account["Id"])
    by_name.pop("", None)
    for account in accounts:
        parent_id = by_name.get(account.get("Parent_Name__c", ""))
        if parent_id is not None:
            account["ParentId"] = parent_id
    return {
        "Account": accounts,
        "Product2": _products(directory / "products.csv"),
        "Opportunity": _opportunities(directory / "sales_pipeline.csv", by_name),
    }


def _accounts(path: Path) -> list[Record]:
    accounts: list[Record] = []
    seen: dict[str, int] = {}
    for line in _lines(path, ACCOUNT_COLUMNS):
        record = _record(line, ACCOUNT_COLUMNS)
        name = record.get("Name", "") if line.raw is None else ""
        _refuse_twice(seen, name, line=line.number, what=f"{path.name}: account")
        accounts.append({"Id": _id("Account", name, line=line.number), **record, "CurrencyIsoCode": CURRENCY})
    return accounts


def _opportunities(path: Path, account_ids: dict[str, str]) -> list[Record]:
    deals: list[Record] = []
    seen: dict[str, int] = {}
    for line in _lines(path, DEAL_COLUMNS):
        record = _record(line, DEAL_COLUMNS)
        number = record.get("Opportunity_Number__c", "") if line.raw is None else ""
        _refuse_twice(seen, number, line=line.number, what=f"{path.name}: opportunity")
        deal = {"Id": _id("Opportunity", number, line=line.number), **record, "CurrencyIsoCode": CURRENCY}
        deal["Name"] = number or f"line {line.number}"
        account_id = account_ids.get(record.get("Account_Name__c", ""))
        if account_id is not None:
            deal["AccountId"] = account_id
        deals.append(deal)
    return deals


def _products(path: Path) -> list[Record]:
    lines = _lines(path, PRODUCT_COLUMNS)
    return [
        {
            "Id": _id("Product2", line.cells.get("product", ""), line=line.number),
            **_record(line, PRODUCT_COLUMNS, raw_field=None),
        }
        for line in lines
    ]


def _record(line: _Line, columns: dict[str, str], *, raw_field: str | None = "Source_Row__c") -> Record:
    record: Record = {field: line.cells[column] for column, field in columns.items() if line.cells.get(column)}
    if line.raw is not None and raw_field is not None:
        record[raw_field] = line.raw
    return record


def _lines(path: Path, columns: dict[str, str]) -> Iterator[_Line]:
    """Rows with their line numbers, counted from 1 with the header; blank lines are no rows."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as missing:
        raise Misconfigured(
            f"{path} is missing; expected accounts.csv, products.csv and sales_pipeline.csv",
            code="export.file_missing",
            hint="name the folder that holds all three",
        ) from missing
    except OSError as failed:
        raise Misconfigured(
            f"{path} cannot be read: {failed.strerror}; expected a CSV file",
            code="export.file_unreadable",
            hint="put the export's file there, and let it be read",
        ) from failed
    except UnicodeDecodeError as wrong:
        raise Malformed(
            f"{path.name}: byte {wrong.start} is not UTF-8; expected UTF-8 text",
            code="encoding.not_utf8",
            hint="export it again as UTF-8",
            detail={"byte": wrong.start},
        ) from wrong
    source = list(io.StringIO(text, newline=""))
    header = [column.strip() for column in _cells(source[0])] if source else []
    lacking = sorted(set(columns) - set(header))
    if lacking:
        raise Misconfigured(
            f"{path.name}:1:1: it lacks the columns {', '.join(lacking)}; expected each in its first line",
            code="export.column_missing",
            hint="export those columns too, under these names",
        )
    at = 1
    while at < len(source):
        taken, cells = _row_at(source, at, width=len(header))
        if cells:
            raw = None if len(cells) == len(header) else "".join(source[at : at + taken]).rstrip("\r\n")
            yield _Line(at + 1, dict(zip(header, cells, strict=False)), raw)
        at += taken


def _row_at(source: list[str], at: int, *, width: int) -> tuple[int, list[str]]:
    """How many lines the row takes, and its cells. A quote that never closes spoils its own line and no other."""
    quotes = source[at].count('"')
    for taken in range(2, ROW_LINES_MAX + 1):
        if quotes % 2 == 0 or at + taken > len(source):
            break
        quotes += source[at + taken - 1].count('"')
        cells = _cells(*source[at : at + taken])
        if quotes % 2 == 0 and len(cells) == width:
            return taken, cells
    if source[at].count('"') % 2:
        cells = source[at].rstrip("\r\n").split(",")
        return 1, [*cells, ""] if len(cells) == width else cells
    return 1, _cells(source[at])


def _cells(*lines: str) -> list[str]:
    try:
        return next(iter(csv.reader(lines)), list[str]())
    except csv.Error:  # a cell beyond all measure: the row is kept as it is, and refused where it would be believed
        return ["".join(lines)]


def _refuse_twice(seen: dict[str, int], key: str, *, line: int, what: str) -> None:
    if not key:
        return
    first = seen.setdefault(key, line)
    if first != line:
        raise Malformed(
            f"{what} {key[:100]!r} stands on line {first} and on line {line}; expected every id once",
            code="export.duplicate_id",
            hint="Remove one of the two lines and load the export again.",
            detail={"value": key[:100], "lines": [first, line]},
        )


def _id(type_name: str, key: str, *, line: int) -> str:
    """From the record's own id; from its line where it has none or its row is not to be trusted."""
    return id_from_key(SCHEMA[type_name].prefix, type_name, key or f"line {line}")
