"""Everything the first release keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table and index."""
    _audit()
    _business_transaction()
    _crosswalk()
    _effect()
    _estate_version()
    _event()
    _exception()
    _identity()
    _inbox()
    _memo()
    _poll_cursor()
    _record()
    _watermark()


def _partial(name: str, table: str, *, columns: list[str], where: str, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("segment", sa.Text(), nullable=False, comment="one writing process has one segment"),
        sa.Column("n", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "n"),
    )


def _business_transaction() -> None:
    op.create_table(
        "business_transaction",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=False),
        sa.Column("flow_version", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("lane_seq", sa.BigInteger(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("waiting_for", sa.Text(), nullable=False),
        sa.Column("expects_type", sa.Text(), nullable=False),
        sa.Column("expects_subject", sa.Text(), nullable=False),
        sa.Column("due_rank", sa.BigInteger()),
        sa.Column("wake_at_ms", sa.BigInteger()),
        sa.Column("estate_version", sa.Integer(), nullable=False),
        sa.Column("drives", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("effects", sa.Integer(), nullable=False),
        sa.Column("waivers", sa.Text(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("changed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("transaction_id"),
    )
    _partial("transaction_due", "business_transaction", columns=["due_rank"], where="due_rank IS NOT NULL")
    op.create_index("transaction_event", "business_transaction", ["event_id"])
    _partial("transaction_expects", "business_transaction", columns=["expects_subject"], where="expects_subject <> ''")
    _partial("transaction_head", "business_transaction", columns=["lane"], where="turn = 1", unique=True)
    _partial("transaction_open", "business_transaction", columns=["state"], where="state <> 'completed'")
    _partial("transaction_queue", "business_transaction", columns=["lane", "lane_seq"], where="turn = 0")
    op.create_index("transaction_subject", "business_transaction", ["subject"])
    _partial("transaction_wakes", "business_transaction", columns=["wake_at_ms"], where="wake_at_ms IS NOT NULL")


def _crosswalk() -> None:
    op.create_table(
        "crosswalk",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("canonical_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("native_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "noun", "canonical_id", "system"),
        sa.UniqueConstraint("tenant", "noun", "system", "native_id", name="crosswalk_native"),
    )


def _effect() -> None:
    op.create_table(
        "effect",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("n", sa.Integer(), nullable=False, comment="order within the transaction"),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("effect_class", sa.Text(), nullable=False),
        sa.Column("business_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("redriven", sa.Integer(), nullable=False, comment="sent again after a restart"),
        sa.Column("first_sent_at_ms", sa.BigInteger()),
        sa.Column("confirmed_at_ms", sa.BigInteger()),
        sa.Column("own", sa.Integer(), nullable=False, comment="0: the record was there before this effect"),
        sa.Column("native_id", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("response_hash", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("checked", sa.Text(), nullable=False),
        sa.Column("checked_at_ms", sa.BigInteger()),
        sa.Column("check_note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "name", "version"),
    )
    op.create_index("effect_record", "effect", ["business_id", "kind", "connection"])
    unchecked = "state = 'confirmed' AND checked = ''"
    _partial("effect_to_check", "effect", columns=["system", "kind", "confirmed_at_ms"], where=unchecked)


def _estate_version() -> None:
    op.create_table(
        "estate_version",
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n"),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("producer", sa.Text(), nullable=False),
        sa.Column("ordering_key", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("event_source", "event", ["source"])
    op.create_index("event_subject", "event", ["subject"])


def _exception() -> None:
    op.create_table(
        "exception",
        sa.Column("exception_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("cause_group", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("cause_class", sa.Text(), nullable=False, comment="technical, data, process"),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False, comment="one sentence for the whole cause group"),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger()),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger()),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("exception_id"),
    )
    op.create_index("exception_of_transaction", "exception", ["transaction_id"])
    _partial("exception_open", "exception", columns=["cause_group"], where="state = 'open'")
    _partial("exception_untold", "exception", columns=["opened_at_ms"], where="told = 0 AND state = 'open'")


def _identity() -> None:
    op.create_table(
        "identity",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "value", "customer_id"),
    )
    op.create_index("identity_of_customer", "identity", ["tenant", "customer_id"])


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
    )
    _partial("inbox_unread", "inbox", columns=["received_at_ms"], where="state = 'kept'")


def _memo() -> None:
    op.create_table(
        "memo",
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="check, recall, keep, until, expect, waiver"),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transaction_id", "name"),
    )


def _poll_cursor() -> None:
    op.create_table(
        "poll_cursor",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "stream"),
    )


def _record() -> None:
    op.create_table(
        "record",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("noun", sa.Text(), nullable=False),
        sa.Column("canonical_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "noun", "canonical_id", "version"),
    )


def _watermark() -> None:
    op.create_table(
        "watermark",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source_record", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source_record"),
    )
