"""Shows on a ticket where its credit or its dispute stands, in custom fields that are found by their titles.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (update; show many, 100 at a time)
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/ (one unpaginated list; worth caching)
https://support.zendesk.com/hc/en-us/articles/4418443326106 (what a write names and Zendesk does not know is passed
over with status 200, and the answer shows what was kept)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from accordant.canonical.operation import Applied, Attempt, Facts, Operation, ReadRef, Receipt
from accordant.connector.http import Answer, Request, VendorHttp, segment
from accordant.kernel.errors import Misconfigured, Unknown
from accordant.kernel.priority import Priority
from accordant.systems.zendesk.client.answers import applied, rows_in, written
from accordant.systems.zendesk.mapping import nouns

TICKETS = "/api/v2/tickets"
TICKET_FIELDS = "/api/v2/ticket_fields"
BATCH_MAX = 100


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of fields tells: their titles by our names, and how they are read."""

    about: str
    fields: Mapping[str, nouns.Field]
    facts: Callable[[Mapping[str, Any]], Facts | None]


CREDIT = Told(about="a credit", fields=nouns.ANSWER, facts=nouns.case_facts)
DISPUTE = Told(about="a dispute", fields=nouns.DISPUTE_ANSWER, facts=nouns.dispute_facts)


class Cases:
    """The tickets of one account, seen through one group of fields; remembers their ids once all are there."""

    def __init__(self, http: VendorHttp, told: Told) -> None:
        self._http = http
        self._told = told
        self._ids: Mapping[str, int] | None = None

    def answering(self, operation: Operation, source_id: str, *, values: Mapping[str, str | None]) -> Operation:
        """The operation with the calls that set the fields and look for them."""
        receipt = Receipt(kind=operation.kind, native_id=source_id, business_id=operation.business_id)

        async def send(attempt: Attempt) -> Applied:
            ids = await self._field_ids(attempt.priority)
            fields = [{"id": ids[name], "value": value} for name, value in values.items()]
            body = msgspec.json.encode({"ticket": {"custom_fields": fields}})
            request = Request("PUT", f"{TICKETS}/{segment(source_id)}", body=body)
            answer = await self._http.write(request, attempt=attempt)
            self._require_taken(written(answer, "ticket"), {ids[name] for name, value in values.items() if value})
            return applied(receipt, answer)

        async def look_up(attempt: Attempt) -> Applied | None:
            answer = await self._read_many([source_id], attempt.priority)
            facts = await self._facts(answer, attempt.priority)
            return applied(receipt, answer) if facts.get(source_id) == operation.expected else None

        return msgspec.structs.replace(operation, send=send, look_up=look_up)

    async def read_back(self, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """What the tickets say, 100 a call; a ticket that tells no status is absent."""
        found: dict[str, Facts] = {}
        for start in range(0, len(refs), BATCH_MAX):
            answer = await self._read_many(
                [ref.native_id for ref in refs[start : start + BATCH_MAX]], Priority.BACKGROUND
            )
            found |= await self._facts(answer, Priority.BACKGROUND)
        return found

    async def _read_many(self, ids: Sequence[str], priority: Priority) -> Answer:
        request = Request("GET", f"{TICKETS}/show_many", query=(("ids", ",".join(ids)),))
        return await self._http.read(request, priority=priority)

    async def _facts(self, answer: Answer, priority: Priority) -> dict[str, Facts]:
        ids = await self._field_ids(priority)
        told = {str(row.get("id")): self._told.facts(_values(row, ids)) for row in rows_in(answer.json(), "tickets")}
        return {native_id: facts for native_id, facts in told.items() if facts is not None}

    async def _field_ids(self, priority: Priority) -> Mapping[str, int]:
        if self._ids is None:
            answer = await self._http.read(Request("GET", TICKET_FIELDS), priority=priority)
            self._ids = _ids_by_title(answer, self._told)
        return self._ids

    def _require_taken(self, ticket: Mapping[str, Any], sent: set[int]) -> None:
        """A field made anew has another id, and Zendesk passes over the old one: the ids are then looked up again."""
        shown = {row.get("id") for row in rows_in(ticket, "custom_fields")}
        if not sent <= shown:
            self._ids = None
            raise Unknown("Zendesk took the ticket's fields for unknown ones; their ids are looked up again")


def _ids_by_title(answer: Answer, told: Told) -> dict[str, int]:
    """The ids of the answer's fields.

    Raises:
        Misconfigured: `zendesk.field_missing` or `zendesk.field_twice`; titles need not be unique in Zendesk.
    """
    titles = {field.title: name for name, field in told.fields.items()}
    found: dict[str, int] = {}
    for row in rows_in(answer.json(), "ticket_fields"):
        name = titles.get(str(row.get("title")))
        if name is None or not row.get("active", True):
            continue
        if name in found:
            why = "more than one active ticket field has the title"
            raise _unusable([name], told, code="zendesk.field_twice", why=why)
        found[name] = row["id"]
    missing = [name for name in told.fields if name not in found]
    if missing:
        raise _unusable(missing, told, code="zendesk.field_missing", why="no active ticket field has the title")
    return found


def _unusable(names: Sequence[str], told: Told, *, code: str, why: str) -> Misconfigured:
    fields = [told.fields[name] for name in names]
    titles = ", ".join(f"{field.title!r} ({field.type})" for field in fields)
    return Misconfigured(
        f"Zendesk cannot show where {told.about} stands: {why} {titles}; expected exactly one each",
        code=code,
        hint="an administrator sets the ticket fields right in Zendesk's Admin Center; then retry",
        detail={"fields": [field.title for field in fields]},
    )


def _values(ticket: Mapping[str, Any], ids: Mapping[str, int]) -> dict[str, Any]:
    held = {row.get("id"): row.get("value") for row in rows_in(ticket, "custom_fields")}
    return {name: held.get(field_id) for name, field_id in ids.items()}
