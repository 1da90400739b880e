"""The audit: every change of state, in a chain of hashes, committed together with the change itself."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Table, Text, func, select

from accordant.kernel.database import Changes, metadata
from accordant.kernel.database.changes import RowValues
from accordant.kernel.ids import canonical_json

GENESIS = "0" * 64

audit_table = Table(
    "audit",
    metadata,
    Column("segment", Text, primary_key=True, comment="one writing process has one segment"),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit, before it is chained."""

    at_ms: int
    tenant: str
    correlation_id: str
    transaction_id: str = ""
    action: str
    """noun.past_tense, such as `effect.confirmed`."""
    subject: str
    """What it was done to: an effect's name, an exception's id, a reference row."""
    actor: str = "accordant"
    detail: dict[str, Any] = {}


def record(changes: Changes, entry: AuditEntry) -> None:
    """Put an entry into the same commit as the change it tells of."""
    changes.chain(
        (
            entry.at_ms,
            entry.tenant,
            entry.correlation_id,
            entry.transaction_id,
            entry.action,
            entry.subject,
            entry.actor,
            canonical_json(entry.detail).decode(),
        )
    )


class AuditChain:
    """Numbers and hashes of one segment; only the writer thread uses it."""

    table = audit_table

    def __init__(self, segment: str, *, n: int = 0, head: str = GENESIS, last_at_ms: int = 0) -> None:
        self.segment = segment
        self.last_at_ms = last_at_ms
        """Instant of the newest entry when the chain was taken up."""
        self._n = n
        self._head = head

    def link(self, rows: Sequence[RowValues]) -> tuple[list[RowValues], object]:
        n, head = self._n, self._head
        linked: list[RowValues] = []
        for row in rows:
            n += 1
            following = _hash(self.segment, n, row=row, previous=head)
            linked.append((self.segment, n, *row, head, following))
            head = following
        return linked, (n, head)

    def advance(self, head: Any) -> None:
        self._n, self._head = head


def continue_chain(connection: Connection, segment: str) -> AuditChain:
    """The chain of a segment, ready to go on where it ended."""
    last = connection.execute(
        select(audit_table.c.n, audit_table.c.hash, audit_table.c.at_ms)
        .where(audit_table.c.segment == segment)
        .order_by(audit_table.c.n.desc())
        .limit(1)
    ).first()
    if last is None:
        return AuditChain(segment)
    return AuditChain(segment, n=last.n, head=last.hash, last_at_ms=last.at_ms)


class ChainVerdict(msgspec.Struct, frozen=True):
    """What checking a chain found."""

    valid: bool
    entries: int
    first_broken: str = ""
    """Segment and number of the first entry that does not follow from the one before it."""


class Anchor(msgspec.Struct, frozen=True):
    """The head of a segment at some moment, kept outside the database."""

    segment: str
    n: int
    hash: str


def heads(connection: Connection) -> list[Anchor]:
    """The present head of every segment, to be kept where whoever writes the database cannot write."""
    newest = select(audit_table.c.segment, func.max(audit_table.c.n).label("n")).group_by(audit_table.c.segment)
    last = newest.subquery()
    query = (
        select(audit_table.c.segment, audit_table.c.n, audit_table.c.hash)
        .join(last, (last.c.segment == audit_table.c.segment) & (last.c.n == audit_table.c.n))
        .order_by(audit_table.c.segment)
    )
    return [Anchor(*row) for row in connection.execute(query)]


def verify_chain(connection: Connection, anchors: Sequence[Anchor] = ()) -> ChainVerdict:
    """Recompute every hash of every segment.

    A changed, inserted, missing or moved entry breaks the chain by itself. Entries cut off at the end of a segment,
    a segment that is gone, and a chain computed anew leave no trace in it: only an anchor shows them.
    """
    entries = 0
    expected: dict[str, tuple[int, str]] = {}
    anchored = {(anchor.segment, anchor.n): anchor.hash for anchor in anchors}
    for row in _all_rows(connection):
        segment, n, *middle, previous, found = row
        last_n, head = expected.get(segment, (0, GENESIS))
        entries += 1
        if n != last_n + 1 or previous != head or found != _hash(segment, n, row=tuple(middle), previous=head):
            return ChainVerdict(False, entries, f"{segment}/{n}")
        if anchored.pop((segment, n), found) != found:
            return ChainVerdict(False, entries, f"{segment}/{n}")
        expected[segment] = (n, found)
    if anchored:
        segment, n = min(anchored)
        return ChainVerdict(False, entries, f"{segment}/{n}")
    return ChainVerdict(True, entries)


def _all_rows(connection: Connection) -> Iterator[Any]:
    query = select(audit_table).order_by(audit_table.c.segment, audit_table.c.n)
    yield from connection.execution_options(yield_per=2000).execute(query)


def _hash(segment: str, n: int, *, row: Sequence[object], previous: str) -> str:
    return sha256(msgspec.json.encode([segment, n, row, previous])).hexdigest()
