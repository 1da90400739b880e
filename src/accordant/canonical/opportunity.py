"""An opportunity: what sales agreed with a customer, and the event that it was won."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.customer import SourceAccount
from accordant.canonical.envelope import Fact


class Opportunity(msgspec.Struct, frozen=True, kw_only=True):
    """A deal in the words of its source; products, countries and currencies are mapped when terms are agreed."""

    schema_version: int = 1
    opportunity_id: str
    """The id people use: the CRM's own external number where it has one, else its native id."""
    source_id: str
    """Native id at the source."""
    account: SourceAccount
    product_word: str
    quantity: int = 1
    amount_text: str
    """Total as plain decimal text, as the source gave it."""
    currency_word: str
    closed_on: date
    seller: str | None = None


class OpportunityWon(Fact, frozen=True, kw_only=True):
    """Sales closed a deal."""

    type: ClassVar[str] = "accordant.opportunity.won"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "crm"
    ordering_key: ClassVar[str] = "/opportunity/account/source_id"

    opportunity: Opportunity

    def as_correction(self) -> Fact:
        return OpportunityCorrected(opportunity=self.opportunity)


class OpportunityCorrected(Fact, frozen=True, kw_only=True):
    """Sales changed a deal after it was closed."""

    type: ClassVar[str] = "accordant.opportunity.corrected"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "crm"
    ordering_key: ClassVar[str] = "/opportunity/account/source_id"

    opportunity: Opportunity


class DealStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Where a deal stands with the platform, told back to the CRM so that closed-won never hides a blocked deal."""

    opportunity_id: str
    source_id: str
    status: str
    """`in step`, `blocked` or `in progress`."""
    reason: str = ""
    """Empty when in step; else one sentence naming what is missing and who owns it (at most 255 characters)."""
    transaction_id: str
