"""How to sign in to NetSuite, and what its refusals mean to us.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156570709583.html (errors, 2026.1)
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162790605110.html (signed assertion)
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3539978.html (error codes)
Source: Expensify/App, docs/articles/expensify-classic/connections/netsuite/Netsuite-Troubleshooting.md at ed8d4a81149b
(NS0079: the sentence with which a date in a closed period is refused)
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from accordant.connector.auth import Auth, OAuth1, OAuth1Keys
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer
from accordant.connector.manners import Manners
from accordant.kernel.errors import AccordantError, Busy, Misconfigured, RateLimited, Rejected

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"  # noqa: S105 - an address
HEADERS = {"X-NetSuite-PropertyNameValidation": "Error"}
"""A property that NetSuite does not know is then refused instead of dropped with a warning."""
_SIGNED = ("consumer_key", "consumer_secret", "token_id", "token_secret")
_CERTIFIED = ("client_id", "certificate_id", "private_key_pem")
_BUSY = frozenset({"RCRD_HAS_BEEN_CHANGED", "RCRD_LOCKED_BY_WF", "COLLISION"})
_CROWDED = frozenset({"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"})

_PERIOD_CLOSED = "CLOSED_TRAN_PRD"
_SAYS_CLOSED = re.compile(
    "not within the date range of your accounting period"
    "|closed (accounting |posting )?period|period (is|has been) closed",
    re.IGNORECASE,
)
"""What NetSuite says, under the code of any user's mistake, of a date that no open period holds."""
_REOPEN = "let finance reopen the period (Setup > Accounting > Manage Accounting Periods) or name a day in an open one"


def manners(settings: ConnectionSettings) -> Manners:
    return Manners(auth=_auth(settings), explain=explain, headers=HEADERS)


def explain(answer: Answer) -> AccordantError:
    """A record in somebody else's hands, or a full account, passes; a value that NetSuite refuses does not."""
    body = answer.json_or_none()
    problem = _first_problem(cast("Mapping[str, Any]", body) if isinstance(body, dict) else {})
    vendor_code = str(problem.get("o:errorCode") or answer.status)
    message = str(problem.get("detail") or answer.excerpt or f"status {answer.status}")[:300]
    if vendor_code in _CROWDED:
        return RateLimited(f"NetSuite has no place free: {message}")
    if vendor_code in _BUSY or answer.status == 409 or "has been changed" in message:
        return Busy(f"NetSuite says the record is being changed by somebody else: {message}")
    places = ("o:errorPath", "o:errorHeader", "o:errorQueryParam", "o:errorUrl")
    field = next((str(problem[place]) for place in places if problem.get(place)), "")
    detail = {"vendor_code": vendor_code, "message": message, "field": field, "status": answer.status}
    if vendor_code == _PERIOD_CLOSED or _SAYS_CLOSED.search(message):
        return Rejected(f"NetSuite refused it: {message}", code="netsuite.closed_period", hint=_REOPEN, detail=detail)
    return Rejected(f"NetSuite refused it: {message}", code=f"netsuite.{vendor_code.lower()}", detail=detail)


def name_period(refusal: Rejected, dated: date | None) -> None:
    """Say which month the books are closed for: their refusal names no period. Other refusals stay as they are."""
    if refusal.code == "netsuite.closed_period" and dated is not None:
        month = f"{dated:%Y-%m}"
        refusal.detail |= {"closed_period": month, "cause": f"the books are closed for {month}"}


def _auth(settings: ConnectionSettings) -> Auth:
    given, account = settings.credentials, str(settings.options.get("account_id") or "")
    if account and all(given.get(name) for name in _SIGNED):
        keys = OAuth1Keys(
            consumer_key=given["consumer_key"],
            consumer_secret=given["consumer_secret"],
            token=given["token_id"],
            token_secret=given["token_secret"],
            realm=account.upper().replace("-", "_"),
        )
        return OAuth1(keys)
    if all(given.get(name) for name in _CERTIFIED):
        from accordant.connector.jwt_bearer import JwtBearer, JwtSpec  # only here is the signing library needed

        return JwtBearer(
            JwtSpec(
                token_path=TOKEN_PATH,
                private_key_pem=given["private_key_pem"],
                issuer=given["client_id"],
                audience=f"{settings.base_url.rstrip('/')}{TOKEN_PATH}",
                algorithm="PS256",
                key_id=given["certificate_id"],
                scope=("rest_webservices",),
                as_client=True,
            )
        )
    raise Misconfigured(
        f"connection {settings.name} needs the option `account_id` and the credentials {', '.join(_SIGNED)}; "
        f"or the credentials {', '.join(_CERTIFIED)}",
        hint="see the README of the netsuite folder",
    )


def _first_problem(body: Mapping[str, Any]) -> Mapping[str, Any]:
    problems = body.get("o:errorDetails")
    if isinstance(problems, list) and problems:
        first = cast("list[Any]", problems)[0]
        return cast("Mapping[str, Any]", first) if isinstance(first, dict) else {}
    return {"detail": body.get("title")}
