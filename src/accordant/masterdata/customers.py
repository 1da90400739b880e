"""One customer, opened once in every system: recognised before it is created, its parents before itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Table

from accordant.backbone.transaction import Transaction
from accordant.canonical.customer import Customer, SourceAccount
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.ports import Billing, Erp, Support
from accordant.kernel.database import Database
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import canonical_id, canonical_json
from accordant.masterdata import crosswalk, identity, records
from accordant.masterdata.crosswalk import CrosswalkRow, crosswalk_table
from accordant.masterdata.records import RecordRow, record_table

NOUN = "customer"
Rows = list[tuple[Table, msgspec.Struct]]


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose words have meanings, and who does not yet have an id of ours."""

    account: SourceAccount
    country: str
    legal_entity: str
    erp_entity: str
    currency: str


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The same customer in the three systems that serve it."""

    customer: Customer
    billing: Receipt
    erp: Receipt
    support: Receipt


class Systems(msgspec.Struct, frozen=True, kw_only=True):
    """The systems in which a customer is opened."""

    erp: Erp
    billing: Billing
    support: Support


def family(account: SourceAccount) -> list[SourceAccount]:
    """The account and its ancestors, the oldest first.

    Raises:
        Malformed: `hierarchy.cycle`, an account that is its own ancestor; the message prints the path.
    """
    line = [account]
    while line[-1].parent is not None:
        parent = line[-1].parent
        if any(parent.source_id == known.source_id for known in line):
            path = " → ".join(one.name for one in [*line, parent])
            raise Malformed(
                f"the account is its own ancestor: {path}; expected parents that end",
                code="hierarchy.cycle",
                hint="correct the parent account at its source",
                detail={"field": "parent", "value": path, "record": account.name},
            )
        line.append(parent)
    return line[::-1]


async def recognise(tx: Transaction, parties: Sequence[Party]) -> list[Customer]:
    """Our customers for these parties, ancestors first: known ones by their ids, new ones with ids of their own.

    Raises:
        Unmapped: `identity.ambiguous`, when the marks of an account contradict each other.
    """

    async def ask(ours: Database) -> dict[str, str]:
        names = [party.account.source_id for party in parties]
        known = {
            name: await ours.find(crosswalk.ours(tx.row.tenant, NOUN, system="crm", native_id=name)) for name in names
        }
        if all(known.values()):
            return known
        return await ours.read(lambda connection: _ids_of(connection, tx, parties=parties))

    ids = await tx.recall("who it is", ask, result_type=dict[str, str])
    return [_customer(party, ids) for party in parties]


def _ids_of(connection: Connection, tx: Transaction, *, parties: Sequence[Party]) -> dict[str, str]:
    found: dict[str, str] = {}
    parent_id: str | None = None
    for party in parties:
        parent_id = found[party.account.source_id] = _id_of(connection, tx, party=party, parent_id=parent_id)
    return found


def _id_of(connection: Connection, tx: Transaction, *, party: Party, parent_id: str | None) -> str:
    tenant, account = tx.row.tenant, party.account
    known = crosswalk.canonical_of(connection, tenant, noun=NOUN, system="crm", native_id=account.source_id)
    if known:
        return known
    marks = identity.marks_of(account, country=party.country, parent_id=parent_id)
    decision = identity.decide(marks, identity.known_customers(connection, tenant, marks=marks))
    if isinstance(decision, identity.Ambiguous):
        raise identity.ambiguous_identity(account, found=decision)
    if isinstance(decision, identity.Same):
        return decision.customer_id
    return canonical_id(NOUN, tenant, "crm", account.source_id)


def _customer(party: Party, ids: Mapping[str, str]) -> Customer:
    from accordant.canonical.customer import Address

    account = party.account
    address = Address(country=party.country)
    return Customer(
        customer_id=ids[account.source_id],
        name=account.name,
        legal_entity=party.legal_entity,
        currency=party.currency,
        bill_to=address,
        ship_to=address,
        parent_id=ids[account.parent.source_id] if account.parent else None,
        tax_id=account.tax_id,
        domain=account.domain,
        industry=account.industry,
    )


async def open_everywhere(
    tx: Transaction, parties: Sequence[Party], *, customers: Sequence[Customer], systems: Systems
) -> Accounts:
    """Open the customer, and before it any ancestor that is missing, in ERP, billing and support; once each."""
    opened: Accounts | None = None
    async with tx.holding(*(customer.customer_id for customer in customers)):
        for party, customer in zip(parties, customers, strict=True):
            buyer = customer is customers[-1]
            opened = await _open_one(
                tx, party, customer=customer, label="" if buyer else f"parent {customer.name} ", to=systems
            )
    assert opened is not None, "a deal has at least one party"  # noqa: S101 - the family of an account is never empty
    return opened


async def _open_one(tx: Transaction, party: Party, *, customer: Customer, label: str, to: Systems) -> Accounts:
    known = await tx.recall(
        f"where {label or 'customer '}is known",
        lambda ours: ours.find(crosswalk.natives(tx.row.tenant, NOUN, canonical_id=customer.customer_id)),
        result_type=dict[str, str],
    )
    receipts: dict[str, Receipt] = {}
    operations = {
        "erp": to.erp.open_customer(customer, erp_entity=party.erp_entity),
        "billing": to.billing.open_customer(customer),
        "support": to.support.open_customer(customer),
    }
    for system, operation in operations.items():
        if system in known:
            receipts[system] = Receipt(kind=NOUN, native_id=known[system], business_id=customer.customer_id)
            continue
        receipts[system] = await tx.effect(
            f"open {label}{'' if label else 'customer '}in {system}",
            msgspec.structs.replace(operation, master_data=True),
            keeps=_keeper(tx, party, customer=customer, operation=operation),
        )
    return Accounts(customer=customer, **receipts)


def _keeper(tx: Transaction, party: Party, *, customer: Customer, operation: Operation) -> Any:
    def keeps(receipt: Receipt) -> Rows:
        rows: Rows = [(crosswalk_table, crosswalk_row(tx, operation, receipt=receipt))]
        if operation.system == "erp":
            rows.extend(_first_seen(tx, party, customer=customer))
        return rows

    return keeps


def _first_seen(tx: Transaction, party: Party, *, customer: Customer) -> Rows:
    """By what the customer is recognised from now on, and its first golden record."""
    tenant, at_ms = tx.row.tenant, tx.row.opened_at_ms
    marks = identity.marks_of(party.account, country=party.country, parent_id=customer.parent_id)
    rows: Rows = [
        (identity.identity_table, row) for row in identity.identity_rows(tenant, customer.customer_id, marks=marks)
    ]
    crm = CrosswalkRow(
        tenant=tenant,
        noun=NOUN,
        canonical_id=customer.customer_id,
        system="crm",
        native_id=party.account.source_id,
        connection="crm",
        since_ms=at_ms,
        transaction_id=tx.row.transaction_id,
    )
    return [
        *rows,
        (crosswalk_table, crm),
        (record_table, record_row(tx, NOUN, record_id=customer.customer_id, body=customer)),
    ]


def crosswalk_row(tx: Transaction, operation: Operation, *, receipt: Receipt) -> CrosswalkRow:
    """That a system holds a thing of ours under this native id."""
    return CrosswalkRow(
        tenant=tx.row.tenant,
        noun=receipt.kind,
        canonical_id=receipt.business_id,
        system=operation.system,
        native_id=receipt.native_id,
        connection=operation.connection,
        since_ms=tx.row.opened_at_ms,
        transaction_id=tx.row.transaction_id,
    )


def record_row(tx: Transaction, noun: str, *, record_id: str, body: msgspec.Struct, version: int = 1) -> RecordRow:
    """One version of a golden record."""
    return RecordRow(
        tenant=tx.row.tenant,
        noun=noun,
        canonical_id=record_id,
        version=version,
        body=canonical_json(body).decode(),
        at_ms=tx.row.opened_at_ms,
        transaction_id=tx.row.transaction_id,
    )


async def known_receipt(tx: Transaction, noun: str, *, canonical: str, system: str) -> Receipt | None:
    """The receipt of something a system is known to hold."""

    async def ask(ours: Database) -> str:
        return (await ours.find(crosswalk.natives(tx.row.tenant, noun, canonical_id=canonical))).get(system, "")

    native = await tx.recall(f"{noun} in {system}", ask, result_type=str)
    return Receipt(kind=noun, native_id=native, business_id=canonical) if native else None


async def latest_record(tx: Transaction, noun: str, *, canonical: str) -> str:
    """The newest version of a golden record as JSON; empty text where there is none."""
    wanted = records.latest_body(tx.row.tenant, noun, canonical_id=canonical)
    return await tx.recall(f"latest {noun}", lambda ours: ours.find(wanted), result_type=str)


async def record_before(tx: Transaction, noun: str, *, canonical: str) -> str:
    """A golden record as it was before this transaction, whatever that kept meanwhile: a retry begins where it did."""
    tenant, own = tx.row.tenant, tx.row.transaction_id
    return await tx.recall(
        f"latest {noun}",
        lambda ours: records.left_by_others(ours, tenant, noun=noun, canonical_id=canonical, transaction_id=own),
        result_type=str,
    )
