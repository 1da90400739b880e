"""What the API says when it does not do something: RFC 9457 problem details with a stable code and a next step.

Source: RFC 9457, https://www.rfc-editor.org/rfc/rfc9457
"""

from http import HTTPStatus
from typing import Any, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from accordant.kernel.database import NotCommitted, NotRead, StorageLost, Unstorable
from accordant.kernel.errors import AccordantError, Malformed, Refused, Unverified

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger("api")

_BY_CODE = {
    **dict.fromkeys(
        ("reference.unknown_table", "exception.unknown", "cause.unknown", "approval.unknown", "customer.unknown"),
        HTTPStatus.NOT_FOUND,
    ),
    "path.characters": HTTPStatus.NOT_FOUND,
    "body.too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body.media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "body.encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "headers.too_large": HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}
_STATUS: tuple[tuple[type[AccordantError], HTTPStatus], ...] = (
    (Unverified, HTTPStatus.UNAUTHORIZED),
    (Malformed, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Refused, HTTPStatus.CONFLICT),
    (Unstorable, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotCommitted, HTTPStatus.SERVICE_UNAVAILABLE),
    (NotRead, HTTPStatus.SERVICE_UNAVAILABLE),
    (StorageLost, HTTPStatus.SERVICE_UNAVAILABLE),
)


_HINTS = {
    HTTPStatus.NOT_FOUND: "see docs/cli.md for what the API offers",
    HTTPStatus.METHOD_NOT_ALLOWED: "see docs/cli.md for the method of each request",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of every answer that is not a success."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    about: dict[str, Any] = {}
    """What the error said beside its sentence, such as the nearest candidates."""


def of_error(_: Request[Any, Any, Any], error: AccordantError) -> Response[Problem]:
    """The answer to an error of ours."""
    status = _BY_CODE.get(error.code)
    if status is None:
        known = (status for kind, status in _STATUS if isinstance(error, kind))
        status = next(known, HTTPStatus.INTERNAL_SERVER_ERROR)
    return _answer(status, code=error.code, detail=error.message, hint=error.hint, about=error.detail)


def of_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """The answer to a request that cannot be read, or that leads nowhere."""
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        said, hint = "the body is too large; at most 1 MiB is accepted", "name fewer ids, or select by time"
        return _answer(status, code="body.too_large", detail=said, hint=hint, about={})
    hint = _HINTS.get(status, "see docs/cli.md for what the request takes")
    said = f"the request cannot be answered: {_said(error)}"
    return _answer(status, code=f"http.{status.name.lower()}", detail=said, hint=hint, about={})


def of_defect(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """The answer to a defect of ours: what happened is logged, not told."""
    log.error("command.crashed", path=request.url.path, error=repr(error), exc_info=error)
    return _answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        code="api.crashed",
        detail="the command failed with a defect of the platform; nothing is known of its outcome",
        hint="look into the platform's log, and at what the command should have changed",
        about={},
    )


def _said(error: HTTPException) -> str:
    extra: object = error.extra
    if isinstance(extra, list) and extra:
        said: list[Any] = extra  # Litestar types it as a list of anything
        told = (cast("dict[str, Any]", one).get("message", one) if isinstance(one, dict) else one for one in said)
        return "; ".join(map(str, told))[:100]
    return str(error.detail)[:100]


def _answer(status: HTTPStatus, *, code: str, detail: str, hint: str, about: dict[str, Any]) -> Response[Problem]:
    headers: dict[str, str] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="accordant"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    problem = Problem(
        type=f"urn:accordant:problem:{code}",
        title=status.phrase,
        status=int(status),
        code=code,
        detail=detail,
        hint=hint,
        about=about,
    )
    return Response(problem, status_code=int(status), media_type=MEDIA_TYPE, headers=headers)
