"""How NetSuite words its answers: JSON with links, and refusals with `o:errorDetails`.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156570709583.html (2026.1)
"""

from decimal import Decimal
from typing import Any, cast

import msgspec

from accordant.connector.sandbox import Problem, Refused, Reply

SINGULAR = "application/vnd.oracle.resource+json; type=singular"
COLLECTION = "application/vnd.oracle.resource+json; type=collection"
ERROR = "application/vnd.oracle.resource+json; type=error"
JSON = "application/json"

_RFC = "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html"
_TITLES = {
    400: ("Bad Request", "#sec10.4.1"),
    401: ("Unauthorized", ""),
    404: ("Not Found", "#sec10.4.5"),
    405: ("Method Not Allowed", "#sec10.4.6"),
    413: ("Request Entity Too Large", "#sec10.4.14"),
    429: ("Too Many Requests", ""),
    500: ("Internal Server Error", "#sec10.5.1"),
    503: ("Service Unavailable", "#sec10.5.4"),
}
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


LOGIN_REFUSED = (
    "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI at "
    "Setup > Users/Roles > User Management > View Login Audit Trail."
)


def encode(value: Any) -> bytes:
    """JSON with decimals as exact numbers."""
    return _encoder.encode(value)


def decode(body: bytes) -> dict[str, Any]:
    """A JSON object with fractions as exact decimals, never floats; anything else becomes the "malformed" answer."""
    return _decoder.decode(body)


def as_object(value: object) -> dict[str, Any] | None:
    """The value, if it is a JSON object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def singular(record: dict[str, Any]) -> Reply:
    return Reply(200, encode(record), content_type=SINGULAR)


def collection(page: dict[str, Any]) -> Reply:
    return Reply(200, encode(page), content_type=COLLECTION)


def error(status: int, detail: str, *, code: str, **where: str) -> Reply:
    """An nsError; `where` names the place: `path`, `header`, `query_param` or `url`."""
    title, anchor = _TITLES.get(status, ("Error", ""))
    names = {"path": "o:errorPath", "header": "o:errorHeader", "query_param": "o:errorQueryParam", "url": "o:errorUrl"}
    details = {"detail": detail, **{names[name]: value for name, value in where.items()}, "o:errorCode": code}
    body = {"type": _RFC + anchor, "title": title, "status": status, "o:errorDetails": [details]}
    return Reply(status, encode(body), content_type=ERROR)


def invalid_value(value: object, field: str, *, path: str) -> Refused:
    """A reference or value that the field does not take: unknown, inactive, or of another subsidiary."""
    detail = f"You have entered an Invalid Field Value {value} for the following field: {field}"
    return Refused(error(400, f"Error while accessing resource: {detail}", code="INVALID_CONTENT", path=path))


def missing_value(label: str, path: str) -> Refused:
    detail = f"Error while accessing a resource. Please enter value(s) for: {label}."
    return Refused(error(400, detail, code="USER_ERROR", path=path))


def user_error(detail: str, path: str) -> Refused:
    return Refused(error(400, f"Error while accessing a resource. {detail}", code="USER_ERROR", path=path))


def unreadable(detail: str) -> Refused:
    return Refused(error(400, f"Invalid content in the request body. {detail}", code="INVALID_CONTENT"))


def no_record(url: str) -> Refused:
    detail = "The record instance does not exist. Provide a valid record instance ID."
    return Refused(error(404, detail, code="NONEXISTENT_ID", url=url))


def of_problem(problem: Problem) -> Reply:
    """NetSuite's words for what the kit refused. It names no time to wait, not even with a 429."""
    detail, code = {
        "unauthenticated": (
            LOGIN_REFUSED,
            "INVALID_LOGIN",
        ),
        "token_expired": ("Invalid login attempt. The access token has expired.", "INVALID_LOGIN"),
        "rate_limited": ("Concurrent request limit exceeded. Request blocked.", "CONCURRENCY_LIMIT_EXCEEDED"),
        "not_found": ("The requested resource does not exist.", "INVALID_URL"),
        "method_not_allowed": ("The method is not allowed for this resource.", "METHOD_NOT_ALLOWED"),
        "too_large": ("The request body exceeds the allowed size.", "REQUEST_TOO_LARGE"),
        "malformed": ("Invalid content in the request body.", "INVALID_CONTENT"),
        "server_error": ("An unexpected error occurred. Error ID: sandbox", "UNEXPECTED_ERROR"),
        "unavailable": ("The service is temporarily unavailable.", "SERVICE_UNAVAILABLE"),
    }[problem.kind]
    return error(problem.status, detail, code=code)
