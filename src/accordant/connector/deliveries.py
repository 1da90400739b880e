"""What every proved delivery needs: a name under which it is kept once, and, to be understood, an event with an id.

The name never fails. A vendor that signed garbage is told that it arrived, for refusing it would only bring it again or
have us switched off; what is wrong with it is said later, where it is translated, and shown to an owner.
"""

import re
from typing import Any, cast

from accordant.connector.strict_json import decode
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import content_hash

_ID = re.compile(r"[A-Za-z0-9_:-]{1,255}", re.ASCII)
DERIVED = "body-"
"""Begins the name of a delivery that named itself not at all, or not properly."""


def name_of(body: bytes, *, given: str = "") -> str:
    """The event's own id; else the name `given` with the delivery; else one made of the body's bytes."""
    try:
        found: object = event_object(body).get("id")
    except Malformed:
        found = None
    for candidate in (found, given):
        if isinstance(candidate, str) and _ID.fullmatch(candidate.strip()):
            return candidate.strip()
    return DERIVED + content_hash(body)


def event_object(body: bytes) -> dict[str, Any]:
    """The members of a delivery's body.

    Raises:
        Malformed: the codes of `strict_json.decode`, and `json.not_object`.
    """
    value: object = decode(body)
    if not isinstance(value, dict):
        raise Malformed(
            "the body is JSON and no object; expected one JSON object, the event",
            code="json.not_object",
            hint="ask the vendor what it sent, or look for another program that signs with the same secret",
            detail={"pointer": ""},
        )
    return cast("dict[str, Any]", value)


def require_id(event: dict[str, Any]) -> str:
    """The event's id.

    Raises:
        Malformed: `event.id.missing` or `event.id.invalid`, at /id.
    """
    found = event.get("id")
    if found is None:
        raise Malformed(
            "/id: the event names no id; expected one, by which it is told apart from every other",
            code="event.id.missing",
            hint="look the delivery up in the vendor's log; once its mapping knows it, replay the message",
            detail={"pointer": "/id"},
        )
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise Malformed(
            "/id: the event's id is unusable; expected 1 to 255 letters, digits, and the characters _ : -",
            code="event.id.invalid",
            hint="look the delivery up in the vendor's log; an id like this is a defect of the sender",
            detail={"pointer": "/id"},
        )
    return found
