"""What passes between a caller, the kit and a vendor's handler."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

Record = dict[str, Any]
ChangeKind = Literal["create", "update", "delete"]
ProblemKind = Literal[
    "unauthenticated",
    "token_expired",
    "rate_limited",
    "not_found",
    "method_not_allowed",
    "too_large",
    "malformed",
    "server_error",
    "unavailable",
]

NO_HEADERS: Mapping[str, str] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a handler sees it, its body already read."""

    request: web.Request
    operation: str
    body: bytes

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def params(self) -> Mapping[str, str]:
        """The values of the `{name}` parts of the route, decoded."""
        return self.request.match_info

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters; repeated ones are under `request.query.getall`."""
        return self.request.query

    @property
    def headers(self) -> Mapping[str, str]:
        """Request headers, whatever their case."""
        return self.request.headers

    def json(self) -> Any:
        """The decoded body; anything unreadable becomes the vendor's "malformed" answer."""
        return msgspec.json.decode(self.body)

    def form(self) -> list[tuple[str, str]]:
        """The pairs of a form-encoded body, in the order sent."""
        return parse_qsl(self.body.decode(), keep_blank_values=True)


class Reply(msgspec.Struct, frozen=True):
    """An answer; `body` is bytes, None for an empty body, or anything that JSON can carry."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = NO_HEADERS
    content_type: str = "application/json"

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it stands after a write, the way the effect ledger keeps it.

    `business_id` is the id that the caller wrote into the record, `native_id` the vendor's own. `key` overrides the
    idempotency key of the request (for batches that carry one per row).
    """

    kind: str
    change: ChangeKind
    native_id: str
    body: Record
    business_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    key: str | None = None


def nothing_to_apply() -> None:
    """The default of `Write.apply`."""


class Write(msgspec.Struct, frozen=True):
    """A write decided but not yet made.

    `apply` stores the records, saves the idempotent reply and queues webhooks. It is called at most once, must neither
    fail nor wait, and its `changes` reach the ledger in the same step. A fault that answers without applying simply
    sends `reply` and never calls it; `can_lie=False` opts out of that fault.
    """

    reply: Reply
    changes: tuple[Change, ...]
    apply: Callable[[], object] = nothing_to_apply
    can_lie: bool = True


class Problem(msgspec.Struct, frozen=True):
    """A refusal that the kit decided and the vendor puts into its own words."""

    kind: ProblemKind
    status: int
    retry_after_s: float | None = None
    limit: str | None = None
    """Name of the limit that ran out, for vendors that say which."""


class Refused(Exception):
    """Raised anywhere below a handler to answer with `reply` and apply nothing."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


Handler = Callable[[Call], Awaitable[Reply | Write]]


class Route(msgspec.Struct, frozen=True):
    """One line of a vendor's routing table; `path` in aiohttp's syntax, `operation` as faults and limits name it.

    `public` routes skip authentication (a token endpoint).
    """

    method: str
    path: str
    operation: str
    handler: Handler
    public: bool = False


def retry_after(problem: Problem) -> Mapping[str, str]:
    """The `Retry-After` header in whole seconds, rounded up; no header when the problem names no time."""
    if problem.retry_after_s is None:
        return NO_HEADERS
    return {"Retry-After": str(max(0, -int(-problem.retry_after_s // 1)))}
