"""An estate folder is read as a whole, and everything that is wrong with it is said at once."""

from pathlib import Path

from accordant.governance.estate import Estate, ReferenceRow


def load_estate(folder: Path, *, version: int = 0) -> Estate:
    """policies.yaml, ownership.yaml and reference/*.csv of a folder.

    Raises:
        Misconfigured: `detail["problems"]` lists up to 50 lines `path:line:col: code: what – expected – how to fix`.
    """
    raise NotImplementedError


def write_reference_row(folder: Path, table: str, *, row: ReferenceRow) -> None:
    """Put one row into its table's file; the file is replaced in one step or not at all."""
    raise NotImplementedError
