"""Money that was given back in billing by hand, past the approvals, is somebody's open item with the amount on it.

Trigger       PaymentRefunded
Reads         nothing
Writes        nothing
Undo          nothing to undo
Owner         finance operations
"""

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.refund import PaymentRefunded
from accordant.governance.estate import Estate
from accordant.kernel.priority import Priority
from accordant.process.outside_control import bypassed


@flow(
    on=PaymentRefunded,
    owner="finance operations",
    describe=Describe(party=lambda fact: f"payment {fact.payment_source_id}", worth=lambda fact: fact.amount),
    priority=Priority.FINANCE,
)
async def refund_outside(tx: Transaction, event: PaymentRefunded, **_: object) -> None:
    """Every refund that is not ours is shown; none is undone."""
    await tx.check("agreed to", agreed_to, event)


def agreed_to(event: PaymentRefunded, estate: Estate, /) -> None:
    """Raise Terminal `control.bypassed`: whoever is told this fact made no such refund."""
    raise bypassed("gave money back", amount=event.amount, system="billing", record=event.source_id)
