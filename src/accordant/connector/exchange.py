"""What is said to a vendor, and what it answers."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec

from accordant.connector.strict_json import ANSWER, decode
from accordant.kernel.errors import Malformed, Unavailable, Unknown

EXCERPT_CHARS = 200
_EXCERPT_BYTES = 16 << 10
"""Blotted out before it is cut: long enough that the cut never leaves half a token."""
_SECRET_CHARS_MIN = 6


class Request(msgspec.Struct, frozen=True):
    """One call. `path` is percent-encoded already (see `segment`), `query` is not. `Authorization` is not set here."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""
    content_type: str | None = None
    """None: `application/json` where there is a body."""
    accept: frozenset[int] = frozenset()
    """Statuses outside 2xx that are handed back instead of raised, such as 404."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the vendor said. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request_sha256: str = ""
    """Over method, path with query, and body, as sent: `POST /v1/customers?x=1\\n<body>`."""
    response_sha256: str = ""
    """Over the raw body."""
    wrote: bool = False
    """It answers a write: an unreadable body then means that the outcome is unknown."""
    hidden: tuple[Mapping[str, str], ...] = ()
    """Our credentials and the headers made from them, which no message may repeat even if the vendor does."""

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, bytes={len(self.body)})"

    def json(self) -> Any:
        """The decoded body; numbers with a fraction are `Decimal`. None for an empty body.

        Raises:
            Unknown: `vendor.not_json`, in answer to a write.
            Unavailable: the same in answer to a read.
        """
        if not self.body:
            return None
        try:
            return decode(self.body, ANSWER)
        except Malformed as malformed:
            raise self._not_json(malformed) from None

    def json_or_none(self) -> Any:
        """The decoded body, or None where it is not JSON: for reading refusals, which proxies may have written."""
        try:
            return decode(self.body, ANSWER)
        except Malformed:
            return None

    @property
    def excerpt(self) -> str:
        """At most 200 printable characters of the body, for messages to people."""
        text = self.without_secrets(self.body[:_EXCERPT_BYTES].decode(errors="replace"))
        return "".join(char if char.isprintable() else " " for char in text)[:EXCERPT_CHARS]

    def without_secrets(self, text: str) -> str:
        """The text with our credentials blotted out."""
        for secrets in self.hidden:
            for secret in secrets.values():
                for part in (secret, secret.rpartition(" ")[2]):
                    if len(part) >= _SECRET_CHARS_MIN:
                        text = text.replace(part, "***")
        return text

    def _not_json(self, malformed: Malformed) -> Unknown | Unavailable:
        detail = {"status": self.status, "reason": malformed.code, "excerpt": self.excerpt, **malformed.detail}
        message = f"the vendor answered {self.status} with a body that cannot be read as JSON: {malformed.message}"
        if self.wrote:
            return Unknown(message, code="vendor.not_json", detail=detail)
        unavailable = Unavailable(message, detail=detail)
        unavailable.code = "vendor.not_json"
        return unavailable


def form_body(fields: Sequence[tuple[str, str]]) -> bytes:
    """Fields as a form is sent. Their names are few and come again and again: each is encoded once."""
    return "&".join([f"{_form_name(name)}={quote_plus(value)}" for name, value in fields]).encode()


_form_name = lru_cache(maxsize=1024)(quote_plus)


def segment(text: str) -> str:
    """One path segment, percent-encoded whatever it contains: an id can never leave its place in the path."""
    return quote(text, safe="") if text not in {".", ".."} else text.replace(".", "%2E")
