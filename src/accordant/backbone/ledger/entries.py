"""How an effect's row changes: intended, sent, confirmed, rejected, unknown. Pure; the ledger commits the results."""

from typing import Any

import msgspec

from accordant.backbone.ledger.decisions import CONFIRMED, INTENDED, MAYBE_APPLIED, REJECTED, SENT, UNKNOWN
from accordant.backbone.rows import EffectRow, TransactionRow
from accordant.canonical.operation import Applied, Operation, Receipt
from accordant.kernel.errors import AccordantError, Rejected, Unknown
from accordant.kernel.ids import canonical_json, digest, effect_key

__all__ = ["CONFIRMED", "INTENDED", "MAYBE_APPLIED", "REJECTED", "SENT", "UNKNOWN"]

_replace = msgspec.structs.replace


def input_hash(operation: Operation) -> str:
    """Equal for the same verb with the same command; a flow that asks otherwise is not deterministic."""
    return digest("input", operation.connection, operation.verb, canonical_json(operation.command).decode())


def intend(row: TransactionRow, name: str, *, operation: Operation, n: int, version: int = 1) -> EffectRow:
    """A new effect, or the next logical version of one that was proved not to have happened."""
    scope = operation.business_id if operation.master_data else row.transaction_id
    key_name = operation.verb if operation.master_data else name
    return EffectRow(
        transaction_id=row.transaction_id,
        name=name,
        version=version,
        n=n,
        tenant=row.tenant,
        system=operation.system,
        connection=operation.connection,
        verb=operation.verb,
        kind=operation.kind,
        effect_class=operation.effect_class.value,
        business_id=operation.business_id,
        key=effect_key(tenant=row.tenant, scope=f"{operation.connection}/{scope}", name=key_name, version=version),
        input_hash=input_hash(operation),
        command=canonical_json(operation.command).decode(),
        state=INTENDED,
        attempts=0,
        redriven=0,
        first_sent_at_ms=None,
        confirmed_at_ms=None,
        own=0,
        native_id="",
        receipt="",
        status=None,
        request_hash="",
        response_hash="",
        error="",
        expected=canonical_json(operation.expected).decode() if operation.expected else "",
        checked="",
        checked_at_ms=None,
        check_note="",
    )


def sent(effect: EffectRow, *, at_ms: int) -> EffectRow:
    """About to be sent, again or for the first time."""
    return _replace(
        effect,
        state=SENT,
        attempts=effect.attempts + 1,
        first_sent_at_ms=effect.first_sent_at_ms if effect.first_sent_at_ms is not None else at_ms,
    )


def confirmed(effect: EffectRow, operation: Operation, *, applied: Applied, at_ms: int) -> EffectRow:
    """The system said it holds the record."""
    may_be_ours = effect.attempts > 1 and not operation.master_data
    return _replace(
        effect,
        state=CONFIRMED,
        confirmed_at_ms=at_ms,
        own=0 if applied.already and not may_be_ours else 1,
        native_id=applied.receipt.native_id,
        receipt=msgspec.json.encode(applied.receipt).decode(),
        status=applied.status,
        request_hash=applied.request_sha256,
        response_hash=applied.response_sha256,
        error="",
        checked="" if operation.expected else "superseded",
        check_note="" if operation.expected else "nothing to read back",
    )


def failed(effect: EffectRow, state: str, *, problem: AccordantError) -> EffectRow:
    """Rejected, unknown, or back to intended when it was surely not applied."""
    return _replace(effect, state=state, error=canonical_json(problem.as_dict()).decode())


def receipt_of(effect: EffectRow) -> Receipt:
    """The receipt that a confirmed effect brought."""
    return msgspec.json.decode(effect.receipt.encode(), type=Receipt)


def refusal_of(effect: EffectRow) -> Rejected:
    """The refusal that a rejected effect met."""
    told = msgspec.json.decode(effect.error)
    return Rejected(told["message"], code=told["code"], hint=told["hint"], detail=told["detail"])


def doubt_of(effect: EffectRow) -> Unknown | None:
    """Why nobody could say whether an earlier sending was applied; kept until it is settled."""
    if not effect.error:
        return None
    told = msgspec.json.decode(effect.error)
    return Unknown(told["message"], code=told["code"], hint=told["hint"], detail=told["detail"])


def audit_detail(effect: EffectRow) -> dict[str, Any]:
    """What the audit keeps of an effect: enough to prove it, nothing that is a person's data."""
    return {
        "system": effect.system,
        "verb": effect.verb,
        "class": effect.effect_class,
        "key": effect.key,
        "version": effect.version,
        "attempts": effect.attempts,
        "native_id": effect.native_id,
        "business_id": effect.business_id,
        "request_sha256": effect.request_hash,
        "response_sha256": effect.response_hash,
    }
