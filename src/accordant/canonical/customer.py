"""A customer: who buys, which of our legal entities sells to them, and who their parent is."""

from datetime import date
from typing import ClassVar

import msgspec

from accordant.canonical.envelope import Fact


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address. `country` is ISO 3166-1 alpha-2."""

    country: str
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """One customer, the same in CRM, billing, ERP and support."""

    schema_version: int = 1
    customer_id: str
    name: str
    legal_entity: str
    """Code of our own legal entity that sells to this customer; reference table `legal_entity`."""
    currency: str
    bill_to: Address
    ship_to: Address
    parent_id: str | None = None
    """Canonical id of the parent customer; a hierarchy has no cycles."""
    tax_id: str | None = None
    domain: str | None = None
    industry: str | None = None


class SourceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as its source describes it: words still to be mapped, ids still native."""

    source_id: str
    """Native id at the source, such as Salesforce's 18 characters."""
    name: str
    country_word: str | None
    industry: str | None = None
    tax_id: str | None = None
    domain: str | None = None
    parent: "SourceAccount | None" = None


class CustomerIntroduced(Fact, frozen=True, kw_only=True):
    """Sales calls an account a customer, whether or not a deal stands behind it."""

    type: ClassVar[str] = "accordant.customer.introduced"
    version: ClassVar[int] = 1
    producer: ClassVar[str] = "crm"
    ordering_key: ClassVar[str] = "/account/source_id"

    account: SourceAccount
    currency_word: str
    """The currency in which the customer is billed, in the words of the source."""
    introduced_on: date
