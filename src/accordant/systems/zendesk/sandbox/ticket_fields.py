"""Custom fields of tickets: what an administrator added, found by title, named by id on every ticket.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_fields/ (one unpaginated list; create, update)
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (`custom_fields` as id and value)
https://support.zendesk.com/hc/en-us/articles/4418443326106 (what the account does not know is passed over)
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from accordant.connector.sandbox import Call, Record, Reply, Route, Write
from accordant.systems.zendesk.mapping.nouns import (
    ANSWER,
    DISPUTE_ANSWER,
    DISPUTED,
    REQUEST,
    RULING,
    Field,
    case_facts,
    dispute_facts,
)
from accordant.systems.zendesk.sandbox import answers
from accordant.systems.zendesk.sandbox.fields import stored_value

AGENTS_FIELDS: tuple[Record, ...] = tuple(
    {"title": field.title, "type": field.type}
    for field in (REQUEST, *ANSWER.values(), DISPUTED, RULING, *DISPUTE_ANSWER.values())
)
"""What an administrator creates so that agents can ask and see the answer, as `load` takes it."""
_FIRST_ID = 21_938_362_000
_TITLES = {
    "case": frozenset(field.title for field in ANSWER.values()),
    "dispute": frozenset(field.title for field in DISPUTE_ANSWER.values()),
}
"""What the platform writes, by the kind that the ledger names it."""


class TicketField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the account; a deactivated one stays listed and takes no values."""

    id: int
    field: Field
    active: bool = True


class TicketFields:
    """The custom ticket fields of the account; it starts with none."""

    def __init__(self) -> None:
        self._fields: dict[int, TicketField] = {}

    def routes(self) -> list[Route]:
        at = "/api/v2/ticket_fields"
        return [
            Route("GET", at, "ticket_field.list", self.show),
            Route("POST", at, "ticket_field.create", self.create),
            Route("PUT", at + r"/{id:\d+}", "ticket_field.update", self.update),
        ]

    async def show(self, call: Call) -> Reply:
        rows = [_row(known) for known in self._fields.values()]
        return Reply(200, {"ticket_fields": rows, "count": len(rows), "next_page": None, "previous_page": None})

    async def create(self, call: Call) -> Write:
        given = answers.enveloped(call, "ticket_field")
        if not given.get("title"):
            raise answers.invalid("title", "BlankValue", text="Title: cannot be blank")
        made = self._made(given)
        return Write(Reply(201, {"ticket_field": _row(made)}), (), lambda: self._put(made))

    async def update(self, call: Call) -> Write:
        """Title and `active`; the type of a field stays."""
        known = self._fields.get(int(call.params["id"]))
        if known is None:
            raise answers.not_found()
        given = answers.enveloped(call, "ticket_field")
        field = Field(given.get("title", known.field.title), known.field.type)
        changed = TicketField(id=known.id, field=field, active=given.get("active", known.active))
        return Write(Reply(200, {"ticket_field": _row(changed)}), (), lambda: self._put(changed))

    def add(self, given: Record) -> None:
        """Create a field at once."""
        self._put(self._made(given))

    def kept(self, held: list[Record], given: object) -> list[Record]:
        """A ticket's values after a write: every active field has its entry, ids that nobody knows are passed over."""
        values = {row["id"]: row["value"] for row in held}
        for row in _rows(given):
            known = self._fields.get(row.get("id", 0))
            if known is not None and known.active:
                values[known.id] = stored_value(known.field.title, row.get("value"), field=known.field)
        return [{"id": known.id, "value": values.get(known.id)} for known in self._fields.values() if known.active]

    def changes(self, before: list[Record], after: list[Record]) -> list[tuple[str, Record]]:
        """Topic and `event` for each field that has another value now."""
        old = {row["id"]: row["value"] for row in before}
        return [
            ("custom_field_changed", self._event(row["id"], row["value"], previous=old.get(row["id"])))
            for row in after
            if row["value"] != old.get(row["id"])
        ]

    def case(self, ticket: Mapping[str, Any]) -> Record | None:
        """What a ticket says of its credit, in canonical words; None where it says nothing."""
        by_title = self._by_title(ticket)
        facts = case_facts({name: by_title.get(field.title) for name, field in ANSWER.items()})
        asked = by_title.get(REQUEST.title)
        return None if facts is None and asked is None else {"request": asked, **(facts or dict.fromkeys(ANSWER))}

    def dispute(self, ticket: Mapping[str, Any]) -> Record | None:
        """What a ticket says of its dispute, in canonical words; None where it says nothing."""
        by_title = self._by_title(ticket)
        facts = dispute_facts({name: by_title.get(field.title) for name, field in DISPUTE_ANSWER.items()})
        asked = {"invoice": by_title.get(DISPUTED.title), "ruling": by_title.get(RULING.title)}
        return None if facts is None and not any(asked.values()) else {**asked, **(facts or {})}

    def answered(self, given: object) -> str:
        """The kind of answer that a write's values are, and no others; empty where they are none."""
        known = [self._fields.get(row.get("id", 0)) for row in _rows(given)]
        titles = {one.field.title if one else "" for one in known}
        return next((kind for kind, ours in _TITLES.items() if titles and titles <= ours), "")

    def _by_title(self, ticket: Mapping[str, Any]) -> Record:
        return {self._fields[row["id"]].field.title: row["value"] for row in ticket["custom_fields"]}

    def _made(self, given: Record) -> TicketField:
        """A field that is made anew gets another id."""
        field = Field(given["title"], given.get("type", "text"))
        return TicketField(id=_FIRST_ID + len(self._fields), field=field, active=given.get("active", True))

    def _put(self, field: TicketField) -> None:
        self._fields[field.id] = field

    def _event(self, field_id: int, current: Any, *, previous: Any) -> Record:
        field = self._fields[field_id].field
        named = {"id": str(field_id), "title": field.title, "type": field.type}
        return {"custom_field": named, "current": {"value": current}, "previous": {"value": previous}}


def _row(known: TicketField) -> Record:
    title = known.field.title
    row: Record = {"id": known.id, "type": known.field.type, "active": known.active, "removable": True}
    row |= {"title": title, "raw_title": title, "title_in_portal": title, "position": known.id - _FIRST_ID}
    return row | {"description": "", "required": False, "visible_in_portal": False, "editable_in_portal": False}


def _rows(given: object) -> list[Record]:
    """The `custom_fields` of a write, as far as they are objects."""
    rows = cast(list[object], given) if isinstance(given, list) else []
    return [row for one in rows if (row := answers.as_record(one)) is not None]
