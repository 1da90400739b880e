"""What people are asked to agree to, and what they answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "approval",
        sa.Column("approval_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _BEFORE_AMOUNT),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("counted_minor", sa.BigInteger(), nullable=False, comment="with what was given in the kind's window"),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _AFTER_AMOUNT),
        sa.Column("estate_version", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _INSTANTS),
        sa.PrimaryKeyConstraint("approval_id"),
    )
    op.create_index("approval_of_transaction", "approval", ["transaction_id"])
    op.create_index("approval_by_age", "approval", ["opened_at_ms"])
    op.create_table(
        "approval_decision",
        sa.Column("approval_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False, comment="approved, rejected, expired"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("estate_version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("approval_id"),
    )


_BEFORE_AMOUNT = ("tenant", "transaction_id", "correlation_id", "name", "kind", "subject", "party", "what")
_AFTER_AMOUNT = ("currency", "payload", "payload_hash", "rule", "roles")
_INSTANTS = ("opened_at_ms", "escalates_at_ms", "expires_at_ms")
