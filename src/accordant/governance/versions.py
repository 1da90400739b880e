"""Every version the estate ever had; a transaction keeps the one it began with."""

from datetime import date
from pathlib import Path

import msgspec
from sqlalchemy import BigInteger, Column, Integer, Table, Text

from accordant.governance.estate import Estate
from accordant.kernel.clock import Clock
from accordant.kernel.database import Database, Writer, metadata


class EstateVersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version as stored. `changes` is a JSON list, `body` the whole estate."""

    n: int
    at_ms: int
    actor: str
    reason: str
    changes: str
    body: str


estate_version_table = Table(
    "estate_version",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Column("body", Text, nullable=False),
)


class RowTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What may be said about a reference row beside its value and target."""

    owner: str | None = None
    """None: the owner the row had, else the owner of the table."""
    effective_from: date | None = None
    effective_to: date | None = None
    attributes: dict[str, str] = {}
    """Attributes that differ from those of the target."""
    reason: str = ""


class EstateStore:
    """The estate in force, the versions before it, and the one way to change a reference row."""

    def __init__(self, database: Database, writer: Writer, *, clock: Clock, folder: Path, tenant: str) -> None:
        raise NotImplementedError

    async def start(self) -> Estate:
        """Load the folder; where it decides otherwise than the newest stored version, it becomes the next one."""
        raise NotImplementedError

    def current(self) -> Estate:
        """The version in force."""
        raise NotImplementedError

    def at(self, n: int) -> Estate:
        """The version of this number."""
        raise NotImplementedError

    async def set_reference(
        self, table: str, value: str, *, target: str, actor: str, terms: RowTerms | None = None
    ) -> int:
        """Give a value a meaning, as a new version: stored, written to its file and in the audit.

        `target` is the value of another row of the table (meaning: the same as that word) or a target some row has.
        Raises Refused where it is neither; the nearest candidates are named.
        """
        raise NotImplementedError

    def history(self, table: str) -> list["ReferenceChange"]:
        """Every change of a table, oldest first."""
        raise NotImplementedError


class ReferenceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one version changed in a reference table."""

    n: int
    at_ms: int
    actor: str
    reason: str
    table: str
    value: str
    old: list[str]
    """Targets before, oldest period first; empty for a new value."""
    new: list[str]
    """Targets after; empty for a value that was removed."""
