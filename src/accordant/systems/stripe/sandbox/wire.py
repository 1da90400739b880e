"""How requests and answers look on the wire: bracketed forms in, JSON and named errors out.

Source: https://docs.stripe.com/api/errors, https://docs.stripe.com/error-codes (API version 2026-10-28.endive).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from accordant.connector.sandbox import Record, Refused, Reply

Params = dict[str, Any]
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DEPTH_MAX = 8
METADATA_KEYS_MAX = 50
METADATA_NAME_MAX = 40
METADATA_VALUE_MAX = 500


class Invalid(Refused):
    """Refused by validation, before the endpoint began to execute: nothing is saved under the idempotency key."""


def error_reply(message: str, *, status: int = 400, code: str | None = None, param: str | None = None) -> Reply:
    """The vendor's error envelope."""
    error: Record = {"message": message, "type": "invalid_request_error"}
    if code is not None:
        error["code"] = code
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    if param is not None:
        error["param"] = param
    return Reply(status, {"error": error})


def typed_error(kind: str, message: str, *, status: int, code: str | None = None) -> Reply:
    """An error of another type than `invalid_request_error`."""
    error: Record = {"message": message, "type": kind}
    if code is not None:
        error["code"] = code
    return Reply(status, {"error": error})


def no_such(what: str, native_id: str, *, param: str = "id") -> Refused:
    """404 for an id in the path, 400 for one in a parameter."""
    status = 404 if param == "id" else 400
    return Refused(error_reply(f"No such {what}: '{native_id}'", status=status, code="resource_missing", param=param))


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> Invalid:
    return Invalid(error_reply(message, param=param, code=code))


def unfold(pairs: Iterable[tuple[str, str]]) -> Params:
    """`items[0][price]=p` becomes {"items": {"0": {"price": "p"}}}; `expand[]=a` counts on from 0."""
    tree: Params = {}
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        steps = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else [name]
        if len(steps) > _DEPTH_MAX:
            raise invalid(f"Invalid parameter: {name[:100]}", param=name[:100])
        place = tree
        for step in steps[:-1]:
            inner = place.setdefault(step or str(len(place)), {})
            if not isinstance(inner, dict):
                raise invalid(f"Invalid object: {name[:100]}", param=name[:100])
            place = cast(Params, inner)
        place[steps[-1] or str(len(place))] = value
    return tree


def only(params: Mapping[str, Any], allowed: frozenset[str], *, within: str = "") -> None:
    """Refuse parameters that the endpoint does not know."""
    for name in params:
        if name not in allowed:
            full = f"{within}[{name}]" if within else name
            raise invalid(f"Received unknown parameter: {full}", param=full, code="parameter_unknown")


def required(params: Mapping[str, Any], name: str, *, within: str = "") -> str:
    value = params.get(name)
    full = f"{within}[{name}]" if within else name
    if value is None or value == "":
        raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    return text(value, param=full)


def text(value: object, *, param: str) -> str:
    if not isinstance(value, str):
        raise invalid("Invalid string", param=param)
    return value


def whole(value: object, *, param: str) -> int:
    """An integer, as forms carry it."""
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        shown = value if isinstance(value, str) else "object"
        raise invalid(f"Invalid integer: {shown[:100]}", param=param, code="parameter_invalid_integer")
    return int(value)


def one_of(value: object, choices: Iterable[str], *, param: str) -> str:
    known = tuple(choices)
    if value not in known:
        raise invalid(f"Invalid {param}: must be one of {', '.join(known)}", param=param)
    return cast(str, value)


def mapping(value: object, *, param: str) -> Params:
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=param)
    return cast(Params, value)


def rows(value: object, *, param: str) -> list[Any]:
    """The members of an array parameter, in the order of their indexes."""
    members = mapping(value, param=param)
    if not all(index.isascii() and index.isdigit() for index in members):
        raise invalid("Invalid array", param=param)
    return [members[index] for index in sorted(members, key=int)]


def metadata_after(before: Mapping[str, str], change: object) -> dict[str, str]:
    """Metadata is merged key by key; an empty value removes its key, an empty string removes all.

    Source: https://docs.stripe.com/api/metadata (50 keys of 40 characters, values of 500).
    """
    if change == "":
        return {}
    after = dict(before)
    for name, value in mapping(change, param="metadata").items():
        plain = text(value, param=f"metadata[{name}]")
        if len(name) > METADATA_NAME_MAX:
            raise invalid(f"Metadata keys can have up to 40 characters, {name[:60]!r} has more.", param="metadata")
        if len(plain) > METADATA_VALUE_MAX:
            message = f"Metadata values can have up to 500 characters, but you passed in a value that is {len(plain)}."
            raise invalid(message, param=f"metadata[{name}]")
        if plain == "":
            after.pop(name, None)
        else:
            after[name] = plain
    if len(after) > METADATA_KEYS_MAX:
        raise invalid("Metadata can have up to 50 keys.", param="metadata")
    return after
