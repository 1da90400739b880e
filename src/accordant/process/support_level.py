"""What a customer bought raises its support only as far as its account leaves it; of two writers the last has looked.

A contract that grows and an account that falls behind may meet at one customer. Each writes what it knows and then
looks at what the other has kept; whoever wrote last sees it, and puts support right.
"""

from accordant.backbone.transaction import Transaction
from accordant.canonical.contract import Contract
from accordant.canonical.ports import Support
from accordant.masterdata import keeping, standing
from accordant.process.agreement import entitlement_under

LOOKS_MAX = 20


async def raise_support(tx: Transaction, contract: Contract, support: Support, /, left: str) -> None:
    """Set what the contract entitles to, as far as the account leaves it (`left`), and keep this contract's version."""
    for number in range(1, LOOKS_MAX + 1):
        name = f", look {number}" if number > 1 else ""
        entitlement = await tx.check(f"entitlement{name}", entitlement_under, contract, left)
        kept = keeping.beside(tx, "contract", record_id=contract.contract_id, body=contract)
        await tx.effect(f"raise entitlement{name}", support.set_entitlement(entitlement), keeps=kept)
        now = await standing.support_left(tx, f"support that is left{name}", customer_id=contract.customer_id)
        if now == left:
            return
        left = now
