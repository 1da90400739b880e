"""The mark by which a writer finds its last group again after the server crashed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table; it holds one row for each writing process."""
    op.create_table(
        "commit_mark",
        sa.Column("segment", sa.Text(), nullable=False, comment="the audit segment of one writing process"),
        sa.Column("mark", sa.Text(), nullable=False, comment="of the last group that this process committed"),
        sa.PrimaryKeyConstraint("segment"),
    )
