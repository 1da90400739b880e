"""One polled row of Salesforce: how its fields are read, and one voice for refusing what cannot be read.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm
(API version 67.0).
"""

from decimal import Decimal
from typing import Any, ClassVar, NoReturn, cast

from accordant.backbone.message import Message
from accordant.connector.strict_json import decode
from accordant.kernel.dates import read_instant_ms, require_likely_ms
from accordant.kernel.errors import Malformed

AHEAD_MS_MAX = 48 * 3_600_000
"""Clocks may be wrong by a day, theirs and ours."""

Row = dict[str, Any]


class Record:
    """One row; a noun says what people call it and which field holds the id they use."""

    NOUN: ClassVar[str]
    NUMBER: ClassVar[str]

    def __init__(self, row: Row) -> None:
        self._row = row

    @property
    def itself(self) -> Row:
        """The whole row, for what is read of accounts on any level."""
        return self._row

    @property
    def native_id(self) -> str:
        return str(self._row.get("Id") or "")

    @property
    def number(self) -> str:
        """The id people use."""
        return self.text(self.NUMBER) or self.native_id

    def text(self, name: str) -> str | None:
        """The field as text, exact for numbers; None where it is empty."""
        return text_of(self._row.get(name))

    def row(self, name: str) -> Row | None:
        """The record that a relationship leads to."""
        return row_of(self._row.get(name))

    def needed(self, name: str, code: str, *, expected: str) -> str:
        value = self.text(name)
        return self.refuse(code, name, value=None, expected=expected) if value is None else value

    def check_shape(self) -> None:
        """A row that did not fit its columns is not believed in any field."""
        raw = self.text("Source_Row__c")
        if raw is not None:
            expected = "as many values as the export has columns"
            self.refuse("row.malformed", "Source_Row__c", value=raw, expected=expected)

    def stamp_ms(self, *, received_at_ms: int) -> int:
        """When Salesforce last changed it; a stamp of the future would outrank every truth until its day comes."""
        value = self.text("SystemModstamp") or ""
        expected = "a date-time such as 2026-11-21T12:00:00.000+0000"
        try:
            stamp_ms = require_likely_ms(read_instant_ms(value))
        except Malformed as wrong:
            self.refuse(wrong.code, "SystemModstamp", value=value or None, expected=expected)
        if stamp_ms > received_at_ms + AHEAD_MS_MAX:
            self.refuse("time.future", "SystemModstamp", value=value, expected="a date-time that is not in the future")
        return stamp_ms

    def refuse(self, code: str, field: str, *, value: str | None, expected: str) -> NoReturn:
        """Raise Malformed in one voice."""
        pointer = field if field.startswith("/") else f"/{field}"
        said = "nothing" if value is None else repr(value[:100])
        raise Malformed(
            f"{self.NOUN} {self.number[:100]}: {pointer[1:]} says {said}; expected {expected}",
            code=code,
            hint=_hint(self.NOUN),
            detail={
                "record": self.number[:100],
                "field": pointer,
                "value": "" if value is None else value[:100],
                "expected": expected,
            },
        )


def decoded(message: Message, noun: str) -> Row:
    """The row; what cannot be decoded is at least named."""
    native_id = message.delivery_id.partition("@")[0][:100]
    try:
        value: object = decode(message.body)
    except Malformed as wrong:
        detail = {"record": native_id, "field": "", "value": "", "expected": "one JSON object", **wrong.detail}
        sentence = f"{noun} {native_id}: {wrong.message}"
        raise Malformed(sentence, code=wrong.code, hint=_hint(noun), detail=detail) from wrong
    if not isinstance(value, dict):
        detail = {"record": native_id, "field": "", "value": str(value)[:100], "expected": "one JSON object"}
        sentence = f"{noun} {native_id}: the row is no object; expected one JSON object"
        raise Malformed(sentence, code="row.malformed", hint=_hint(noun), detail=detail)
    return cast("Row", value)


def text_of(value: Any) -> str | None:
    """A field's value as text, exact for numbers; None where it is empty."""
    if value is None or value == "":
        return None
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if isinstance(value, str) else str(value)


def row_of(value: Any) -> Row | None:
    return cast("Row", value) if isinstance(value, dict) else None


def _hint(noun: str) -> str:
    return f"Correct the {noun} in Salesforce; it is read again as soon as it changes."
