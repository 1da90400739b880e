"""How Zendesk words its answers: records in a named envelope, errors by code, lists page by page.

API: Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/introduction/requests (status codes, error bodies)
https://developer.zendesk.com/api-reference/introduction/pagination (cursor and offset paging, at most 100 a page)
https://github.com/zendesk/zendesk_api_client_rb/issues/457 (DuplicateValue of an organization's name)
"""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, cast

from accordant.connector.sandbox import Call, Page, Problem, Record, Refused, Reply, retry_after

PAGE_MAX = 100
OFFSET_PAGES_MAX = 100
TakePage = Callable[[list[Record], int, int], Page]
"""(rows, start, limit) -> one page, with the page faults that are on."""

_PROBLEMS: Mapping[str, dict[str, Any]] = {
    "unauthenticated": {"error": "Couldn't authenticate you"},
    "token_expired": {
        "error": "invalid_token",
        "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
    },
    "not_found": {"error": "InvalidEndpoint", "description": "Not found"},
    "method_not_allowed": {"error": "InvalidEndpoint", "description": "Not found"},
    "too_large": {"error": "RequestEntityTooLarge", "description": "The request body is too large"},
    "malformed": {"error": "Unprocessable Entity", "message": "Server could not parse JSON"},
    "server_error": {"error": "InternalError", "description": "Internal server error"},
    "unavailable": {"error": "ServiceUnavailable", "description": "The service is temporarily unavailable"},
    "rate_limited": {
        "error": "APIRateLimitExceeded",
        "description": "Number of allowed API requests per minute exceeded",
    },
}
_STATUS = {"malformed": 422, "method_not_allowed": 404}
_TOO_MANY_UPDATES = {"errors": [{"code": "TooManyRequests", "title": "Too many requests to update"}]}


def render(problem: Problem) -> Reply:
    """A refusal of the kit in Zendesk's words."""
    body = _PROBLEMS[problem.kind]
    if problem.kind == "rate_limited" and problem.limit not in (None, "account"):
        body = _TOO_MANY_UPDATES
    return Reply(_STATUS.get(problem.kind, problem.status), body, retry_after(problem))


def not_found() -> Refused:
    return Refused(Reply(404, {"error": "RecordNotFound", "description": "Not found"}))


def bad_request(code: str, description: str) -> Refused:
    return Refused(Reply(400, {"error": code, "description": description}))


def invalid(field: str, error: str, *, text: str) -> Refused:
    """422: one field of the record cannot be stored."""
    details = {field: [{"description": text, "error": error}]}
    return Refused(
        Reply(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})
    )


def too_many() -> Refused:
    return Refused(Reply(400, {"error": "TooManyValues", "max_count": PAGE_MAX}))


def as_record(value: object) -> Record | None:
    """The value where it is a JSON object."""
    return cast(Record, value) if isinstance(value, dict) else None


def enveloped(call: Call, name: str) -> Record:
    """The object that a request body carries under its noun."""
    given = as_record((as_record(call.json()) or {}).get(name))
    if given is None:
        raise bad_request("InvalidValue", f"Parameter {name} is required")
    return given


def listed(call: Call, name: str) -> list[Record]:
    """The objects of a bulk request: at least one, at most 100."""
    body = as_record(call.json()) or {}
    rows = [as_record(row) for row in body[name]] if isinstance(body.get(name), list) else []
    given = [row for row in rows if row is not None]
    if not given or len(given) != len(rows):
        raise bad_request("InvalidValue", f"Parameter {name} is required")
    if len(given) > PAGE_MAX:
        raise too_many()
    return given


def values_of(call: Call, name: str) -> list[str]:
    """A comma-separated query parameter of at most 100 values."""
    values = [value.strip() for value in call.query.get(name, "").split(",") if value.strip()]
    if len(values) > PAGE_MAX:
        raise too_many()
    return values


def origin(call: Call) -> str:
    return f"{call.request.scheme}://{call.request.host}"


def listing(call: Call, name: str, *, rows: list[Record], take: TakePage) -> Reply:
    """One page: by cursor when `page[size]` or `page[after]` is given, else by `page` and `per_page`."""
    if "page[size]" in call.query or "page[after]" in call.query:
        return _by_cursor(call, name, rows=rows, take=take)
    size = min(PAGE_MAX, _whole(call, "per_page", default=PAGE_MAX))
    number = _whole(call, "page", default=1)
    if number > OFFSET_PAGES_MAX:
        raise bad_request("InvalidPaginationDepth", "Offset pagination is limited to 100 pages; use cursor pagination")
    page = take(rows, (number - 1) * size, size)
    following = f"{origin(call)}{call.path}?page={number + 1}&per_page={size}" if page.next_start is not None else None
    previous = f"{origin(call)}{call.path}?page={number - 1}&per_page={size}" if number > 1 else None
    return Reply(200, {name: page.rows, "count": len(rows), "next_page": following, "previous_page": previous})


def _by_cursor(call: Call, name: str, *, rows: list[Record], take: TakePage) -> Reply:
    """Rows are ordered by id, the cursor is the last id seen: a row that is deleted meanwhile hides no other."""
    size = min(PAGE_MAX, _whole(call, "page[size]", default=PAGE_MAX))
    after = call.query.get("page[after]", "")
    start = bisect_right(rows, read_cursor(after), key=_id_of) if after else 0
    page = take(rows, start, size)
    cursor = write_cursor(page.rows[-1]["id"]) if page.rows else None
    more = page.next_start is not None
    following = f"{origin(call)}{call.path}?page%5Bsize%5D={size}&page%5Bafter%5D={cursor}" if more else None
    meta = {"has_more": more, "after_cursor": cursor, "before_cursor": None}
    return Reply(200, {name: page.rows, "meta": meta, "links": {"next": following, "prev": None}})


def write_cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"id={position}".encode()).decode()


def read_cursor(cursor: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor.encode()).removeprefix(b"id="))
    except (ValueError, binascii.Error) as error:
        raise bad_request("InvalidPaginationParameter", "page[after] is not valid") from error


def _id_of(row: Record) -> int:
    return row["id"]


def _whole(call: Call, name: str, *, default: int) -> int:
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise bad_request("InvalidPaginationParameter", f"{name} must be a positive integer")
    return int(text)
