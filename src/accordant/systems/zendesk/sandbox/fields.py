"""Custom fields of organizations: what an administrator added, and how each stores what it is given.

Source: https://developer.zendesk.com/api-reference/ticketing/organizations/organization_fields/ (API v2); the form of a
date's value is from the examples of the organizations page.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from accordant.connector.sandbox import Call, Record, Reply, Route
from accordant.systems.zendesk.mapping.nouns import FIELDS, Field
from accordant.systems.zendesk.sandbox import answers

_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,8})?", re.ASCII)
_FIRST_ID = 4_398_096_842_000


class Fields:
    """The organization fields of the account; it starts with those that the platform asks for."""

    def __init__(self) -> None:
        self._fields: dict[str, Field] = dict(FIELDS)

    def routes(self) -> list[Route]:
        return [Route("GET", "/api/v2/organization_fields", "organization_field.list", self.show)]

    async def show(self, call: Call) -> Reply:
        rows = [
            {**self.described(key), "key": key, "active": True, "position": position, "description": ""}
            for position, key in enumerate(self._fields)
        ]
        body = {"organization_fields": rows, "count": len(rows), "next_page": None, "previous_page": None}
        return Reply(200, body)

    def blank(self) -> Record:
        return dict.fromkeys(self._fields)

    def described(self, key: str) -> Record:
        position = list(self._fields).index(key)
        field = self._fields[key]
        return {"id": _FIRST_ID + position, "title": field.title, "type": field.type}

    def stored(self, given: Mapping[str, Any]) -> Record:
        """The values as they are kept; keys that the account does not have are passed over."""
        return {
            key: stored_value(key, value, field=self._fields[key])
            for key, value in given.items()
            if key in self._fields
        }

    def add(self, key: str, field: Field) -> None:
        self._fields[key] = field


def stored_value(key: str, value: Any, *, field: Field) -> Any:
    """The value as a field of its type keeps it; what is empty is null."""
    if value is None or value == "":
        return None
    if field.type == "integer":
        if isinstance(value, bool) or not str(value).lstrip("-").isdecimal():
            raise answers.invalid(key, "InvalidValue", text=f"{field.title}: {value} is not a whole number")
        return int(value)
    if field.type == "decimal":
        if isinstance(value, bool) or not _DECIMAL.fullmatch(str(value)):
            raise answers.invalid(key, "InvalidValue", text=f"{field.title}: {value} is not a decimal number")
        return str(value)
    if field.type == "date":
        try:
            day = datetime.fromisoformat(value).date()
        except (TypeError, ValueError) as error:
            raise answers.invalid(key, "InvalidFormat", text=f"{field.title}: {value} is not a date") from error
        return _midnight(day)
    return value if isinstance(value, str) else str(value)


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00+00:00"
