"""Asks Zendesk to keep a customer as an organization and its entitlement as fields of that organization.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/ (create or update, show many)
https://developer.zendesk.com/api-reference/introduction/rate-limits (headers)
https://developer.zendesk.com/api-reference/introduction/security-and-auth/ (API token, OAuth)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from accordant.canonical.customer import Customer
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.connector.auth import Auth, BasicAuth, BearerToken
from accordant.connector.budget import Quota
from accordant.connector.capabilities import Capability, ConnectionSettings
from accordant.connector.http import Answer, Request, VendorHttp
from accordant.connector.manners import Manners
from accordant.kernel.errors import AccordantError, Busy, Misconfigured, Rejected, Unknown
from accordant.kernel.priority import Priority
from accordant.systems.zendesk import mapping

API_VERSION = "v2"
UPSERT = "/api/v2/organizations/create_or_update"
SHOW_MANY = "/api/v2/organizations/show_many"
BATCH_MAX = 100
WINDOW_S = 60.0

_ORGANIZATIONS = "https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/"
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
)
_FACTS: Mapping[str, Callable[[Mapping[str, Any]], Facts | None]] = {
    "customer": mapping.customer_facts,
    "entitlement": mapping.entitlement_facts,
}
_HINTS = {
    (
        "name",
        "DuplicateValue",
    ): "another organization has this name: rename one of the two, or give that one this id",
    ("name", "BlankValue"): "an organization cannot be made without a name: open the customer first, with its name",
}


class Zendesk:
    """The Support role, kept by Zendesk."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._connection = settings.name
        self._http = http

    def open_customer(self, customer: Customer) -> Operation:
        record, expected = mapping.customer_record(customer), mapping.expected_customer(customer)
        operation = self._operation("open_customer", customer.customer_id, command=customer, expected=expected)
        return self._sending(operation, record)

    def set_entitlement(self, entitlement: Entitlement) -> Operation:
        """Set the whole entitlement; fields that are not of the entitlement stay as they are."""
        record, expected = mapping.entitlement_record(entitlement), mapping.expected_entitlement(entitlement)
        operation = self._operation("set_entitlement", entitlement.customer_id, command=entitlement, expected=expected)
        return self._sending(operation, record)

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """The organizations as the database holds them, 100 a call; records of other kinds are not held here."""
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
            organization = _organization(answer)
            # Zendesk answers 201 where it made the organization, 200 where it found one.
            already = operation.kind == "customer" and answer.status == 200
            return _applied(operation, organization, answer=answer, already=already)

        async def look_up(attempt: Attempt) -> Applied | None:
            answer = await self._read_many([operation.business_id], attempt.priority)
            organization = _by_external_id(answer).get(operation.business_id.casefold())
            if organization is None or _FACTS[operation.kind](organization) != operation.expected:
                return None
            return _applied(operation, organization, answer=answer, already=False)

        return msgspec.structs.replace(operation, send=send, look_up=look_up)

    async def _show_many(self, external_ids: Sequence[str], priority: Priority) -> dict[str, Any]:
        return _by_external_id(await self._read_many(external_ids, priority))

    async def _read_many(self, external_ids: Sequence[str], priority: Priority) -> Answer:
        query = (("external_ids", ",".join(external_ids)),)
        return await self._http.read(Request("GET", SHOW_MANY, query=query), priority=priority)


def connect(settings: ConnectionSettings, http: VendorHttp) -> Zendesk:
    return Zendesk(settings, http)


def manners(settings: ConnectionSettings) -> Manners:
    """An API token signs in as Basic with `/token` behind the address; an OAuth token as bearer."""
    return Manners(auth=_auth(settings), explain=explain, rate_headers=quota, headers={"Accept": "application/json"})


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What is left of the account's requests in this minute."""
    limit = headers.get("x-rate-limit", "")
    remaining = headers.get("x-rate-limit-remaining", "")
    if not (_whole(limit) and _whole(remaining)):
        return None
    resets = headers.get("ratelimit-reset", "")
    return Quota(limit=int(limit), remaining=int(remaining), resets_in_s=float(resets) if _whole(resets) else WINDOW_S)


def explain(answer: Answer) -> AccordantError:
    """What a refusal means: a record in somebody else's hands passes, an invalid value does not."""
    body = _mapping(answer.json_or_none())
    code, said = _said(body)
    if answer.status == 409:
        return Busy(f"Zendesk says the record is being changed by somebody else: {said or code}")
    field, problem = _first_problem(body)
    vendor_code = str(problem.get("error") or code or answer.status)
    message = str(problem.get("description") or said or answer.excerpt or f"status {answer.status}")
    hint = _HINTS.get((field, vendor_code), "")
    return Rejected(
        f"Zendesk refused it: {message[:200]}" + (f"; {hint}" if hint else ""),
        code="zendesk.name_taken" if (field, vendor_code) == ("name", "DuplicateValue") else None,
        hint=hint,
        detail={"vendor_code": vendor_code, "message": message[:200], "field": field, "status": answer.status},
    )


def _auth(settings: ConnectionSettings) -> Auth:
    given = settings.credentials
    if given.get("email") and given.get("api_token"):
        return BasicAuth(f"{given['email']}/token", given["api_token"])
    if given.get("oauth_token"):
        return BearerToken(given["oauth_token"])
    raise Misconfigured(
        f"connection {settings.name} needs the credentials `email` and `api_token`, or `oauth_token`",
        hint="see the README of the zendesk folder",
    )


def _said(body: Mapping[str, Any]) -> tuple[str, str]:
    """Code and sentence of an error body, of which Zendesk has three forms."""
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        first = _mapping(cast(list[Any], errors)[0])
        return str(first.get("code") or ""), str(first.get("title") or "")
    error = body.get("error")
    if isinstance(error, dict):
        inner = _mapping(error)  # pyright: ignore[reportUnknownArgumentType]
        return str(inner.get("title") or ""), str(inner.get("message") or "")
    return str(error or ""), str(body.get("description") or body.get("message") or "")


def _first_problem(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The first field that could not be stored, and why."""
    for field, problems in _mapping(body.get("details")).items():
        if isinstance(problems, list) and problems:
            return field, _mapping(cast(list[Any], problems)[0])
    return "", {}


def _organization(answer: Answer) -> Mapping[str, Any]:
    """The organization of an answer to a write."""
    organization = _mapping(_mapping(answer.json()).get("organization"))
    if not organization.get("id"):
        raise Unknown("Zendesk's answer to the write names no organization", detail={"status": answer.status})
    return organization


def _by_external_id(answer: Answer) -> dict[str, Any]:
    """Organizations of a listing by external id, in the one case that Zendesk compares ids in."""
    rows = cast(list[Any], _mapping(answer.json()).get("organizations") or [])
    return {str(row["external_id"]).casefold(): row for row in rows if _mapping(row).get("external_id")}


def _applied(operation: Operation, organization: Mapping[str, Any], *, answer: Answer, already: bool) -> Applied:
    native_id, business_id = str(organization["id"]), str(organization.get("external_id") or "")
    return Applied(
        receipt=Receipt(kind=operation.kind, native_id=native_id, business_id=business_id),
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
        already=already,
    )


async def _unsent(attempt: Attempt) -> Applied:
    raise Misconfigured("the operation was built without a way to send it")


def _mapping(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else {}


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
