"""How every verb is put to NetSuite: one record saved under our own id, and looked up under it when in doubt.

SuiteTalk REST record v1, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156335203191.html (upsert by external id)
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156334828635.html (`eid:` in every address)
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast

import msgspec

from accordant.canonical.operation import Applied, Attempt, Facts, Operation, Receipt
from accordant.connector.capabilities import Capability
from accordant.connector.exchange import Answer, Request, segment
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Malformed, Rejected, Unknown
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.manners import name_period

RECORD = "/services/rest/record/v1"
UPSERT = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156335203191.html"
REPLACE = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html"
encoder = msgspec.json.Encoder(decimal_format="number")


def shows_total(found: Mapping[str, Any], expected: Facts) -> bool:
    """Whether the record has the amount that this very operation leaves; an earlier state is not its doing."""
    total = mapping.amount_minor(found.get("total"), cast("str", expected["currency"]))
    return total == expected["amount_minor"]


def is_there(found: Mapping[str, Any], expected: Facts) -> bool:
    """Enough for a record that no later verb changes."""
    return True


class Save(msgspec.Struct, frozen=True, kw_only=True):
    """One record as one verb saves it."""

    capability: Capability
    business_id: str
    method: str
    record: str
    replace: str
    """The sublist to put in the place of the one there; empty where none is sent."""
    body: Callable[[], dict[str, Any]]
    """Built when sent, so that what cannot be mapped is an outcome of the effect."""
    command: object
    expected: Facts
    shows: Callable[[Mapping[str, Any], Facts], bool] = shows_total
    """Whether a record found under our id, as `GET` answers it, stands as this save leaves it."""
    dated: date | None = None
    """The day the books enter it under; its period may be closed."""
    master_data: bool = False


class Calls:
    """One connection's saves."""

    def __init__(self, connection: str, http: VendorHttp) -> None:
        self._connection = connection
        self._http = http

    def operation(self, save: Save) -> Operation:
        async def send(attempt: Attempt) -> Applied:
            try:
                answer = await self._http.write(_request(save), attempt=attempt)
            except Rejected as refusal:
                name_period(refusal, save.dated)
                raise
            return _applied(save, _native_id(answer), answer=answer)

        async def look_up(attempt: Attempt) -> Applied | None:
            request = Request("GET", _path(save), accept=frozenset({404}))
            answer = await self._http.read(request, priority=attempt.priority)
            if answer.status == 404:
                return None
            found = members(answer)
            return _applied(save, str(found["id"]), answer=answer) if save.shows(found, save.expected) else None

        return Operation(
            system="erp",
            connection=self._connection,
            verb=save.capability.verb,
            kind=save.capability.kind,
            business_id=save.business_id,
            effect_class=save.capability.effect_class,
            command=save.command,
            send=send,
            look_up=look_up,
            expected=save.expected,
            master_data=save.master_data,
        )


def members(answer: Answer) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict):
        raise Malformed("NetSuite answered something that is not an object", code="netsuite.answer")
    return cast("dict[str, Any]", body)


def _path(save: Save) -> str:
    return f"{RECORD}/{save.record}/{segment(mapping.eid(save.business_id))}"


def _request(save: Save) -> Request:
    return Request(
        save.method,
        _path(save),
        query=(("replace", save.replace),) if save.replace else (),
        body=encoder.encode(save.body()),
        content_type="application/json",
    )


def _native_id(answer: Answer) -> str:
    """The internal id at the end of `Location`.

    Raises:
        Unknown: the write went through, but which record it wrote is not said.
    """
    native_id = answer.headers.get("location", "").rpartition("/")[2]
    if not (native_id.isascii() and native_id.isdecimal()):
        raise Unknown("NetSuite's answer to the write names no record", detail={"status": answer.status})
    return native_id


def _applied(save: Save, native_id: str, *, answer: Answer) -> Applied:
    return Applied(
        receipt=Receipt(kind=save.capability.kind, native_id=native_id, business_id=save.business_id),
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
    )
