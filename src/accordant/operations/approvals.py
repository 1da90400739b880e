"""What waits for somebody's word, and giving it: looked at again under the estate as it is, and once only."""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, exists, select

from accordant.backbone import approvals, waits
from accordant.backbone.approvals import APPROVED, REJECTED, Answered
from accordant.backbone.rows import ApprovalRow, DecisionRow, approval_table, decision_table
from accordant.governance.estate import Estate
from accordant.kernel.database import Changes, rows_of
from accordant.kernel.errors import Refused
from accordant.operations.exceptions import DeskParts

_PREFIX_MIN = 6


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says to a question."""

    approve: bool
    actor: str
    note: str = ""


class ApprovalDesk:
    """Decides open questions, for whoever has the right to."""

    def __init__(self, parts: DeskParts, *, estate: Callable[[], Estate], wake: Callable[[], None]) -> None:
        self._parts = parts
        self._estate = estate
        self._wake = wake

    async def decide(self, approval_id: str, verdict: Verdict) -> DecisionRow:
        """Give an answer; it is durable when this returns, and the transaction goes on.

        Raises Refused: `approval.unknown`, `approval.decided`, `approval.expired`, `approval.not_yours`.
        """
        first = await self._find(approval_id)
        given: list[DecisionRow] = []

        async def act() -> None:
            found = await self._find(approval_id)
            decision = self._checked(found, verdict)
            changes = Changes()
            approvals.answer(changes, found.approval, decision=decision)
            waits.wake_decided(changes, found.approval.transaction_id)
            await self._parts.writer.commit(changes, at="approval.decide")
            given.append(decision)

        await self._parts.engine.alone([first.approval.transaction_id], act)
        self._wake()
        return given[0]

    async def _find(self, approval_id: str) -> Answered:
        tenant = self._parts.tenant
        found = await self._parts.database.read(lambda connection: called(connection, approval_id, tenant=tenant))
        if len(found) != 1:
            raise Refused(
                f"there is no approval {approval_id[:60]!r}",
                code="approval.unknown",
                hint="list what waits with `accordant approval list`",
            )
        return found[0]

    def _checked(self, found: Answered, verdict: Verdict) -> DecisionRow:
        approval, now_ms, estate = found.approval, self._parts.clock.now_ms(), self._estate()
        if found.decision is not None:
            raise Refused(
                f"{approval.approval_id} was {found.decision.verdict} by {found.decision.actor}; the first word counts",
                code="approval.decided",
                hint=f"see what came of it with `accordant tx show {approval.transaction_id}`",
            )
        if now_ms >= approval.expires_at_ms:
            raise Refused(
                f"the time to decide {approval.approval_id} is over",
                code="approval.expired",
                hint="retry its exception; it is asked again then",
            )
        refused = approvals.may_not(estate, approval, actor=verdict.actor, at_ms=now_ms)
        if refused:
            raise Refused(
                refused,
                code="approval.not_yours",
                hint="who may decide how much stands in approvals.yaml",
                detail={"roles": list(approvals.roles_of(approval))},
            )
        return DecisionRow(
            approval_id=approval.approval_id,
            verdict=APPROVED if verdict.approve else REJECTED,
            actor=verdict.actor,
            note=verdict.note,
            estate_version=estate.version,
            at_ms=now_ms,
        )


def waiting(connection: Connection, *, tenant: str, limit: int = 200) -> list[ApprovalRow]:
    """Open questions, the oldest first."""
    c = approval_table.c
    answered = exists().where(decision_table.c.approval_id == c.approval_id)
    query = select(approval_table).where(c.tenant == tenant, ~answered).order_by(c.opened_at_ms).limit(limit)
    return rows_of(connection, query, ApprovalRow)


def called(connection: Connection, name: str, *, tenant: str, limit: int = 20) -> list[Answered]:
    """Questions by their id, or by its beginning."""
    c = approval_table.c
    fits = c.approval_id == name
    if len(name) >= _PREFIX_MIN:
        fits |= c.approval_id.startswith(name, autoescape=True)
    query = select(approval_table).where(c.tenant == tenant, fits).order_by(c.opened_at_ms.desc()).limit(limit)
    found = rows_of(connection, query, ApprovalRow)
    return [Answered(approval=one, decision=approvals.decision_on(connection, one.approval_id)) for one in found]


def of_transaction(connection: Connection, transaction_id: str) -> list[Answered]:
    """What one transaction asked, in order."""
    c = approval_table.c
    query = select(approval_table).where(c.transaction_id == transaction_id).order_by(c.opened_at_ms)
    found = rows_of(connection, query, ApprovalRow)
    return [Answered(approval=one, decision=approvals.decision_on(connection, one.approval_id)) for one in found]
