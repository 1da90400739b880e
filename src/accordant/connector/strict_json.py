"""Reads JSON from outside without believing anything about it."""

from typing import Any

import msgspec


class JsonLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is accepted."""

    bytes_max: int
    members_max: int
    depth_max: int = 64
    number_chars_max: int = 40


WEBHOOK = JsonLimits(bytes_max=1 << 20, members_max=20_000)
ANSWER = JsonLimits(bytes_max=8 << 20, members_max=1_000_000)


def decode(body: bytes, limits: JsonLimits = WEBHOOK) -> Any:
    """The value; whole numbers are `int`, all others `Decimal`.

    Raises:
        Malformed: with a stable `code` and, where one place is to blame, `detail["pointer"]`. Codes: json.empty,
            json.syntax, json.trailing, json.depth, json.duplicate_key, json.nonfinite, json.too_many_members,
            number.too_long, number.out_of_range, encoding.not_utf8, text.surrogate, text.nul, body.too_large.
    """
    raise NotImplementedError


def encode(value: Any) -> bytes:
    """JSON in which a `Decimal` stays a number, so that a row can be cut out of a page and kept."""
    raise NotImplementedError
