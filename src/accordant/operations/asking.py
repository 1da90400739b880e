"""Whoever's turn it is to decide is told: when a question comes up, when it is passed on, and when its time is over."""

import msgspec
from sqlalchemy import Connection, exists, select

from accordant.backbone.approvals import asked_now, roles_of, turn_ends_ms
from accordant.backbone.rows import ApprovalRow, AskedRow, ExceptionRow, approval_table, asked_table, decision_table
from accordant.kernel.clock import utc_text
from accordant.kernel.database import Changes, rows_of
from accordant.telemetry.audit import AuditEntry, record

ASKED, ESCALATED, EXPIRED = "approval.asked", "approval.escalated", "approval.expired"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner is told about one cause, or a role about one question."""

    at: str
    owner: str
    severity: str
    code: str
    cause: str
    cause_group: str
    items: int
    amount_minor: dict[str, int]
    """Money at stake by currency."""
    example: str
    """The message of the first item; of a question, the rule by which somebody is asked."""
    hint: str
    deadline: str


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A question, and whose turn it is to answer it."""

    approval: ApprovalRow
    turn: int
    role: str


def untold(connection: Connection, *, now_ms: int, limit: int) -> list[Turn]:
    """Open questions whose turn nobody was told of, the oldest first."""
    c = approval_table.c
    answered = exists().where(decision_table.c.approval_id == c.approval_id)
    is_passed_on = c.escalates_at_ms <= now_ms
    first = exists().where(asked_table.c.approval_id == c.approval_id)
    later = exists().where(asked_table.c.approval_id == c.approval_id, asked_table.c.turn == 1)
    query = (
        select(approval_table)
        .where(~answered, c.expires_at_ms > now_ms, ~first | (is_passed_on & ~later))
        .order_by(c.opened_at_ms)
        .limit(limit)
    )
    found = rows_of(connection, query, ApprovalRow)
    return [Turn(approval=one, turn=int(now_ms >= one.escalates_at_ms), role=asked_now(one, now_ms)) for one in found]


def notice_of(one: Turn, *, at_ms: int) -> Notice:
    """What the role is told."""
    approval = one.approval
    return _notice(
        approval,
        at_ms=at_ms,
        told=(ESCALATED if one.turn else ASKED, one.role),
        deadline_ms=turn_ends_ms(approval, at_ms),
        hint=f"accordant approval show {approval.approval_id}",
    )


def time_is_over(connection: Connection, items: list[ExceptionRow]) -> list[tuple[ExceptionRow, ApprovalRow]]:
    """The questions that these open items say nobody answered."""
    named = {_question_of(item): item for item in items if item.code == EXPIRED}
    query = select(approval_table).where(approval_table.c.approval_id.in_(named))
    return [(named[one.approval_id], one) for one in rows_of(connection, query, ApprovalRow)] if named else []


def notice_of_the_end(item: ExceptionRow, approval: ApprovalRow, *, at_ms: int) -> Notice:
    """What the role that let it lie is told."""
    return _notice(
        approval,
        at_ms=at_ms,
        told=(EXPIRED, asked_now(approval, at_ms)),
        deadline_ms=item.deadline_ms,
        hint=f"{item.owner} may have it asked again: accordant exception retry {item.exception_id}",
    )


def note(changes: Changes, one: Turn, *, at_ms: int, channel: str) -> None:
    """Remember that the role was told."""
    approval = one.approval
    for turn in range(one.turn + 1):  # who is told late is not told of the turn before
        row = AskedRow(approval_id=approval.approval_id, turn=turn, role=one.role, at_ms=at_ms)
        changes.add(asked_table, row)
    detail = {"role": one.role, "turn": one.turn, "channel": channel}
    entry = AuditEntry(
        at_ms=at_ms,
        tenant=approval.tenant,
        correlation_id=approval.correlation_id,
        transaction_id=approval.transaction_id,
        action="approval.told",
        subject=approval.approval_id,
        detail=detail,
    )
    record(changes, entry)


def _notice(approval: ApprovalRow, *, at_ms: int, told: tuple[str, str], deadline_ms: int, hint: str) -> Notice:
    code, role = told
    return Notice(
        at=utc_text(at_ms),
        owner=role,
        severity="medium" if code == ASKED else "high",
        code=code,
        cause=approval.what,
        cause_group=approval.approval_id,
        items=1,
        amount_minor={approval.currency: approval.amount_minor},
        example=f"{approval.rule} (asked: {', then '.join(roles_of(approval))})",
        hint=hint,
        deadline=utc_text(deadline_ms),
    )


def _question_of(item: ExceptionRow) -> str:
    return str(msgspec.json.decode(item.detail).get("approval", ""))
