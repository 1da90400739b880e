"""The parts of a Zendesk event that decide what becomes of it, and how they are read.

Event schema versions 2022-06-20 and 2022-11-06. Sources:
https://developer.zendesk.com/api-reference/webhooks/event-types/webhook-event-types/
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
"""

from typing import Any, TypeVar

import msgspec

from accordant.kernel.errors import Malformed
from accordant.kernel.pointers import pointer_in, without_place

PREFIX = "zen:event-type:"


class Detail(msgspec.Struct, frozen=True):
    """What decides whether an organization is ours."""

    external_id: str | None = None


class FieldNamed(msgspec.Struct, frozen=True):
    """A custom field, named by what an administrator called it."""

    title: str | None = None


class Change(msgspec.Struct, frozen=True):
    """A custom field that changed; tickets' events call it `custom_field`, organizations' ones `field`."""

    custom_field: FieldNamed | None = None
    field: FieldNamed | None = None
    current: Any = None
    """The new value, or an object that holds it as `value`."""

    @property
    def title(self) -> str | None:
        named = self.custom_field or self.field
        return named.title if named else None


class Event(msgspec.Struct, frozen=True):
    """The envelope; `event` says what changed, `detail` what it changed on."""

    type: str
    detail: dict[str, Any]
    event: dict[str, Any] | None = None
    time: str = ""


Part = TypeVar("Part", bound=msgspec.Struct)


def read(members: dict[str, Any], part: type[Part], *, at: str) -> Part:
    """The members as `part`; `at` is their place in the delivery.

    Raises:
        Malformed: zendesk.event_malformed.
    """
    try:
        return msgspec.convert(members, type=part)
    except msgspec.ValidationError as error:
        raise malformed(without_place(str(error)), pointer=at + pointer_in(str(error))) from error


def malformed(why: str, *, pointer: str) -> Malformed:
    return Malformed(
        f"{pointer or 'the body'}: the delivery is not a Zendesk event: {why[:200]}; expected `type` and `detail`",
        code="zendesk.event_malformed",
        hint="let the webhook in Zendesk send events rather than a trigger's own text; then replay the message",
        detail={"pointer": pointer, "why": why[:200]},
    )
