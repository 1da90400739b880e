"""A form in a file becomes a struct; each field that does not fit is named with its line."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from accordant.governance.likeness import did_you_mean
from accordant.governance.problems import File
from accordant.governance.strict_yaml import Spot

Shape = TypeVar("Shape", bound=msgspec.Struct)


def read_struct(spot: Spot, shape: type[Shape], *, file: File, given: Mapping[str, Any] | None = None) -> Shape | None:
    """The struct a mapping describes; None where anything did not fit. `given` fields are not read from the file."""
    known = {field.name: field for field in msgspec.structs.fields(shape) if field.name not in (given or {})}
    if not isinstance(spot.value, dict):
        file.problem(
            spot.at, "config.shape", what="no mapping", expected=f"the keys {', '.join(known)}", fix="write them"
        )
        return None
    refuse_unknown(spot, known, file=file)
    values: dict[str, Any] = dict(given or {})
    complete = True
    for name, field in known.items():
        found = spot.value.get(name)
        if found is not None:
            fits, values[name] = _convert(name, found, kind=field.type, file=file)
            complete = complete and fits
        elif field.required:
            complete = False
            file.problem(
                spot.key_at,
                "config.missing_key",
                what=f"{name!r} is missing",
                expected=describe(field.type),
                fix=f"add `{name}: …`",
            )
    return shape(**values) if complete else None


def refuse_unknown(spot: Spot, known: Mapping[str, Any], *, file: File) -> None:
    """Note every key that nobody would read."""
    for name, found in spot.entries.items():
        if name not in known:
            file.problem(
                found.key_at,
                "config.unknown_key",
                what=f"{name!r} is not known here",
                expected=", ".join(known),
                fix=did_you_mean(name, known),
            )


def describe(kind: Any) -> str:
    """A field's type in words."""
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, "the documented form")


def _convert(name: str, found: Spot, *, kind: Any, file: File) -> tuple[bool, Any]:
    try:
        return True, msgspec.convert(found.plain(), type=kind)
    except msgspec.ValidationError as wrong:
        # msgspec names the type it found, never the value: a secret pasted into the file is not repeated here.
        shown = f": {found.value!r}" if get_origin(kind) is Literal else ""
        file.problem(
            found.at, "config.value", what=f"{name!r}{shown}: {wrong}", expected=describe(kind), fix="correct the value"
        )
        return False, None
