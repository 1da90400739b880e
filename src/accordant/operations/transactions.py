"""Where every business transaction stands: lists, search by any id, and everything known about one of them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from accordant.backbone.rows import (
    EffectRow,
    EventRow,
    ExceptionRow,
    MemoRow,
    TransactionRow,
    effect_table,
    event_table,
    exception_table,
    inbox_table,
    memo_table,
    transaction_table,
)
from accordant.kernel.database import rows_of
from accordant.kernel.errors import Malformed
from accordant.telemetry.audit import audit_table

LIMIT_MAX = 1000
_PREFIX_MIN = 4
_tx = transaction_table.c


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which transactions to list; what is empty does not narrow."""

    tenant: str
    state: str = ""
    flow: str = ""
    about: str = ""
    """Any id: of the transaction (or its beginning), of the business thing, of a record in one of the systems; or the
    customer's whole name, in any case."""
    party: str = ""
    """Part of the customer's name, in any case."""
    cause_group: str = ""
    """Those with an open exception of this cause."""
    limit: int = 50
    after: str = ""
    """`next` of the page before."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction in a list."""

    transaction_id: str
    flow: str
    state: str
    waiting_for: str
    subject: str
    party: str
    amount_minor: int | None
    currency: str
    effects_confirmed: int
    effects_verified: int
    effects_unverified: int
    """Confirmed, and not read back yet or read back as something else."""
    waivers: str
    opened_at_ms: int
    ended_at_ms: int | None

    @property
    def is_green(self) -> bool:
        """Completed, nothing waived, and a read-back has shown every effect again."""
        proved = self.effects_verified > 0 and not self.effects_unverified
        return self.state == "completed" and proved and not self.waivers


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions, newest first."""

    transactions: tuple[Listed, ...]
    next: str = ""
    """Cursor of the following page; empty at the end."""


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """How the fact reached us, without its content."""

    message_id: str
    connection: str
    stream: str
    delivery_id: str
    body_hash: str
    received_at_ms: int
    state: str
    note: str


class AuditLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit."""

    segment: str
    n: int
    at_ms: int
    action: str
    subject: str
    actor: str
    detail: dict[str, Any]
    hash: str


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one transaction."""

    transaction: TransactionRow
    event: EventRow | None
    message: Arrived | None
    decisions: tuple[MemoRow, ...]
    effects: tuple[EffectRow, ...]
    """Every logical version, in the order of the flow."""
    exceptions: tuple[ExceptionRow, ...]
    audit: tuple[AuditLine, ...]


_PAGES = "ask for fewer, and for the next page with the cursor that this one ends with"


def find(connection: Connection, search: Search) -> Page:
    """One page of transactions.

    Raises:
        Malformed: a cursor that is none, or a limit below 1 or above 1000.
    """
    if not 1 <= search.limit <= LIMIT_MAX:
        raise Malformed(f"limit is {search.limit}; expected 1 to {LIMIT_MAX}", code="search.limit", hint=_PAGES)
    query = (
        select(transaction_table)
        .where(*_conditions(search))
        .order_by(_tx.opened_at_ms.desc(), _tx.transaction_id.desc())
        .limit(search.limit + 1)
    )
    rows = rows_of(connection, query, TransactionRow)
    shown, last = rows[: search.limit], rows[search.limit - 1] if len(rows) > search.limit else None
    return Page(
        transactions=_listed(connection, shown),
        next=f"{last.opened_at_ms}.{last.transaction_id}" if last else "",
    )


def story(connection: Connection, transaction_id: str) -> Story | None:
    """One transaction with all that belongs to it, or None."""
    found = connection.execute(select(transaction_table).where(_tx.transaction_id == transaction_id)).mappings().first()
    if found is None:
        return None
    row = TransactionRow(**found)
    event = connection.execute(select(event_table).where(event_table.c.event_id == row.event_id)).mappings().first()
    memo, effect, item = memo_table.c, effect_table.c, exception_table.c
    memos = select(memo_table).where(memo.transaction_id == transaction_id).order_by(memo.n, memo.name)
    effects = (
        select(effect_table)
        .where(effect.transaction_id == transaction_id)
        .order_by(effect.n, effect.name, effect.version)
    )
    items = select(exception_table).where(item.transaction_id == transaction_id).order_by(item.opened_at_ms)
    return Story(
        transaction=row,
        event=EventRow(**event) if event else None,
        message=_arrived(connection, event["message_id"]) if event else None,
        decisions=tuple(rows_of(connection, memos, MemoRow)),
        effects=tuple(rows_of(connection, effects, EffectRow)),
        exceptions=tuple(rows_of(connection, items, ExceptionRow)),
        audit=audit_of(connection, transaction_id),
    )


def audit_of(connection: Connection, transaction_id: str) -> tuple[AuditLine, ...]:
    """The audit entries of one transaction, in the order of time."""
    columns = audit_table.c
    query = (
        select(audit_table)
        .where(columns.transaction_id == transaction_id)
        .order_by(columns.at_ms, columns.segment, columns.n)
    )
    return tuple(
        AuditLine(
            segment=row.segment,
            n=row.n,
            at_ms=row.at_ms,
            action=row.action,
            subject=row.subject,
            actor=row.actor,
            detail=msgspec.json.decode(row.detail, type=dict[str, Any]),
            hash=row.hash,
        )
        for row in connection.execute(query)
    )


def _conditions(search: Search) -> list[ColumnElement[bool]]:
    conditions = [_tx.tenant == search.tenant]
    if search.state:
        conditions.append(_tx.state == search.state)
    if search.flow:
        conditions.append(_tx.flow == search.flow)
    if search.about:
        conditions.append(_is_about(search.about))
    if search.party:
        conditions.append(func.lower(_tx.party).contains(search.party.lower(), autoescape=True))
    if search.cause_group:
        item = exception_table.c
        parked = select(item.transaction_id).where(item.cause_group == search.cause_group, item.state == "open")
        conditions.append(_tx.transaction_id.in_(parked))
    if search.after:
        conditions.append(_older_than(search.after))
    return conditions


def _is_about(word: str) -> ColumnElement[bool]:
    effect, event = effect_table.c, event_table.c
    written = select(effect.transaction_id).where(or_(effect.native_id == word, effect.business_id == word))
    told = select(event.event_id).where(event.source.endswith(f"/{word}", autoescape=True))
    ways = [
        _tx.subject == word,
        _tx.correlation_id == word,
        _tx.event_id == word,
        func.lower(_tx.party) == word.lower(),
        _tx.event_id.in_(told),
        _tx.transaction_id.in_(written),
    ]
    beginning = word if word.startswith("tx-") else f"tx-{word}"
    if len(beginning) >= len("tx-") + _PREFIX_MIN:
        ways.append(_tx.transaction_id.startswith(beginning, autoescape=True))
    return or_(*ways)


def _older_than(cursor: str) -> ColumnElement[bool]:
    at, dot, transaction_id = cursor.partition(".")
    if not (at.isdecimal() and dot and transaction_id):
        raise Malformed(f"{cursor[:60]!r} is not a cursor; expected `next` of the page before", code="search.cursor")
    at_ms = int(at)
    return or_(_tx.opened_at_ms < at_ms, and_(_tx.opened_at_ms == at_ms, _tx.transaction_id < transaction_id))


def _listed(connection: Connection, rows: Sequence[TransactionRow]) -> tuple[Listed, ...]:
    effect = effect_table.c
    query = (
        select(effect.transaction_id, effect.checked, func.count().label("effects"))
        .where(effect.transaction_id.in_([row.transaction_id for row in rows]), effect.state == "confirmed")
        .group_by(effect.transaction_id, effect.checked)
    )
    counts: dict[str, dict[str, int]] = {}
    for one in connection.execute(query):
        counts.setdefault(one.transaction_id, {})[one.checked] = one.effects
    return tuple(_one_listed(row, counts.get(row.transaction_id, {})) for row in rows)


def _one_listed(row: TransactionRow, checked: dict[str, int]) -> Listed:
    return Listed(
        transaction_id=row.transaction_id,
        flow=row.flow,
        state=row.state,
        waiting_for=row.waiting_for,
        subject=row.subject,
        party=row.party,
        amount_minor=row.amount_minor,
        currency=row.currency,
        effects_confirmed=sum(checked.values()),
        effects_verified=checked.get("verified", 0),
        effects_unverified=checked.get("", 0) + checked.get("different", 0),
        waivers=row.waivers,
        opened_at_ms=row.opened_at_ms,
        ended_at_ms=row.ended_at_ms,
    )


def _arrived(connection: Connection, message_id: str) -> Arrived | None:
    columns = [inbox_table.c[name] for name in Arrived.__struct_fields__]
    found = connection.execute(select(*columns).where(inbox_table.c.message_id == message_id)).mappings().first()
    return Arrived(**found) if found else None
