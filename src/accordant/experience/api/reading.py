"""Reads what a program sends to the API, and says of every fault which field it is in and what to send instead."""

from typing import Any, TypeVar, cast

import msgspec
from litestar import Request

from accordant.connector.strict_json import JsonLimits, decode
from accordant.kernel.errors import Malformed, Refused
from accordant.kernel.pointers import pointer_in, without_place

BODY_MAX = 1024 * 1024
HEADERS_MAX = 16 * 1024
SHOWN_MAX = 100
"""How much of what was sent is ever repeated."""
ACTOR = "operator"
"""Who commands, where nobody is named."""
_ACTOR_MAX = 100
_LIMITS = JsonLimits(bytes_max=BODY_MAX, members_max=10_000)
_JSON = "application/json"

AnyRequest = Request[Any, Any, Any]
Body = TypeVar("Body", bound=msgspec.Struct)


def shown(text: str) -> str:
    """A text of somebody else, short enough and plain enough to stand in a message."""
    plain = "".join(char if char.isprintable() else "�" for char in text[:SHOWN_MAX])
    return plain if len(text) <= SHOWN_MAX else plain[: SHOWN_MAX - 1] + "…"


def refuse_hostile(request: AnyRequest) -> None:
    """Refuse headers beyond all measure, and names in the path that no thing of ours can have.

    Raises:
        Refused: `headers.too_large`, `path.characters`.
    """
    size = sum(len(name) + len(value) for name, value in request.scope["headers"])
    if size > HEADERS_MAX:
        raise Refused(
            f"the request's headers have {size} bytes; expected at most {HEADERS_MAX}",
            code="headers.too_large",
            hint="send the token and the actor, and no cookies",
        )
    for value in request.path_params.values():
        if not str(value).isprintable():
            raise Refused(
                "the path holds a character that cannot be seen; expected an id or a name as the platform shows it",
                code="path.characters",
                hint="copy the id from `accordant exception list` or from the API's own answer",
            )


def actor_of(request: AnyRequest) -> str:
    """Who commands, as the audit will name them. Raises Malformed for what is no name."""
    actor = request.headers.get("x-actor", ACTOR).strip()
    if not actor or len(actor) > _ACTOR_MAX or not actor.isprintable():
        raise Malformed(
            f"X-Actor is {actor[:40]!r}; expected 1 to {_ACTOR_MAX} printable characters",
            code="actor.malformed",
            hint="send the name of who commands, as the audit will say it, or leave X-Actor out",
        )
    return actor


async def read_body(request: AnyRequest, kind: type[Body]) -> Body:
    """The body as a struct of this kind.

    Raises:
        Malformed: the codes of `strict_json.decode`; `body.media_type`, `body.encoding`, `body.not_object`,
            `body.field` with `detail["pointer"]`.
    """
    _require_plain_json(request)
    value: object = decode(await request.body(), _LIMITS)
    names = ", ".join(field.name for field in msgspec.structs.fields(kind))
    if not isinstance(value, dict):
        raise Malformed(
            f"the body is JSON and no object; expected an object with the fields {names}",
            code="json.not_object",
            hint="see docs/cli.md for what the request takes",
            detail={"pointer": ""},
        )
    try:
        return msgspec.convert(cast("dict[str, Any]", value), type=kind)
    except msgspec.ValidationError as wrong:
        pointer = pointer_in(str(wrong))
        raise Malformed(
            f"{shown(pointer) or 'the body'}: {without_place(str(wrong))}; expected the fields {names}",
            code="body.field",
            hint="see docs/cli.md for what each field takes",
            detail={"pointer": pointer},
        ) from None


def _require_plain_json(request: AnyRequest) -> None:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != _JSON:
        form = said in {"application/x-www-form-urlencoded", "multipart/form-data"}
        raise Malformed(
            f"the body is sent as {shown(said)!r}; expected Content-Type: {_JSON}",
            code="body.media_type",
            hint="send a JSON object rather than a form" if form else f"send JSON, and say so: Content-Type: {_JSON}",
        )
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        raise Malformed(
            f"the body is sent as {shown(encoding)!r}; expected it uncompressed",
            code="body.encoding",
            hint="leave Content-Encoding out and send the JSON as it is",
        )
