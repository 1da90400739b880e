"""Match before create: is this account a customer we already have, a new one, or something a person must decide?"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Column, Connection, Index, Table, Text, select, tuple_

from accordant.canonical.customer import SourceAccount
from accordant.kernel.database import metadata
from accordant.kernel.errors import Unmapped
from accordant.masterdata.identity_marks import Marks, marks_of

__all__ = [
    "Ambiguous",
    "Decision",
    "IdentityRow",
    "KnownCustomer",
    "Marks",
    "New",
    "Same",
    "ambiguous_identity",
    "decide",
    "identity_rows",
    "identity_table",
    "known_customers",
    "marks_of",
]


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
Index("identity_of_customer", identity_table.c.tenant, identity_table.c.customer_id)
_c = identity_table.c


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


def known_customers(connection: Connection, tenant: str, *, marks: Marks) -> tuple[KnownCustomer, ...]:
    """Every customer that shares a mark with the account, with all marks it has."""
    shared = (
        select(_c.customer_id)
        .where(_c.tenant == tenant, tuple_(_c.kind, _c.value).in_(list(marks.pairs())))
        .scalar_subquery()
    )
    query = (
        select(_c.customer_id, _c.kind, _c.value)
        .where(_c.tenant == tenant, _c.customer_id.in_(shared))
        .order_by(_c.customer_id)
    )
    found: dict[str, dict[str, set[str]]] = {}
    for customer_id, kind, value in connection.execute(query):
        found.setdefault(customer_id, {}).setdefault(kind, set()).add(value)
    return tuple(
        KnownCustomer(
            customer_id=customer_id,
            tax_ids=frozenset(kinds.get("tax_id", ())),
            domains=frozenset(kinds.get("domain", ())),
            names=frozenset(kinds.get("name_country", ())),
        )
        for customer_id, kinds in found.items()
    )


def decide(marks: Marks, known: Sequence[KnownCustomer]) -> Decision:
    """Tax id, then domain, then name and country; nothing is ever matched by likeness.

    A domain proves a company only within one country and only for an account without a parent: groups share domains.
    A name never outweighs a tax id or domain that differs.
    """
    others = [customer for customer in known if customer.customer_id != marks.parent_id]
    by_tax_id = [customer for customer in others if marks.tax_id in customer.tax_ids]
    if by_tax_id:
        return _one_of(by_tax_id, rule="tax_id", reason="several customers hold this tax id")
    by_domain = [
        customer
        for customer in others
        if marks.domain in customer.domains and not _differ(marks.tax_id, customer.tax_ids)
    ]
    by_name = [customer for customer in others if marks.name_country in customer.names]
    if any(_contradicts(marks, customer) for customer in by_name):
        return _ambiguous(by_name + by_domain, "name and country are the same, tax id or domain differ")
    if by_domain:
        return _by_domain(marks, by_domain, by_name=by_name)
    if by_name:
        return _one_of(by_name, rule="name_country", reason="several customers have this name in this country")
    return New()


def _by_domain(marks: Marks, holders: list[KnownCustomer], *, by_name: list[KnownCustomer]) -> Decision:
    both = [customer for customer in holders if customer in by_name]
    if len(both) == 1:
        return Same(both[0].customer_id, "domain")
    if marks.parent_id or not all(_same_country(marks, customer) for customer in holders):
        return _ambiguous(
            holders + by_name, "the domain is the same, the name or country differs: a group may share it"
        )
    return _one_of(holders + by_name, rule="domain", reason="several customers share this domain")


def _one_of(customers: list[KnownCustomer], *, rule: str, reason: str) -> Decision:
    ids = {customer.customer_id for customer in customers}
    return Same(customers[0].customer_id, rule) if len(ids) == 1 else _ambiguous(customers, reason)


def _ambiguous(customers: list[KnownCustomer], reason: str) -> Ambiguous:
    return Ambiguous(tuple(sorted({customer.customer_id for customer in customers})), reason)


def _contradicts(marks: Marks, customer: KnownCustomer) -> bool:
    if _differ(marks.tax_id, customer.tax_ids):
        return True
    return _differ(marks.domain, customer.domains)


def _differ(mark: str | None, known: frozenset[str]) -> bool:
    return mark is not None and bool(known) and mark not in known


def _same_country(marks: Marks, customer: KnownCustomer) -> bool:
    country = marks.name_country.rpartition("|")[2]
    return all(name.rpartition("|")[2] == country for name in customer.names)


def identity_rows(tenant: str, customer_id: str, *, marks: Marks) -> list[IdentityRow]:
    """The rows that let this customer be recognised from now on; write them with `Changes.add`."""
    return [
        IdentityRow(tenant=tenant, kind=kind, value=value, customer_id=customer_id) for kind, value in marks.pairs()
    ]


def ambiguous_identity(account: SourceAccount, *, found: Ambiguous) -> Unmapped:
    """The data exception `identity.ambiguous` for an account that a person must decide."""
    return Unmapped(
        f"account {account.name!r} ({account.source_id}) may be {' or '.join(found.candidates)}: {found.reason}",
        code="identity.ambiguous",
        hint="correct tax id, domain, name or parent at the source, then retry",
        detail={"source_id": account.source_id, "candidates": list(found.candidates), "reason": found.reason},
    )
