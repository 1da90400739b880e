"""The estate: everything a company has decided, as one version that a transaction can be pinned to."""

from datetime import date

import msgspec

from accordant.governance.approvals import Approvals
from accordant.governance.collections import Collections
from accordant.governance.policies import Policies

NO_OWNER = "master data"
"""Who is asked where neither the ownership file nor any row of a table names somebody."""


class ReferenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one word means, since when and until when, and who answers for that."""

    value: str
    """The word as the source writes it, letter by letter."""
    target: str
    owner: str
    effective_from: date | None = None
    """First day it holds; None: since ever."""
    effective_to: date | None = None
    """First day it no longer holds; None: until further notice."""
    attributes: dict[str, str] = {}

    def is_effective(self, on: date) -> bool:
        """Whether the row holds on this day."""
        begun = self.effective_from is None or self.effective_from <= on
        return begun and (self.effective_to is None or on < self.effective_to)


Tables = dict[str, dict[str, tuple[ReferenceRow, ...]]]
"""Table name → value → its rows, one per period."""


class Estate(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the estate; it is never changed, only followed by the next."""

    version: int
    tables: Tables
    policies: Policies
    ownership: dict[str, str]
    """`customer.legal_entity` → the system of record; `reference.product` → the owner of that table."""
    approvals: Approvals = Approvals()
    collections: Collections = Collections()

    def effective(self, table: str, value: str, *, on: date) -> tuple[ReferenceRow, ...]:
        """Every row of the value that holds on this day; more than one target is an ambiguity."""
        return tuple(row for row in self.tables.get(table, {}).get(value, ()) if row.is_effective(on))

    def row(self, table: str, value: str, *, on: date) -> ReferenceRow | None:
        """The row that holds on this day; None where there is none, or where two contradict each other."""
        rows = self.effective(table, value, on=on)
        return rows[0] if len({row.target for row in rows}) == 1 else None

    def owner_of(self, table: str) -> str:
        """Who answers for a reference table."""
        named = self.ownership.get(f"reference.{table}")
        if named:
            return named
        return next((row.owner for rows in self.tables.get(table, {}).values() for row in rows), NO_OWNER)

    def system_of_record(self, field: str) -> str | None:
        """Role that decides a field such as `customer.legal_entity`; `customer` answers for all without a row."""
        return self.ownership.get(field) or self.ownership.get(field.partition(".")[0])


def same_content(left: Estate, right: Estate) -> bool:
    """Whether two versions decide the same, whatever their numbers."""
    return msgspec.structs.replace(left, version=0) == msgspec.structs.replace(right, version=0)
