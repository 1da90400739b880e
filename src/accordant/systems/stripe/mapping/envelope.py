"""The parts of a Stripe event that decide what becomes of it, and how they are read.

Source: https://docs.stripe.com/api/events/object; API version 2026-10-28.endive.
"""

from typing import Any, cast

import msgspec

from accordant.backbone.message import Message
from accordant.connector.deliveries import event_object, require_id
from accordant.kernel.errors import Malformed

Members = dict[str, Any]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was read, with the message that brought it."""

    message: Message
    type: str
    members: Members
    """The whole event, such as `created`, or `data` with its `previous_attributes`."""


def read(message: Message) -> tuple[Event, Members]:
    """The event and the record that it is about.

    Raises:
        Malformed: the body is not a Stripe event. Codes: those of `deliveries`, and stripe.not_an_event.
    """
    event = event_object(message.body)
    require_id(event)
    if event.get("object") != "event":
        raise malformed("/object", "expected a Stripe event: an object whose member `object` says `event`")
    kind = event.get("type")
    if not isinstance(kind, str) or not kind:
        raise malformed("/type", "expected the event's type, such as `customer.created`")
    record = members_of(members_of(event.get("data"), pointer="/data").get("object"), pointer="/data/object")
    return Event(message=message, type=kind, members=event), record


def members_of(value: object, *, pointer: str) -> Members:
    if not isinstance(value, dict):
        raise malformed(pointer, "expected an object")
    return cast(Members, value)


def malformed(pointer: str, expected: str) -> Malformed:
    return Malformed(
        f"{pointer or 'the body'}: {expected}",
        code="stripe.not_an_event",
        hint="look the delivery up in Stripe's event log; once its mapping knows it, replay the message",
        detail={"pointer": pointer},
    )
