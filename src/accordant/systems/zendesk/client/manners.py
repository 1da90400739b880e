"""How to sign in to Zendesk, what it lets one account do, and what its refusals mean to us.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/introduction/rate-limits (headers)
https://developer.zendesk.com/api-reference/introduction/security-and-auth/ (API token, OAuth)
https://github.com/Speedygeek/ZendeskApi_v2/issues/59 (the refusal of a closed ticket, as recorded)
"""

from collections.abc import Mapping
from typing import Any, cast

from accordant.connector.auth import Auth, BasicAuth, BearerToken
from accordant.connector.budget import Quota
from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer
from accordant.connector.manners import Manners
from accordant.kernel.errors import AccordantError, Busy, Misconfigured, Rejected
from accordant.systems.zendesk.client.answers import members

WINDOW_S = 60.0
_CLOSED = "closed prevents ticket update"
_HINTS = {
    "name/DuplicateValue": "another organization has this name: rename one of the two, or give that one this id",
    "name/BlankValue": "an organization cannot be made without a name: open the customer first, with its name",
    "status/closed": "a closed ticket never changes again: tell the agent by a follow-up ticket, and skip the step",
}


def manners(settings: ConnectionSettings) -> Manners:
    """An API token signs in as Basic with `/token` behind the address; an OAuth token as bearer."""
    return Manners(auth=_auth(settings), explain=explain, rate_headers=quota, headers={"Accept": "application/json"})


def quota(headers: Mapping[str, str]) -> Quota | None:
    """What is left of the account's requests in this minute."""
    limit = headers.get("x-rate-limit", "")
    remaining = headers.get("x-rate-limit-remaining", "")
    if not (_whole(limit) and _whole(remaining)):
        return None
    resets = headers.get("ratelimit-reset", "")
    return Quota(limit=int(limit), remaining=int(remaining), resets_in_s=float(resets) if _whole(resets) else WINDOW_S)


def explain(answer: Answer) -> AccordantError:
    """What a refusal means: a record in somebody else's hands passes, an invalid value does not."""
    body = members(answer.json_or_none())
    error, said = _said(body)
    if answer.status == 409:
        return Busy(f"Zendesk says the record is being changed by somebody else: {said or error}")
    field, problem = _first_problem(body)
    vendor_code = str(problem.get("error") or error or answer.status)
    message = str(problem.get("description") or said or answer.excerpt or f"status {answer.status}")
    # We write no status: a complaint of it is about the ticket's own, in whatever language the account speaks.
    closed = answer.status == 422 and (field == "status" or _CLOSED in message)
    problem_id = "status/closed" if closed else f"{field}/{vendor_code}"
    code = "zendesk.name_taken" if problem_id == "name/DuplicateValue" else None
    hint = _HINTS.get(problem_id, "")
    return Rejected(
        f"Zendesk refused it: {message[:200]}" + (f"; {hint}" if hint else ""),
        code="zendesk.ticket_closed" if closed else code,
        hint=hint,
        detail={"vendor_code": vendor_code, "message": message[:200], "field": field, "status": answer.status},
    )


def _auth(settings: ConnectionSettings) -> Auth:
    given = settings.credentials
    if given.get("email") and given.get("api_token"):
        return BasicAuth(f"{given['email']}/token", given["api_token"])
    if given.get("oauth_token"):
        return BearerToken(given["oauth_token"])
    raise Misconfigured(
        f"connection {settings.name} needs the credentials `email` and `api_token`, or `oauth_token`",
        hint="see the README of the zendesk folder",
    )


def _said(body: Mapping[str, Any]) -> tuple[str, str]:
    """Code and sentence of an error body, of which Zendesk has three forms."""
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        first = members(cast(list[Any], errors)[0])
        return str(first.get("code") or ""), str(first.get("title") or "")
    error = body.get("error")
    if isinstance(error, dict):
        inner = members(error)  # pyright: ignore[reportUnknownArgumentType]
        return str(inner.get("title") or ""), str(inner.get("message") or "")
    return str(error or ""), str(body.get("description") or body.get("message") or "")


def _first_problem(body: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The first field that could not be stored, and why."""
    for field, problems in members(body.get("details")).items():
        if isinstance(problems, list) and problems:
            return field, members(cast(list[Any], problems)[0])
    return "", {}


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
