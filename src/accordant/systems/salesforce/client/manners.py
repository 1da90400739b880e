"""How to sign in to Salesforce, what it lets one organization call in a day, and what its refusals mean to us.

Sources: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm,
`headers_api_usage.htm` beside it; API version 67.0 (Summer '26).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from accordant.connector.auth import Auth
from accordant.connector.budget import Quota
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer
from accordant.connector.manners import Manners
from accordant.connector.tokens import ClientCredentials, ClientCredentialsSpec
from accordant.kernel.errors import AccordantError, Busy, Misconfigured, RateLimited, Rejected

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
AUDIENCE = "https://login.salesforce.com"
SHORT_PAUSE_S = 0.25
DAILY_PAUSE_S = 900.0

_BUSY = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"})
_USAGE = re.compile(r"api-usage\s*=\s*(\d+)\s*/\s*(\d+)")


def manners(settings: ConnectionSettings) -> Manners:
    """How Salesforce wants to be spoken to."""
    return Manners(
        auth=_auth(settings),
        explain=explain,
        rate_headers=quota,
        headers={"Accept": "application/json"},
    )


def _auth(settings: ConnectionSettings) -> Auth:
    """JWT bearer where a private key is given, client credentials otherwise; neither flow names a token's lifetime."""
    given = settings.credentials
    if "private_key" in given:
        from accordant.connector.jwt_bearer import JwtBearer, JwtSpec  # only here is the signing library needed

        return JwtBearer(
            JwtSpec(
                token_path=TOKEN_PATH,
                private_key_pem=given["private_key"],
                issuer=_credential(settings, "client_id"),
                audience=str(settings.options.get("audience", AUDIENCE)),
                subject=_credential(settings, "username"),
            )
        )
    return ClientCredentials(
        ClientCredentialsSpec(
            token_path=TOKEN_PATH,
            client_id=_credential(settings, "client_id"),
            client_secret=_credential(settings, "client_secret"),
        )
    )


def _credential(settings: ConnectionSettings, name: str) -> str:
    value = settings.credentials.get(name, "")
    if not value:
        raise Misconfigured(f"connection {settings.name} lacks the credential {name!r}")
    return value


def quota(headers: Mapping[str, str]) -> Quota | None:
    """`Sforce-Limit-Info: api-usage=18/15000`: the calls of the last 24 hours."""
    found = _USAGE.search(headers.get("sforce-limit-info", ""))
    if found is None:
        return None
    used, allowed = int(found[1]), int(found[2])
    return Quota(limit=allowed, remaining=max(0, allowed - used))


def explain(answer: Answer) -> AccordantError:
    """The vendor's error array in the words of our engine; the first entry speaks."""
    first = _first_error(answer.json_or_none())
    code = str(first.get("errorCode") or f"http_{answer.status}")
    message = str(first.get("message") or answer.excerpt)[:500]
    fields = cast("list[Any]", first.get("fields") or [])
    detail: dict[str, Any] = {"vendor_code": code, "vendor_message": message, "status": answer.status}
    if fields:
        detail["field"] = ", ".join(str(field) for field in fields)
    if code == "REQUEST_LIMIT_EXCEEDED":
        pause_s = DAILY_PAUSE_S if "TotalRequests" in message else SHORT_PAUSE_S
        return RateLimited(f"Salesforce refuses more calls for now: {message}", retry_after_s=pause_s, detail=detail)
    if code in _BUSY:
        return Busy(f"Salesforce cannot lock the record just now: {message}", detail=detail)
    return Rejected(f"Salesforce says {code}: {message}", code=f"salesforce.{code.lower()}", detail=detail)


def _first_error(body: Any) -> dict[str, Any]:
    """The error array's first entry; the token endpoint answers one object instead."""
    entries = cast("list[Any]", body) if isinstance(body, list) else [body]
    entry: object = entries[0] if entries else None
    if not isinstance(entry, dict):
        return {}
    said = cast("dict[str, Any]", entry)
    if "error" in said:
        return {"errorCode": said["error"], "message": said.get("error_description")}
    return said
