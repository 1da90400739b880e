"""One effect as a flow asks for it: what the ledger is given."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Table

from accordant.backbone.rows import EffectRow, TransactionRow
from accordant.canonical.operation import Operation, Receipt

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
