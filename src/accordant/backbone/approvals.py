"""Asking people: the question is durable before the transaction sleeps, and the answer holds for what was shown.

A transaction asks once for one payload. Whoever decides is looked at twice: when they decide, and again when the
transaction goes on. A payload that changed is another question.
"""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from accordant.backbone.rows import ApprovalRow, DecisionRow, TransactionRow, approval_table, decision_table
from accordant.backbone.tools import Tools
from accordant.backbone.waits import Pause
from accordant.governance.approvals import Kind, Routing, is_same_person, route, why_not
from accordant.governance.estate import Estate
from accordant.kernel.database import Changes, rows_of
from accordant.kernel.errors import Terminal
from accordant.kernel.ids import canonical_json, digest
from accordant.kernel.money import Money
from accordant.telemetry.audit import AuditEntry, record

APPROVED, REJECTED, EXPIRED = "approved", "rejected", "expired"
"""Verdicts."""
NOBODY_ASKED = "accordant"
_HOUR_MS = 3_600_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a flow wants agreed."""

    kind: str
    """Kind of `approvals.yaml`."""
    what: str
    """One sentence: what would be done."""
    amount: Money
    recent: Money
    """What the same party was given within the kind's window, the amount itself apart."""
    payload: Any
    """The canonical command that would be carried out."""
    requested_by: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    is_approved: bool
    actor: str
    """Who decided; `accordant` where the rule needs nobody's word."""
    note: str
    rule: str
    """Why somebody was asked, or nobody."""
    approval_id: str = ""
    """Empty where nobody was asked."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The newest question of a step, and its answer."""

    approval: ApprovalRow
    decision: DecisionRow | None


async def agreed(row: TransactionRow, name: str, *, asked: Asked, estate: Estate, tools: Tools) -> Decision:
    """What was decided, now or before. Raises Pause while it is open, and Terminal where nobody may or nobody did."""
    routing = routing_of(estate, asked)
    if routing.is_automatic:
        return Decision(is_approved=True, actor=NOBODY_ASKED, note="", rule=routing.rule)
    found = await tools.database.read(lambda connection: newest(connection, row, name=name))
    now_ms, payload = tools.clock.now_ms(), payload_hash(asked)
    if found is None or found.approval.payload_hash != payload or _lapsed(found, tools):
        before, after_ms = (found.approval.approval_id, found.approval.opened_at_ms) if found else ("", 0)
        # Later than the one it follows, also within one millisecond: the newest question is the one that counts.
        posing = Posing(name=name, routing=routing, follows=before, now_ms=max(now_ms, after_ms + 1))
        following = question(row, asked, posing=posing, estate=estate)
        changes = Changes()
        ask(changes, following)
        await tools.writer.commit(changes, at="approval.ask")
        raise sleep_until_decided(following, now_ms=now_ms)
    approval, decision = found.approval, found.decision
    if decision is not None:
        return Decision(
            is_approved=decision.verdict == APPROVED,
            actor=decision.actor,
            note=decision.note,
            rule=approval.rule,
            approval_id=approval.approval_id,
        )
    if now_ms < approval.expires_at_ms:
        raise sleep_until_decided(approval, now_ms=now_ms)
    changes = Changes()
    answer(changes, approval, decision=_expired(approval, version=estate.version, at_ms=now_ms))
    await tools.writer.commit(changes, at="approval.expire")
    raise nobody_answered(approval)


def _lapsed(found: Answered, tools: Tools) -> bool:
    """Whether it must be asked anew: nobody answered, or who agreed may not do so any more."""
    if found.decision is None or found.decision.verdict == REJECTED:
        return False
    if found.decision.verdict == EXPIRED:
        return True
    estate, now_ms = tools.estate_now(), tools.clock.now_ms()
    return bool(may_not(estate, found.approval, actor=found.decision.actor, at_ms=now_ms))


def _expired(approval: ApprovalRow, *, version: int, at_ms: int) -> DecisionRow:
    return DecisionRow(
        approval_id=approval.approval_id,
        verdict=EXPIRED,
        actor=NOBODY_ASKED,
        note="nobody decided in time",
        estate_version=version,
        at_ms=at_ms,
    )


def payload_hash(asked: Asked) -> str:
    """What a decision is bound to: exactly what would be written."""
    return digest("payload", canonical_json(asked.payload).decode())


def routing_of(estate: Estate, asked: Asked) -> Routing:
    """Who must agree, by the estate.

    Raises:
        Terminal: `approval.nobody_may`: no role of the estate may agree to so much.
    """
    routing = route(estate.approvals, asked.kind, amount=asked.amount, recent=asked.recent)
    if not routing.is_automatic and not routing.roles:
        raise Terminal(
            f"nobody may agree to this: {routing.rule}",
            code="approval.nobody_may",
            hint="give a role of approvals.yaml the limit, or have the request made smaller; then retry",
            detail={"cause": f"no role of approvals.yaml may agree to {asked.kind} of {asked.amount}"},
        )
    return routing


def newest(connection: Connection, row: TransactionRow, *, name: str) -> Answered | None:
    """The question that a step asked last."""
    c = approval_table.c
    query = (
        select(approval_table)
        .where(c.transaction_id == row.transaction_id, c.name == name)
        .order_by(c.opened_at_ms.desc(), c.approval_id)
        .limit(1)
    )
    found = rows_of(connection, query, ApprovalRow)
    return Answered(approval=found[0], decision=decision_on(connection, found[0].approval_id)) if found else None


def decision_on(connection: Connection, approval_id: str) -> DecisionRow | None:
    """The answer to a question; None while it is open."""
    found = rows_of(connection, select(decision_table).where(decision_table.c.approval_id == approval_id), DecisionRow)
    return found[0] if found else None


class Posing(msgspec.Struct, frozen=True, kw_only=True):
    """How a question is put."""

    name: str
    """Name of the flow's step."""
    routing: Routing
    follows: str
    """Id of the question before it, whose answer does not hold any more; empty for the first."""
    now_ms: int


def question(row: TransactionRow, asked: Asked, *, posing: Posing, estate: Estate) -> ApprovalRow:
    """The question as stored."""
    hashed = payload_hash(asked)
    kind: Kind = estate.approvals.kinds[asked.kind]
    return ApprovalRow(
        approval_id="apv-"
        + digest("approval", row.tenant, row.transaction_id, posing.name, hashed, posing.follows)[:20],
        tenant=row.tenant,
        transaction_id=row.transaction_id,
        correlation_id=row.correlation_id,
        name=posing.name,
        kind=asked.kind,
        subject=row.subject,
        party=row.party,
        what=asked.what,
        amount_minor=asked.amount.amount_minor,
        counted_minor=(asked.amount + asked.recent).amount_minor,
        currency=asked.amount.currency,
        payload=canonical_json(asked.payload).decode(),
        payload_hash=hashed,
        rule=posing.routing.rule,
        roles=msgspec.json.encode(posing.routing.roles).decode(),
        estate_version=estate.version,
        requested_by=asked.requested_by,
        opened_at_ms=posing.now_ms,
        escalates_at_ms=posing.now_ms + kind.escalate_after_h * _HOUR_MS,
        expires_at_ms=posing.now_ms + kind.expire_after_h * _HOUR_MS,
    )


def ask(changes: Changes, approval: ApprovalRow) -> None:
    """Put the question into a commit."""
    changes.add(approval_table, approval)
    detail = {"rule": approval.rule, "roles": roles_of(approval), "payload": approval.payload_hash}
    record(changes, _entry(approval, "approval.asked", at_ms=approval.opened_at_ms, detail=detail))


def answer(changes: Changes, approval: ApprovalRow, *, decision: DecisionRow) -> None:
    """Put the answer into a commit; where one is there already, this one changes nothing."""
    changes.add(decision_table, decision)
    detail = {"verdict": decision.verdict, "note": decision.note, "estate": decision.estate_version}
    action = f"approval.{decision.verdict}"
    record(changes, _entry(approval, action, at_ms=decision.at_ms, detail=detail, actor=decision.actor))


def may_not(estate: Estate, approval: ApprovalRow, *, actor: str, at_ms: int) -> str:
    """The reason why somebody may not decide a question; empty where they may."""
    on = day_of(at_ms)
    counted = Money(approval.counted_minor, approval.currency)
    if is_same_person(estate.approvals, left=actor, right=approval.requested_by, on=on):
        return f"{actor} asked for it; somebody else must decide"
    return why_not(estate.approvals, actor, roles=roles_of(approval), amount=counted, on=on)


def sleep_until_decided(approval: ApprovalRow, *, now_ms: int) -> Pause:
    """Nobody has answered yet: wake to ask the next role, and once more when the time is over."""
    escalates_ms, expires_ms = approval.escalates_at_ms, approval.expires_at_ms
    return Pause("approval", wake_at_ms=escalates_ms if now_ms < escalates_ms < expires_ms else expires_ms)


def roles_of(approval: ApprovalRow) -> tuple[str, ...]:
    """Who is asked, the first one first."""
    return msgspec.json.decode(approval.roles, type=tuple[str, ...])


def asked_now(approval: ApprovalRow, now_ms: int) -> str:
    """The role whose turn it is; the others of the question may answer all the same."""
    roles = roles_of(approval)
    return roles[min(now_ms >= approval.escalates_at_ms, len(roles) - 1)]


def turn_ends_ms(approval: ApprovalRow, now_ms: int) -> int:
    """Until when it is the turn of whoever is asked now."""
    escalates_ms = approval.escalates_at_ms
    passed_on = now_ms >= escalates_ms or len(roles_of(approval)) == 1
    return approval.expires_at_ms if passed_on else min(escalates_ms, approval.expires_at_ms)


def day_of(at_ms: int) -> date:
    """The day, in UTC, that an instant falls on."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def nobody_answered(approval: ApprovalRow) -> Terminal:
    """The problem of a question whose time is over."""
    return Terminal(
        f"nobody decided in time: {approval.what}",
        code="approval.expired",
        hint="retrying asks again, with the time that approvals.yaml gives",
        detail={"cause": f"nobody decided over {approval.kind} in time", "approval": approval.approval_id},
    )


def _entry(
    approval: ApprovalRow, action: str, *, at_ms: int, detail: dict[str, Any], actor: str = "accordant"
) -> AuditEntry:
    return AuditEntry(
        at_ms=at_ms,
        tenant=approval.tenant,
        correlation_id=approval.correlation_id,
        transaction_id=approval.transaction_id,
        action=action,
        subject=approval.approval_id,
        actor=actor,
        detail=detail,
    )
