"""Asks Zendesk to keep customers as organizations, entitlements as fields of them, and a credit's state on its ticket.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/ (create or update, show many)
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (update, show many)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from accordant.canonical.account import AccountStanding
from accordant.canonical.case import CaseOutcome
from accordant.canonical.customer import Customer
from accordant.canonical.dispute import DisputeStanding
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.connector.capabilities import Capability, ConnectionSettings
from accordant.connector.http import Answer, Request, VendorHttp
from accordant.kernel.errors import Misconfigured
from accordant.kernel.priority import Priority
from accordant.systems.zendesk.client.answers import applied, rows_in, written
from accordant.systems.zendesk.client.cases import CREDIT, DISPUTE, TICKETS, Cases
from accordant.systems.zendesk.client.manners import explain, manners
from accordant.systems.zendesk.mapping import nouns

__all__ = ["API_VERSION", "CAPABILITIES", "Zendesk", "connect", "explain", "manners"]

API_VERSION = "v2"
UPSERT = "/api/v2/organizations/create_or_update"
SHOW_MANY = "/api/v2/organizations/show_many"
BATCH_MAX = 100

_ORGANIZATIONS = "https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/"
_UPDATE = "https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#update-ticket"
CAPABILITIES = (
    Capability(
        verb="open_customer",
        kind="customer",
        effect_class=EffectClass.UPSERT,
        request=f"POST {UPSERT}",
        source=f"{_ORGANIZATIONS}#create-or-update-organization",
    ),
    Capability(
        verb="set_entitlement",
        kind="entitlement",
        effect_class=EffectClass.UPSERT,
        request=f"POST {UPSERT}",
        source=f"{_ORGANIZATIONS}#create-or-update-organization",
    ),
    Capability(
        verb="tell_account",
        kind="account_standing",
        effect_class=EffectClass.UPSERT,
        request=f"POST {UPSERT}",
        source=f"{_ORGANIZATIONS}#create-or-update-organization",
    ),
    Capability(
        verb="answer_case",
        kind="case",
        effect_class=EffectClass.UPSERT,
        request=f"PUT {TICKETS}/{{ticket_id}}",
        source=_UPDATE,
    ),
    Capability(
        verb="show_dispute",
        kind="dispute",
        effect_class=EffectClass.UPSERT,
        request=f"PUT {TICKETS}/{{ticket_id}}",
        source=_UPDATE,
    ),
)
_FACTS: Mapping[str, Callable[[Mapping[str, Any]], Facts | None]] = {
    "customer": nouns.customer_facts,
    "entitlement": nouns.entitlement_facts,
    "account_standing": nouns.account_facts,
}


class Zendesk:
    """The Support role, kept by Zendesk."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._connection = settings.name
        self._http = http
        self._cases = {"case": Cases(http, CREDIT), "dispute": Cases(http, DISPUTE)}

    def open_customer(self, customer: Customer) -> Operation:
        record, expected = nouns.customer_record(customer), nouns.expected_customer(customer)
        operation = self._operation("open_customer", customer.customer_id, command=customer, expected=expected)
        return self._sending(operation, record)

    def set_entitlement(self, entitlement: Entitlement) -> Operation:
        """Set the whole entitlement; fields that are not of the entitlement stay as they are."""
        record, expected = nouns.entitlement_record(entitlement), nouns.expected_entitlement(entitlement)
        operation = self._operation("set_entitlement", entitlement.customer_id, command=entitlement, expected=expected)
        return self._sending(operation, record)

    def tell_account(self, standing: AccountStanding, *, account: Receipt) -> Operation:
        """Set the seven fields of the standing; the organization is found by our own id."""
        record, expected = nouns.account_record(standing), nouns.expected_account(standing)
        command = {"standing": standing, "account": account.native_id}
        operation = self._operation("tell_account", standing.customer_id, command=command, expected=expected)
        return self._sending(operation, record)

    def answer_case(self, outcome: CaseOutcome) -> Operation:
        """Set the four fields of the answer; the ticket's status, comments and other fields stay as they are."""
        expected = nouns.expected_case(outcome)
        operation = self._operation("answer_case", outcome.case_id, command=outcome, expected=expected)
        return self._cases["case"].answering(operation, outcome.source_id, values=nouns.case_values(outcome))

    def show_dispute(self, standing: DisputeStanding) -> Operation:
        """Set the five fields of the dispute, and no others."""
        expected, values = nouns.expected_dispute(standing), nouns.dispute_values(standing)
        operation = self._operation("show_dispute", standing.case_id, command=standing, expected=expected)
        return self._cases["dispute"].answering(operation, standing.source_id, values=values)

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """Organizations and tickets as the database holds them, 100 a call; other kinds are not held here."""
        if kind in self._cases:
            return await self._cases[kind].read_back(refs)
        read = _FACTS.get(kind)
        found: dict[str, Facts] = {}
        for start in range(0, len(refs) if read else 0, BATCH_MAX):
            batch = refs[start : start + BATCH_MAX]
            organizations = await self._show_many([ref.business_id for ref in batch], Priority.BACKGROUND)
            for ref in batch:
                organization = organizations.get(ref.business_id.casefold())
                if read is None or organization is None or str(organization["id"]) != ref.native_id:
                    continue
                if (facts := read(organization)) is not None:
                    found[ref.native_id] = facts
        return found

    def _operation(self, verb: str, business_id: str, *, command: object, expected: Facts) -> Operation:
        capability = next(capability for capability in CAPABILITIES if capability.verb == verb)
        return Operation(
            system="support",
            connection=self._connection,
            verb=verb,
            kind=capability.kind,
            business_id=business_id,
            effect_class=capability.effect_class,
            command=command,
            send=_unsent,
            expected=expected,
            master_data=capability.kind == "customer",
        )

    def _sending(self, operation: Operation, record: Mapping[str, Any]) -> Operation:
        """The operation with the calls that do it and look for it."""
        body = msgspec.json.encode({"organization": record})

        async def send(attempt: Attempt) -> Applied:
            request = Request("POST", UPSERT, body=body, content_type="application/json")
            answer = await self._http.write(request, attempt=attempt)
            organization = written(answer, "organization")
            # Zendesk answers 201 where it made the organization, 200 where it found one.
            already = operation.kind == "customer" and answer.status == 200
            return applied(_receipt(operation, organization), answer, already=already)

        async def look_up(attempt: Attempt) -> Applied | None:
            answer = await self._read_many([operation.business_id], attempt.priority)
            organization = _by_external_id(answer).get(operation.business_id.casefold())
            if organization is None or _FACTS[operation.kind](organization) != operation.expected:
                return None
            return applied(_receipt(operation, organization), answer)

        return msgspec.structs.replace(operation, send=send, look_up=look_up)

    async def _show_many(self, external_ids: Sequence[str], priority: Priority) -> dict[str, Any]:
        return _by_external_id(await self._read_many(external_ids, priority))

    async def _read_many(self, external_ids: Sequence[str], priority: Priority) -> Answer:
        query = (("external_ids", ",".join(external_ids)),)
        return await self._http.read(Request("GET", SHOW_MANY, query=query), priority=priority)


def connect(settings: ConnectionSettings, http: VendorHttp) -> Zendesk:
    return Zendesk(settings, http)


def _receipt(operation: Operation, organization: Mapping[str, Any]) -> Receipt:
    native_id, business_id = str(organization["id"]), str(organization.get("external_id") or "")
    return Receipt(kind=operation.kind, native_id=native_id, business_id=business_id)


def _by_external_id(answer: Answer) -> dict[str, Any]:
    """Organizations of a listing by external id, in the one case that Zendesk compares ids in."""
    rows = rows_in(answer.json(), "organizations")
    return {str(row["external_id"]).casefold(): row for row in rows if row.get("external_id")}


async def _unsent(attempt: Attempt) -> Applied:
    raise Misconfigured("the operation was built without a way to send it")
