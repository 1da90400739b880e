"""A case: what a customer asks support for; the credit that support asks for on it, and what came of that."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class CreditRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Support asks that a customer be credited for what went wrong, in the words of its source."""

    schema_version: int = 1
    case_id: str
    """The number people use for the case."""
    source_id: str
    """Native id of the case."""
    customer_source_id: str
    """Native id, in support, of the customer who opened it; empty where the case names none."""
    severity: str
    """`critical`, `high`, `medium` or `low`."""
    subject: str
    amount_text: str
    """Plain decimal text in the customer's own currency, as the agent wrote it."""
    reason: str
    """Word of the reference table `credit_reason`."""
    requested_by: str
    """Native id of the agent who asks; who asks may not approve."""
    requested_on: date


class CreditRequested(Fact, frozen=True, kw_only=True):
    """Support asked for a credit on a case."""

    type: ClassVar[str] = "accordant.credit.requested"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "support"
    ordering_key: ClassVar[str] = "/request/customer_source_id"

    request: CreditRequest


class CaseOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Where a case's credit stands, told back to the agent. Telling it sets the whole state."""

    case_id: str
    source_id: str
    status: str
    """`in review`, `credited`, `rejected` or `blocked`."""
    credit: Money | None
    """What was credited; None while nothing was."""
    reason: str = ""
    """One sentence: who decides, or why it was rejected (at most 255 characters)."""
    transaction_id: str
