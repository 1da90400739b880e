"""An estate folder is read as a whole, and everything that is wrong with it is said at once."""

from pathlib import Path

from accordant.governance.approval_files import read_approvals
from accordant.governance.collection_files import read_collections
from accordant.governance.estate import Estate, ReferenceRow, Tables
from accordant.governance.likeness import did_you_mean
from accordant.governance.policies import FALLBACK, ExceptionPolicy, FlowPolicy, Policies
from accordant.governance.problems import File, Problems
from accordant.governance.reference_change import placed
from accordant.governance.reference_files import TABLE_NAME, attribute_columns, read_table, table_path, write_table
from accordant.governance.reference_rules import faults
from accordant.governance.shapes import read_struct, refuse_unknown
from accordant.governance.strict_yaml import Spot, read_yaml

ROLES = ("crm", "billing", "erp", "support", "accordant")
NOUNS = (
    "customer product pricing contract subscription order invoice payment asset entitlement case opportunity".split()
)
"""What must have a system of record before anything is kept in step."""


def load_estate(folder: Path, *, version: int = 0) -> Estate:
    """policies.yaml, ownership.yaml, approvals.yaml and collections.yaml where there are any, and reference/*.csv.

    Raises:
        Misconfigured: `detail["problems"]` lists up to 50 lines `path:line:col: code: what – expected – how to fix`.
    """
    problems = Problems()
    policies = _read_policies(folder, problems)
    ownership = _read_ownership(folder, problems)
    approvals = read_approvals(folder, problems)
    tables = _read_tables(folder, problems)
    entities = tuple(tables.get("legal_entity", {}))
    collections = read_collections(folder, problems, legal_entities=entities)
    problems.raise_if_any("the estate")
    return Estate(
        version=version,
        tables=tables,
        policies=policies,
        ownership=ownership,
        approvals=approvals,
        collections=collections,
    )


def write_reference_row(folder: Path, table: str, *, row: ReferenceRow) -> None:
    """Put one row into its table's file, in place of what the file said of its value for the same days.

    The file is replaced in one step or not at all.

    Raises:
        Misconfigured: the row makes no sense, or the file as it stands cannot be read; it is left alone.
    """
    write_reference_rows(folder, table, rows=(row,))


def write_reference_rows(folder: Path, table: str, *, rows: tuple[ReferenceRow, ...]) -> None:
    """`write_reference_row` for several rows in the same step."""
    path = table_path(folder, table)
    problems = Problems()
    file = File(f"reference/{path.name}", problems)
    kept = read_table(path, file) if path.exists() else {}
    for row in rows:
        for fault in faults(table, row):
            file.problem((1, 1), fault.code, what=fault.what, expected=fault.expected, fix=fault.fix)
    problems.raise_if_any("the estate")
    for row in rows:
        kept[row.value] = placed(kept.get(row.value, ()), row)
    columns = attribute_columns(path) if path.exists() else []
    write_table(path, (each for found in kept.values() for each in found), attributes=columns)


def _read_tables(folder: Path, problems: Problems) -> Tables:
    tables: Tables = {}
    for path in sorted((folder / "reference").glob("*.csv")):
        file = File(f"reference/{path.name}", problems)
        if not TABLE_NAME.fullmatch(path.stem):
            file.problem(
                (1, 1),
                "reference.table_name",
                what=f"table {path.stem!r}",
                expected="small letters, digits and _",
                fix="rename the file",
            )
            continue
        tables[path.stem] = read_table(path, file)
    if not tables:
        File("reference", problems).problem(
            (1, 1), "estate.file_missing", what="no tables", expected="reference/*.csv", fix="add the tables"
        )
    return tables


def _read_policies(folder: Path, problems: Problems) -> Policies:
    file = File("policies.yaml", problems)
    top = read_yaml(folder / "policies.yaml", file)
    if top is None:
        return Policies(exceptions={})
    refuse_unknown(top, {"exceptions": None, "flows": None}, file=file)
    exceptions: dict[str, ExceptionPolicy] = {}
    for code, spot in _entries(top, "exceptions", file=file).items():
        policy = read_struct(spot, ExceptionPolicy, file=file)
        if policy:
            exceptions[code] = policy
    flows: dict[str, FlowPolicy] = {}
    for name, spot in _entries(top, "flows", file=file).items():
        flow = read_struct(spot, FlowPolicy, file=file)
        if flow:
            flows[name] = flow
    if FALLBACK not in _entries(top, "exceptions", file=file):
        file.problem(
            top.entries["exceptions"].key_at if "exceptions" in top.entries else top.at,
            "policies.no_fallback",
            what="no row '*' for exceptions nobody foresaw",
            expected="a last row that catches them",
            fix="add '*' below exceptions",
        )
    return Policies(exceptions=exceptions, flows=flows)


def _read_ownership(folder: Path, problems: Problems) -> dict[str, str]:
    file = File("ownership.yaml", problems)
    top = read_yaml(folder / "ownership.yaml", file)
    if top is None:
        return {}
    refuse_unknown(top, {"fields": None, "reference": None}, file=file)
    fields = _entries(top, "fields", file=file)
    ownership = {name: str(spot.value) for name, spot in fields.items()}
    for name, spot in fields.items():
        if spot.value not in ROLES:
            fix = did_you_mean(str(spot.value), ROLES)
            file.problem(
                spot.at, "ownership.role", what=f"{name} belongs to {spot.value!r}", expected="a role", fix=fix
            )
    for noun in NOUNS:
        if noun not in fields:
            at = top.entries["fields"].key_at if "fields" in top.entries else top.at
            file.problem(
                at, "ownership.missing", what=f"nobody decides {noun}", expected="a row for it", fix=f"add `{noun}: …`"
            )
    for table, spot in _entries(top, "reference", file=file).items():
        if isinstance(spot.value, str) and spot.value:
            ownership[f"reference.{table}"] = spot.value
        else:
            file.problem(spot.at, "ownership.owner", what=f"{table} has no owner", expected="a name", fix="name one")
    return ownership


def _entries(top: Spot, name: str, *, file: File) -> dict[str, Spot]:
    spot = top.entries.get(name)
    if spot is None:
        return {}
    if not isinstance(spot.value, dict):
        file.problem(spot.at, "config.shape", what=f"{name} is no mapping", expected="a mapping", fix="indent its rows")
    return spot.entries
