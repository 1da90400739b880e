"""An exception is an open item: what stopped, why, who owns it, until when, and what can be done about it."""

from typing import Any

import msgspec

from accordant.backbone.rows import ExceptionRow, MessageRow, TransactionRow, exception_table
from accordant.governance.policies import Policies
from accordant.kernel.clock import Clock
from accordant.kernel.database import Changes
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_json, digest
from accordant.telemetry.audit import AuditEntry, record

HOUR_MS = 3_600_000


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A problem and where it was found."""

    problem: AccordantError
    step: str
    """The check or effect that stopped, or the stop of the journey such as `translate`."""
    policies: Policies


def policy_code(problem: AccordantError) -> str:
    """The code whose policy applies: whatever words a vendor refuses in, its system's owner is asked."""
    system = problem.detail.get("system")
    refused = problem.code == "vendor.rejected" or problem.detail.get("refused")
    return f"vendor.rejected.{system}" if refused and system else problem.code


def cause_of(problem: AccordantError) -> tuple[str, str]:
    """What items with the same cause have in common: a stable id, and a sentence for the whole group."""
    detail = problem.detail
    if "table" in detail:
        parts = (problem.code, str(detail["table"]), str(detail.get("value")))
        return digest("cause", *parts), f"{detail['table']} {detail.get('value')!r} is not in the reference table"
    if "cause" in detail:
        return digest("cause", problem.code, str(detail["cause"])), str(detail["cause"])
    if "system" in detail:
        parts = (problem.code, str(detail["system"]), str(detail.get("vendor_code", "")), str(detail.get("verb", "")))
        why, verb = detail.get("vendor_code") or problem.message, str(detail.get("verb", "act")).replace("_", " ")
        return digest("cause", *parts), f"{detail['system']} refused to {verb}: {why}"
    return digest("cause", problem.code, str(detail.get("field", ""))), _title(problem)


def _title(problem: AccordantError) -> str:
    field = problem.detail.get("field")
    return f"{problem.code} in {field}" if field else problem.code


def of_transaction(row: TransactionRow, found: Found, *, clock: Clock) -> ExceptionRow:
    """The open item of a transaction that stopped."""
    return _item(
        found,
        clock,
        transaction_id=row.transaction_id,
        occurrence=f"{row.transaction_id}/{row.drives}",
        tenant=row.tenant,
        subject=row.subject,
        amount_minor=row.amount_minor,
        currency=row.currency,
        correlation_id=row.correlation_id,
    )


def of_message(row: MessageRow, found: Found, *, clock: Clock) -> ExceptionRow:
    """The open item of a message that could not be understood."""
    return _item(
        found,
        clock,
        message_id=row.message_id,
        occurrence=row.message_id,
        tenant=row.tenant,
        subject=str(found.problem.detail.get("record", row.delivery_id)),
        correlation_id=row.correlation_id,
    )


def _item(found: Found, clock: Clock, *, occurrence: str, **fields: Any) -> ExceptionRow:
    problem = found.problem
    policy = found.policies.for_exception(policy_code(problem))
    group, title = cause_of(problem)
    now = clock.now_ms()
    about: dict[str, Any] = {"transaction_id": "", "message_id": "", "amount_minor": None, "currency": "", **fields}
    return ExceptionRow(
        **about,
        exception_id="exc-" + digest("exception", occurrence, group)[:20],
        cause_group=f"cause-{group[:12]}",
        code=problem.code,
        cause_class=policy.cause_class,
        severity=policy.severity,
        owner=str(problem.detail.get("owner") or policy.owner),
        title=title[:300],
        message=problem.message[:2000],
        hint=problem.hint,
        detail=canonical_json(problem.detail).decode(),
        step=found.step,
        opened_at_ms=now,
        deadline_ms=now + round(policy.deadline_h * HOUR_MS),
        state="open",
        closed_at_ms=None,
        closed_by="",
    )


def open_item(changes: Changes, item: ExceptionRow) -> None:
    """Put an open item into a commit; its owner is told by `operations.telling`, which finds it there."""
    changes.put(exception_table, item)
    detail = {"code": item.code, "owner": item.owner, "cause": item.cause_group, "severity": item.severity}
    record(changes, entry_about(item, "exception.opened", at_ms=item.opened_at_ms, detail=detail))


def entry_about(item: ExceptionRow, action: str, *, at_ms: int, detail: dict[str, Any]) -> AuditEntry:
    """An audit entry about an item."""
    return AuditEntry(
        at_ms=at_ms,
        tenant=item.tenant,
        correlation_id=item.correlation_id,
        transaction_id=item.transaction_id,
        action=action,
        subject=item.exception_id,
        detail=detail,
    )


FOLLOW_UPS = {"owner_told": "UPDATE exception SET told = 1 WHERE exception_id = :p"}
"""Marks an item whose owner was told, and touches nothing else of it."""


def close_item(changes: Changes, item: ExceptionRow, *, actor: str, at_ms: int, state: str = "resolved") -> None:
    """Close an item, saying who did it."""
    closed = msgspec.structs.replace(item, state=state, closed_at_ms=at_ms, closed_by=actor)
    changes.put(exception_table, closed)
    detail = {"code": item.code, "cause": item.cause_group}
    entry = entry_about(item, f"exception.{state}", at_ms=at_ms, detail=detail)
    record(changes, msgspec.structs.replace(entry, actor=actor))
