"""Whose case it is, and what of it still counts: the beginning of everything that support asks for."""

from typing import Protocol

import msgspec

from accordant.backbone import standing
from accordant.backbone.approvals import Decision
from accordant.backbone.transaction import Transaction
from accordant.canonical.case import CreditRequested
from accordant.canonical.customer import Customer
from accordant.canonical.operation import Receipt
from accordant.canonical.refund import RefundRequested
from accordant.governance.estate import Estate
from accordant.kernel.errors import Terminal
from accordant.masterdata import crosswalk, customers


class OnCase(Protocol):
    """What every fact of a case carries."""

    @property
    def case_id(self) -> str: ...

    @property
    def customer_source_id(self) -> str: ...


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """The customer whose case it is."""

    customer: str
    """The customer's record as JSON, as a rule takes it; empty where the case names no customer of ours."""
    account: Receipt | None
    """The customer in billing."""


async def party_of(tx: Transaction, said: OnCase) -> Party:
    """Read once who the customer is; nothing is found of a case that names nobody of ours."""
    asked_for = crosswalk.ours(tx.row.tenant, "customer", system="support", native_id=said.customer_source_id)
    customer_id = await tx.recall("whose case", lambda ours: ours.find(asked_for), result_type=str)
    known = await customers.latest_record(tx, "customer", canonical=customer_id)
    account = await customers.known_receipt(tx, "customer", canonical=customer_id, system="billing")
    return Party(customer=known, account=account)


def customer_of(known: str, said: OnCase) -> Customer:
    """The customer from its record. Raises Terminal `case.customer_unknown` where there is none."""
    if not known:
        raise nobody(said)
    return msgspec.json.decode(known.encode(), type=Customer)


def require_account(account: Receipt | None, said: OnCase, estate: Estate, /) -> Receipt:
    """The customer in billing, as a rule. Raises Terminal `case.customer_unknown` where billing does not hold it."""
    return held(account, f"the customer of case {said.case_id}")


async def newest_request(tx: Transaction) -> str:
    """While one request was in review the agent may have asked for something else in the same field."""
    types = [CreditRequested.type, RefundRequested.type]
    return await tx.recall(
        "newest request",
        lambda ours: ours.read(
            lambda connection: (
                standing.newest_event(connection, tx.row.tenant, event_id=tx.row.event_id, types=types) or ""
            )
        ),
        result_type=str,
    )


def was_withdrawn(newest: str, own: str, estate: Estate, /) -> bool:
    """Whether the case asks for something else meanwhile; the later request answers for it."""
    return newest not in ("", own)


def by(decision: Decision) -> str:
    """Who rejected it, and why, in one sentence."""
    return f"rejected by {decision.actor}" + (f": {decision.note}" if decision.note else "")


def nobody(said: OnCase) -> Terminal:
    named = f"the organization {said.customer_source_id!r}" if said.customer_source_id else "no organization"
    return Terminal(
        f"case {said.case_id} names {named}, which is no customer of ours",
        code="case.customer_unknown",
        hint="put the case under the customer's organization, then ask again",
        detail={"field": "organization", "value": said.customer_source_id, "record": said.case_id},
    )


def held(account: Receipt | None, customer_id: str) -> Receipt:
    if account is None:
        raise Terminal(
            f"{customer_id} is our customer but billing does not hold it",
            code="case.customer_unknown",
            hint="complete the deal with which it became a customer, then retry",
            detail={"field": "customer", "value": customer_id},
        )
    return account
