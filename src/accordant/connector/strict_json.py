"""Reads JSON from outside without believing anything about it.

The fast decoder already refuses wrong syntax, NaN, lone surrogates and bytes that are not UTF-8. It does not notice
duplicate keys (the last one wins), depth short of the interpreter's own limit, or numbers that take seconds to convert.
Those three are found by counting: digits in a row before decoding; containers, level by level, after it; and a key was
lost exactly where the text has more key ends than the value has members. Good input costs about three times the bare
decoding and two thirds of the standard library with a duplicate check. Only bad input pays for finding the place.
"""

import json
from collections.abc import Callable
from decimal import Decimal, DecimalException
from typing import Any, NoReturn, cast

import msgspec

from accordant.kernel.errors import Malformed
from accordant.kernel.pointers import escaped

NUMBER_DIGITS_MAX = 40
EXPONENT_MAX = 308
_BOM = b"\xef\xbb\xbf"
_NUL = b"\\u0000"
_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_TOO_MANY_DIGITS = b"0" * (NUMBER_DIGITS_MAX + 1)


class JsonLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is accepted."""

    bytes_max: int
    members_max: int
    depth_max: int = 64


WEBHOOK = JsonLimits(bytes_max=1 << 20, members_max=20_000)
ANSWER = JsonLimits(bytes_max=8 << 20, members_max=1_000_000)


def decode(body: bytes, limits: JsonLimits = WEBHOOK) -> Any:
    """The value; whole numbers are `int`, all others `Decimal`. A byte order mark in front is dropped.

    Raises:
        Malformed: with a stable `code` and, where one place is to blame, `detail["pointer"]`. Codes: json.empty,
            json.syntax, json.trailing, json.depth, json.duplicate_key, json.nonfinite, json.too_many_members,
            number.too_long, number.exponent, number.out_of_range, encoding.not_utf8, text.surrogate, text.nul,
            body.too_large.
    """
    if len(body) > limits.bytes_max:
        raise _bad(f"the body has {len(body)} bytes; expected at most {limits.bytes_max}", code="body.too_large")
    if body.startswith(_BOM):
        body = body[3:]
    if _TOO_MANY_DIGITS in body.translate(_TO_ZERO) and _TOO_MANY_DIGITS in _outside_strings(body).translate(_TO_ZERO):
        raise _too_long()
    try:
        value = _decoder.decode(body)
    except RecursionError:
        raise _too_deep(limits) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        _say_why(body)
    members = _members(value, limits)
    if members > limits.members_max:
        raise _bad(
            f"the body has {members} members; expected at most {limits.members_max}", code="json.too_many_members"
        )
    if members != _key_ends(body) and members != _outside_strings(body).count(b":"):
        raise _duplicate(body)
    if _NUL in body and _NUL in body.replace(b"\\\\", b""):
        raise _nul(value)
    return value


def encode(value: Any) -> bytes:
    """JSON in which a `Decimal` stays a number, so that a row can be cut out of a page and kept."""
    return _encoder.encode(value)


def _number(text: str) -> Decimal:
    """A number with a fraction or an exponent, exactly as written."""
    try:
        number = Decimal(text)
    except DecimalException:
        raise _bad("a number's exponent is absurd; expected plain decimals", code="number.exponent") from None
    if not -EXPONENT_MAX <= number.adjusted() <= EXPONENT_MAX:
        code = "number.out_of_range" if abs(number.adjusted()) < 1000 else "number.exponent"
        raise _bad(f"the number {text[:40]} is out of range; expected plain decimals", code=code)
    return number


_decoder = msgspec.json.Decoder(float_hook=_number)
_encoder = msgspec.json.Encoder(decimal_format="number")


def _members(value: Any, limits: JsonLimits) -> int:
    """How many object members there are, counted level by level; refuses too many levels."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    members = 0
    depth = 0
    while level:
        depth += 1
        if depth > limits.depth_max:
            raise _too_deep(limits)
        below: list[Any] = []
        for container in level:
            items = container
            if type(container) is dict:
                members += len(cast("dict[str, Any]", container))
                items = cast("dict[str, Any]", container).values()
            below += [item for item in items if type(item) is dict or type(item) is list]
        level = below
    return members


def _key_ends(body: bytes) -> int:
    """How many keys the text seems to have: never fewer than it has; -1 where white space hides that.

    Where no colon follows white space every key ends in `":`. A text value may hold that too: then a count that differs
    from the members is made again without the insides of strings.
    """
    if b" :" in body or b"\n:" in body or b"\t:" in body or b"\r:" in body:
        return -1
    return body.count(b'":')


def _outside_strings(body: bytes) -> bytes:
    """The text without what stands between quotes."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


# --- Bad input: what is wrong, and where ------------------------------------------------------------------------------


_EXPECTED = {
    "body.too_large": "send less at a time",
    "encoding.not_utf8": "write the text as UTF-8",
    "json.depth": "flatten it; no document of ours needs so many levels",
    "json.duplicate_key": "leave one of the two: nobody can say which one was meant",
    "json.too_many_members": "send less at a time",
    "number.exponent": "write the number with plain digits, without an exponent",
    "number.out_of_range": "write the number with plain digits, without an exponent",
    "number.too_long": "write ids as text, and amounts with the digits they need",
    "text.nul": "remove the character",
    "text.surrogate": "write the character whole, as UTF-8 or as both halves of its pair",
}
"""What to do about each code; for the others: mend the document."""


def _bad(message: str, *, code: str, detail: dict[str, Any] | None = None) -> Malformed:
    hint = _EXPECTED.get(code, "mend the JSON where it is written, and send it again")
    return Malformed(message, code=code, hint=hint, detail=detail)


class _Found(Exception):
    """The standard library's decoder met what was looked for."""


class _Twice(msgspec.Struct, frozen=True):
    """Stands where an object held one key twice."""

    key: str


def _too_long() -> Malformed:
    return _bad(
        f"a number has more than {NUMBER_DIGITS_MAX} digits in a row; expected at most so many", code="number.too_long"
    )


def _too_deep(limits: JsonLimits) -> Malformed:
    return _bad(
        f"the body is nested more than {limits.depth_max} levels deep; expected at most so many", code="json.depth"
    )


def _say_why(body: bytes) -> NoReturn:
    """Classify what the fast decoder refused, with the standard library and without converting a number."""
    if not body.strip(b" \t\r\n"):
        raise _bad("the body is empty; expected JSON", code="json.empty")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _bad(
            f"byte {error.start} is not UTF-8; expected UTF-8 text",
            code="encoding.not_utf8",
            detail={"byte": error.start},
        ) from None
    if "\0" in text[:2]:
        raise _bad("the body is not UTF-8, it looks like UTF-16; expected UTF-8 text", code="encoding.not_utf8")
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        # After a bare scalar more text is a typing mistake, such as 00123, rather than a second value.
        second = error.msg == "Extra data" and text.lstrip()[0] in "{["
        code = "json.trailing" if second else "json.syntax"
        place = {"line": error.lineno, "column": error.colno}
        message = f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}; expected one JSON document"
        raise _bad(message, code=code, detail=place) from None
    except _Found:
        raise _bad("NaN and Infinity are not JSON; expected a number", code="json.nonfinite") from None
    except RecursionError:
        raise _bad("the body is nested too deeply; expected a few levels", code="json.depth") from None
    if "\\ud" in text.lower():
        raise _bad("a text holds half of a surrogate pair; expected whole characters", code="text.surrogate")
    raise _bad("not JSON; expected one JSON document", code="json.syntax")


def _refuse_constant(_: str) -> NoReturn:
    raise _Found


def _duplicate(body: bytes) -> Malformed:
    """Find the key that stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> Any:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        seen: set[str] = set()
        return _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))

    tree = json.loads(body, parse_int=str, parse_float=str, object_pairs_hook=once)
    pointer, twice = _find(tree, lambda value: isinstance(value, _Twice))
    pointer = f"{pointer}/{escaped(cast('_Twice', twice).key)}"
    message = f"the key {pointer[:100]} stands twice; expected once"
    return _bad(message, code="json.duplicate_key", detail={"pointer": pointer[:200]})


def _nul(value: Any) -> Malformed:
    pointer, _ = _find(value, lambda found: isinstance(found, str) and "\0" in found)
    message = f"the text at {pointer[:100] or '/'} holds a NUL character; expected text without it"
    return _bad(message, code="text.nul", detail={"pointer": pointer[:200]})


def _find(tree: Any, wanted: Callable[[Any], bool]) -> tuple[str, Any]:
    """JSON pointer (RFC 6901) and value of the first wanted value or key; the tree is at most 64 levels deep."""
    stack: list[tuple[str, Any]] = [("", tree)]
    while stack:
        pointer, value = stack.pop()
        if wanted(value):
            return pointer, value
        if isinstance(value, dict):
            members = list(cast("dict[str, Any]", value).items())
            stack.extend((f"{pointer}/{escaped(key)}", item) for key, item in reversed(members))
            stack.extend((pointer, key) for key, _ in members if wanted(key))
        elif isinstance(value, list):
            items = list(enumerate(cast("list[Any]", value)))
            stack.extend((f"{pointer}/{place}", item) for place, item in reversed(items))
    return "", None
