"""What the platform is doing about it: transactions, effects, memos, exceptions."""

import msgspec
from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from accordant.backbone.rows.partial import only_where
from accordant.kernel.database import FIXED, metadata


class TransactionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One business transaction: one fact handled by one flow.

    `turn` is its place in its lane: 0 waits for its turn, 1 has it, 2 has left the lane. `due_rank` is set exactly
    while the engine should drive it; `wake_at_ms` while it waits for an instant.
    """

    transaction_id: str
    tenant: str
    flow: str
    flow_version: int
    event_id: str
    correlation_id: str
    subject: str
    party: str
    lane: str
    lane_seq: int
    turn: int
    priority: int
    state: str
    waiting_for: str
    expects_type: str
    expects_subject: str
    due_rank: int | None
    wake_at_ms: int | None
    estate_version: int
    drives: int
    amount_minor: int | None
    currency: str
    effects: int
    waivers: str
    opened_at_ms: int
    changed_at_ms: int
    ended_at_ms: int | None


transaction_table = Table(
    "business_transaction",
    metadata,
    Column("transaction_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("flow_version", Integer, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("party", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("lane_seq", BigInteger, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("waiting_for", Text, nullable=False),
    Column("expects_type", Text, nullable=False),
    Column("expects_subject", Text, nullable=False),
    Column("due_rank", BigInteger),
    Column("wake_at_ms", BigInteger),
    Column("estate_version", Integer, nullable=False),
    Column("drives", Integer, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text, nullable=False),
    Column("effects", Integer, nullable=False),
    Column("waivers", Text, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
)

_tx = transaction_table.c
Index("transaction_due", _tx.due_rank, **only_where("due_rank IS NOT NULL"))
Index("transaction_wakes", _tx.wake_at_ms, **only_where("wake_at_ms IS NOT NULL"))
Index("transaction_queue", _tx.lane, _tx.lane_seq, **only_where("turn = 0"))
Index("transaction_woken", _tx.lane, **only_where("waiting_for = 'lane again'"))
Index("transaction_head", _tx.lane, unique=True, **only_where("turn = 1"))
Index("transaction_open", _tx.state, **only_where("state <> 'completed'"))
Index("transaction_expects", _tx.expects_subject, **only_where("expects_subject <> ''"))
Index("transaction_subject", _tx.subject)
Index("transaction_event", _tx.event_id)


class EffectRow(msgspec.Struct, frozen=True, kw_only=True):
    """One outbound write in one logical version.

    `state`: intended, sent, confirmed, rejected or unknown; `checked` is the read-back: empty, verified, superseded
    or different.
    """

    transaction_id: str
    name: str
    version: int
    n: int
    tenant: str
    system: str
    connection: str
    verb: str
    kind: str
    effect_class: str
    business_id: str
    key: str
    input_hash: str
    command: str
    state: str
    attempts: int
    redriven: int
    first_sent_at_ms: int | None
    """At the earliest: a process that died may have sent it unrecorded, from the transaction's last commit on."""
    confirmed_at_ms: int | None
    own: int
    native_id: str
    receipt: str
    status: int | None
    request_hash: str
    response_hash: str
    error: str
    expected: str
    checked: str
    checked_at_ms: int | None
    check_note: str


effect_table = Table(
    "effect",
    metadata,
    Column("transaction_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("n", Integer, nullable=False, comment="order within the transaction"),
    Column("tenant", Text, nullable=False, info=FIXED),
    Column("system", Text, nullable=False, info=FIXED),
    Column("connection", Text, nullable=False, info=FIXED),
    Column("verb", Text, nullable=False, info=FIXED),
    Column("kind", Text, nullable=False, info=FIXED),
    Column("effect_class", Text, nullable=False, info=FIXED),
    Column("business_id", Text, nullable=False, info=FIXED),
    Column("key", Text, nullable=False, info=FIXED),
    Column("input_hash", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("redriven", Integer, nullable=False, comment="sent again after a restart"),
    Column("first_sent_at_ms", BigInteger),
    Column("confirmed_at_ms", BigInteger),
    Column("own", Integer, nullable=False, comment="0: the record was there before this effect"),
    Column("native_id", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("status", Integer),
    Column("request_hash", Text, nullable=False),
    Column("response_hash", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("expected", Text, nullable=False),
    Column("checked", Text, nullable=False),
    Column("checked_at_ms", BigInteger),
    Column("check_note", Text, nullable=False),
)
_effect = effect_table.c
Index(
    "effect_to_check",
    _effect.system,
    _effect.kind,
    _effect.confirmed_at_ms,
    **only_where("state = 'confirmed' AND checked = ''"),
)
Index("effect_record", _effect.business_id, _effect.kind, _effect.connection)


class MemoRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow found out or decided under a name, so that a second drive finds out the same."""

    transaction_id: str
    name: str
    n: int
    kind: str
    input_hash: str
    result: str
    at_ms: int


memo_table = Table(
    "memo",
    metadata,
    Column("transaction_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("kind", Text, nullable=False, comment="check, recall, keep, until, expect, waiver"),
    Column("input_hash", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)


class ExceptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person has to look at, of a transaction or of a message. `state`: open, released or resolved."""

    exception_id: str
    tenant: str
    transaction_id: str
    message_id: str
    cause_group: str
    code: str
    cause_class: str
    severity: str
    owner: str
    title: str
    message: str
    hint: str
    detail: str
    subject: str
    step: str
    amount_minor: int | None
    currency: str
    opened_at_ms: int
    deadline_ms: int
    state: str
    closed_at_ms: int | None
    closed_by: str
    correlation_id: str
    told: int = 0
    """1 once its owner was told."""


exception_table = Table(
    "exception",
    metadata,
    Column("exception_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("cause_group", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("cause_class", Text, nullable=False, comment="technical, data, process"),
    Column("severity", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("title", Text, nullable=False, comment="one sentence for the whole cause group"),
    Column("message", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("closed_at_ms", BigInteger),
    Column("closed_by", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("told", Integer, nullable=False),
)
Index("exception_open", exception_table.c.cause_group, **only_where("state = 'open'"))
Index("exception_untold", exception_table.c.opened_at_ms, **only_where("told = 0 AND state = 'open'"))
Index("exception_of_transaction", exception_table.c.transaction_id)
