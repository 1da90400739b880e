"""What one caller wants committed, all of it or nothing, together with whatever others want at that moment."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Table

RowValues = tuple[object, ...]


class Changes:
    """Rows to write. `add` keeps the first row of a key for ever; `put` writes a whole row, the last one wins, except
    in columns that are `FIXED`.

    Rows are frozen structs whose fields are the table's columns in the table's order, key columns first.
    """

    __slots__ = ("added", "chained", "follow_ups", "put_rows")

    def __init__(self) -> None:
        self.added: list[tuple[Table, RowValues]] = []
        self.put_rows: list[tuple[Table, RowValues]] = []
        self.chained: list[RowValues] = []
        self.follow_ups: list[tuple[str, str]] = []

    def add(self, table: Table, row: msgspec.Struct) -> None:
        """Insert unless the key exists; `Committed.is_new` tells afterwards."""
        self.added.append((table, msgspec.structs.astuple(row)))

    def put(self, table: Table, row: msgspec.Struct) -> None:
        """Insert, or replace the row but for its `FIXED` columns."""
        self.put_rows.append((table, msgspec.structs.astuple(row)))

    def chain(self, row: RowValues) -> None:
        """Append to the audit chain; the writer gives it its number and hash."""
        self.chained.append(row)

    def follow_up(self, statement: str, parameter: str) -> None:
        """After the rows are written, run one of the writer's named statements with this parameter, once."""
        self.follow_ups.append((statement, parameter))

    def include(self, other: "Changes") -> None:
        """Commit these together with the others."""
        self.added.extend(other.added)
        self.put_rows.extend(other.put_rows)
        self.chained.extend(other.chained)
        self.follow_ups.extend(other.follow_ups)

    def __bool__(self) -> bool:
        return bool(self.added or self.put_rows or self.chained or self.follow_ups)


class Committed:
    """What a commit did: which added rows were new, and how many rows the follow-ups changed."""

    __slots__ = ("followed_up", "new")

    def __init__(self, new: set[tuple[str, object]], followed_up: int) -> None:
        self.new = new
        self.followed_up = followed_up

    def is_new(self, table: Table, key: object) -> bool:
        """Whether the row added under this first key column was not there before."""
        return (table.name, key) in self.new


def merge(batch: Sequence[Changes]) -> Changes:
    """One set of changes that leaves what all of them leave, in their order."""
    if len(batch) == 1:
        return batch[0]
    whole = Changes()
    for changes in batch:
        whole.include(changes)
    return whole
