"""What people are asked to agree to, and what was answered; neither is ever changed, only added to."""

import msgspec
from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from accordant.kernel.database import metadata


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One question to people. It is open until a decision with its id is there."""

    approval_id: str
    tenant: str
    transaction_id: str
    correlation_id: str
    name: str
    """Name of the flow's step."""
    kind: str
    """Kind of `approvals.yaml`, such as `service_credit`."""
    subject: str
    party: str
    what: str
    """One sentence: what would be done."""
    amount_minor: int
    counted_minor: int
    """The amount with what was given in the kind's window: what limits are compared with."""
    currency: str
    payload: str
    """What would be written, as JSON; a decision holds for exactly this."""
    payload_hash: str
    rule: str
    roles: str
    """JSON list: who is asked, the first one first."""
    estate_version: int
    requested_by: str
    opened_at_ms: int
    escalates_at_ms: int
    expires_at_ms: int


class DecisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; the first one counts."""

    approval_id: str
    verdict: str
    """`approved`, `rejected` or `expired` (nobody answered)."""
    actor: str
    note: str
    estate_version: int
    at_ms: int


class AskedRow(msgspec.Struct, frozen=True, kw_only=True):
    """That a role was told of a question."""

    approval_id: str
    turn: int
    """0 for the role asked first, 1 for the one it was passed on to."""
    role: str
    at_ms: int


approval_table = Table(
    "approval",
    metadata,
    Column("approval_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("counted_minor", BigInteger, nullable=False, comment="with what was given in the kind's window"),
    Column("currency", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("payload_hash", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("estate_version", Integer, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("escalates_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)
Index("approval_of_transaction", approval_table.c.transaction_id)
Index("approval_by_age", approval_table.c.opened_at_ms)

decision_table = Table(
    "approval_decision",
    metadata,
    Column("approval_id", Text, primary_key=True),
    Column("verdict", Text, nullable=False, comment="approved, rejected, expired"),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("estate_version", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

asked_table = Table(
    "approval_told",
    metadata,
    Column("approval_id", Text, primary_key=True),
    Column("turn", Integer, primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
