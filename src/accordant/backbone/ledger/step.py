"""One effect as a flow asks for it: what the ledger is given."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Table

from accordant.backbone.ledger import entries
from accordant.backbone.ledger.decisions import Asked, Known
from accordant.backbone.rows import EffectRow, TransactionRow
from accordant.canonical.operation import Attempt, Operation, Receipt
from accordant.kernel.priority import Priority

Keeps = Callable[[Receipt], Sequence[tuple[Table, msgspec.Struct]]]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One effect of one transaction, as the flow asks for it now."""

    transaction: TransactionRow
    name: str
    n: int
    operation: Operation
    prior: EffectRow | None
    """What the ledger knows of it from earlier drives."""
    changed_input_allowed: bool
    """The transaction was edited or re-pinned by a person since."""
    keeps: Keeps | None = None
    """Rows to commit together with the confirmation, such as the crosswalk entry."""
    taken_back: bool = False
    """Whether it will be undone when the flow fails, so that it must be known afterwards that it was ours."""
    seen: Callable[[EffectRow], None] = lambda _: None
    """Told of every state the effect goes through, also when carrying it out ends in an error."""


def attempt_of(step: Step, effect: EffectRow) -> Attempt:
    """What the system is told about this sending."""
    return Attempt(key=effect.key, number=effect.attempts, priority=Priority(step.transaction.priority))


def known_of(effect: EffectRow) -> Known:
    """What a decision needs of the effect."""
    return Known(state=effect.state, first_sent_at_ms=effect.first_sent_at_ms)


def asked_of(step: Step, effect: EffectRow) -> Asked:
    """What a decision needs of the step."""
    operation = step.operation
    return Asked(
        effect_class=operation.effect_class,
        can_look_up=operation.look_up is not None,
        key_life_s=operation.key_life_s,
        same_input=effect.input_hash == entries.input_hash(operation),
        may_change=step.changed_input_allowed,
    )
