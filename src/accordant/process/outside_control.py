"""Money that moved in a system without the platform's approval: whoever owns it is asked, and the amount is shown."""

from accordant.kernel.errors import Terminal
from accordant.kernel.money import Money


def bypassed(what: str, *, amount: Money, system: str, record: str) -> Terminal:
    """The problem of money that somebody moved past the approvals.

    `what` says what was done, such as `gave money back`; `record` is the system's own id of it.
    """
    return Terminal(
        f"{system} {what}: {amount}, {record}, and nobody here agreed to it",
        code="control.bypassed",
        hint="find out who did it and why; have it agreed or countered, then resolve this item with the reason",
        detail={"cause": f"{system} {what} past the approvals", "record": record, "amount": str(amount)},
    )
