"""Who was woken and queues for its lane again is found without reading whoever else queues."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the index; nearly always it is empty."""
    woken = sa.text("waiting_for = 'lane again'")
    op.create_index("transaction_woken", "business_transaction", ["lane"], sqlite_where=woken, postgresql_where=woken)
