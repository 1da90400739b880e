"""A contract: everything a customer has bought, version by version; an amendment adds a version and keeps the old."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.customer import SourceAccount
from accordant.canonical.envelope import Fact
from accordant.kernel.money import Money


class ContractLine(msgspec.Struct, frozen=True, kw_only=True):
    """One product bought under a contract."""

    line_id: str
    """Canonical subscription id; the line lives and dies with it."""
    product_id: str
    quantity: int
    total: Money
    service_tier: str
    starts_on: date
    ends_on: date


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a customer's contract: its standing, and the line that this version added or changed."""

    schema_version: int = 1
    contract_id: str
    customer_id: str
    version: int
    total: Money
    service_tier: str
    """The highest tier of any active line."""
    ends_on: date
    """The latest end of any active line."""
    line: ContractLine
    agreed_in: str
    """Opportunity id that led to this version."""


class ContractAmendment(msgspec.Struct, frozen=True, kw_only=True):
    """A change to one line, in the words of its source. Quantity and amount are the new totals, not differences."""

    schema_version: int = 1
    opportunity_id: str
    """The deal that agreed the change."""
    source_id: str
    account: SourceAccount
    amends_opportunity_id: str
    """The deal that first sold the line."""
    product_word: str
    quantity: int
    amount_text: str
    currency_word: str
    effective_on: date


class ContractAmended(Fact, frozen=True, kw_only=True):
    """Sales agreed a change to something a customer already has."""

    type: ClassVar[str] = "accordant.contract.amended"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "crm"
    ordering_key: ClassVar[str] = "/amendment/account/source_id"

    amendment: ContractAmendment
