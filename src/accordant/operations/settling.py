"""A person looked in the system and says whether a doubtful write was applied; then the transaction goes on.

Found: the effect counts as confirmed with the native id that the person gives, is read back like any other, and is
never sent again. Not found: it is proved absent by that person's word, and is sent under a new version of its key.
"""

from typing import Any

import msgspec

from accordant.backbone.ledger import entries
from accordant.backbone.ledger.decisions import CONFIRMED, MAYBE_APPLIED, REJECTED
from accordant.backbone.rows import EffectRow, ExceptionRow, effect_table
from accordant.canonical.operation import Receipt
from accordant.kernel.database import Changes
from accordant.kernel.errors import Unavailable
from accordant.telemetry.audit import AuditEntry, record

IN_DOUBT = "effect.in_doubt"
_replace = msgspec.structs.replace


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a person found in the system."""

    native_id: str
    """Of the record that the write made or changed; empty where there is none."""
    actor: str
    at_ms: int


def doubtful(item: ExceptionRow, effects: list[EffectRow]) -> EffectRow | None:
    """The effect that an item asks about: the latest version of its step, while nobody can say what became of it."""
    mine = [one for one in effects if (one.transaction_id, one.name) == (item.transaction_id, item.step)]
    latest = max(mine, key=lambda one: one.version, default=None)
    return latest if item.code == IN_DOUBT and latest is not None and latest.state in MAYBE_APPLIED else None


def settle(changes: Changes, effect: EffectRow, *, finding: Finding, correlation_id: str) -> None:
    """Put what the person found into a commit."""
    settled = _found(effect, finding) if finding.native_id else _absent(effect, finding)
    changes.put(effect_table, settled)
    detail: dict[str, Any] = {**entries.audit_detail(settled), "said_by": finding.actor}
    record(
        changes,
        AuditEntry(
            at_ms=finding.at_ms,
            tenant=effect.tenant,
            correlation_id=correlation_id,
            transaction_id=effect.transaction_id,
            action="effect.confirmed" if finding.native_id else "effect.absent",
            subject=effect.name,
            actor=finding.actor,
            detail=detail,
        ),
    )


def _found(effect: EffectRow, finding: Finding) -> EffectRow:
    receipt = Receipt(kind=effect.kind, native_id=finding.native_id, business_id=effect.business_id)
    return _replace(
        effect,
        state=CONFIRMED,
        confirmed_at_ms=finding.at_ms,
        own=1,
        native_id=finding.native_id,
        receipt=msgspec.json.encode(receipt).decode(),
        error="",
        checked="" if effect.expected not in {"", "{}"} else "superseded",
        check_note="" if effect.expected not in {"", "{}"} else f"{finding.actor} found it; nothing to read back",
    )


def _absent(effect: EffectRow, finding: Finding) -> EffectRow:
    said = Unavailable(f"{finding.actor} looked and did not find it", detail={"looked_up": True})
    return entries.failed(effect, REJECTED, problem=said)
