"""Match before create: is this account a customer we already have, a new one, or something a person must decide?"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Column, Connection, Table, Text

from accordant.canonical.customer import SourceAccount
from accordant.kernel.database import metadata
from accordant.kernel.errors import Unmapped


class IdentityRow(msgspec.Struct, frozen=True, kw_only=True):
    """One mark by which a customer can be recognised. Written with `Changes.add`: every column is part of the key."""

    tenant: str
    kind: str
    """tax_id, domain or name_country."""
    value: str
    customer_id: str


identity_table = Table(
    "identity",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True),
)


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies an account, normalized."""

    name_country: str
    tax_id: str | None = None
    domain: str | None = None
    parent_id: str | None = None
    """Canonical id of the declared parent: a subsidiary is never its own parent."""


class KnownCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer we have, with every mark stored for it."""

    customer_id: str
    tax_ids: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


class Same(msgspec.Struct, frozen=True):
    """The account is this customer."""

    customer_id: str
    rule: str
    """tax_id, domain or name_country."""


class New(msgspec.Struct, frozen=True):
    """No customer has any of the account's marks."""


class Ambiguous(msgspec.Struct, frozen=True):
    """The marks contradict each other; a person decides."""

    candidates: tuple[str, ...]
    reason: str


Decision = Same | New | Ambiguous


def marks_of(account: SourceAccount, *, country: str, parent_id: str | None = None) -> Marks:
    """The marks of an account whose country is mapped (ISO 3166-1 alpha-2).

    Raises:
        Malformed: `value.tax_id`, a tax id that is none in that country.
    """
    raise NotImplementedError


def known_customers(connection: Connection, tenant: str, *, marks: Marks) -> tuple[KnownCustomer, ...]:
    """Every customer that shares a mark with the account."""
    raise NotImplementedError


def decide(marks: Marks, known: Sequence[KnownCustomer]) -> Decision:
    """Tax id, then domain, then name and country; nothing is ever matched by likeness."""
    raise NotImplementedError


def identity_rows(tenant: str, customer_id: str, *, marks: Marks) -> Iterable[IdentityRow]:
    """The rows that let this customer be recognised from now on."""
    raise NotImplementedError


def ambiguous_identity(account: SourceAccount, *, found: Ambiguous) -> Unmapped:
    """The data exception `identity.ambiguous` for an account that a person must decide."""
    raise NotImplementedError
