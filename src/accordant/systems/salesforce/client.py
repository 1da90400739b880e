"""Speaks with Salesforce: reads the deals that changed, and shows on each deal where it stands with the platform.

Sources: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm,
`dome_query.htm`, `errorcodes.htm`, `headers_api_usage.htm` beside it; API version 67.0 (Summer '26).
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.connector.auth import Auth
from accordant.connector.budget import Quota
from accordant.connector.capabilities import Capability, ConnectionSettings, Row
from accordant.connector.exchange import Answer, Request, segment
from accordant.connector.http import VendorHttp
from accordant.connector.manners import Manners
from accordant.connector.paging import path_of_link
from accordant.connector.tokens import ClientCredentials, ClientCredentialsSpec
from accordant.kernel.clock import parse_utc_ms, utc_text
from accordant.kernel.errors import (
    AccordantError,
    Busy,
    Misconfigured,
    RateLimited,
    Rejected,
    Unavailable,
    Unknown,
)
from accordant.kernel.ids import digest
from accordant.kernel.priority import Priority
from accordant.systems.salesforce import mapping

API_VERSION = "67.0"
ROOT = f"/services/data/v{API_VERSION}"
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
AUDIENCE = "https://login.salesforce.com"
KIND = "opportunity"
READ_BACK_ROWS = 200
REASON_CHARS = 255
SAME_PAGE_MAX = 3
PAGES_MAX = 100_000
SMALL_PAGES = {"Sforce-Query-Options": "batchSize=500"}
"""Rows a page; memory follows the page, not the backlog. Source: `headers_queryoptions.htm` (200 to 2,000)."""
_READ_BACK = "SELECT Id, Accordant_Status__c, Accordant_Transaction__c FROM Opportunity"
SHORT_PAUSE_S = 0.25
DAILY_PAUSE_S = 900.0

CAPABILITIES = (
    Capability(
        verb="tell_standing",
        kind=KIND,
        effect_class=EffectClass.UPSERT,
        request=f"PATCH {ROOT}/sobjects/Opportunity/{{id}}",
        source="https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_update_fields.htm",
    ),
)

_BUSY = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT"})
_USAGE = re.compile(r"api-usage\s*=\s*(\d+)\s*/\s*(\d+)")


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """One page of a query; rows stay as they came."""

    records: list[msgspec.Raw]
    done: bool = True
    next_records_url: str | None = None


class Stamped(msgspec.Struct, frozen=True, rename="pascal"):
    """What the cursor needs of a row."""

    id: str
    system_modstamp: str


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


class SalesforceClient:
    """The Crm port."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._name = settings.name
        self._http = http

    def tell_standing(self, standing: DealStanding) -> Operation:
        """Set the three Accordant fields of the deal; saying it twice leaves the same state."""
        fields = {
            "Accordant_Status__c": standing.status,
            "Accordant_Reason__c": standing.reason[:REASON_CHARS] or None,
            "Accordant_Transaction__c": standing.transaction_id,
        }

        async def send(attempt: Attempt) -> Applied:
            path = f"{ROOT}/sobjects/Opportunity/{segment(standing.source_id)}"
            body = msgspec.json.encode(fields)
            request = Request("PATCH", path, body=body, content_type="application/json")
            answer = await self._http.write(request, attempt=attempt)
            if answer.status != 204:
                message = f"Salesforce answered {answer.status} to an update; expected 204 without a body"
                raise Unknown(message, detail={"status": answer.status})
            return _applied(standing, answer)

        async def look_up(attempt: Attempt) -> Applied | None:
            return await self._standing_now(standing, attempt.priority)

        return Operation(
            system="crm",
            connection=self._name,
            verb="tell_standing",
            kind=KIND,
            business_id=standing.opportunity_id,
            effect_class=EffectClass.UPSERT,
            command=standing,
            send=send,
            look_up=look_up,
            expected={"status": standing.status, "transaction": standing.transaction_id},
        )

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """Status and transaction of each deal as Salesforce holds them, two hundred in one query."""
        if kind != KIND:
            raise Misconfigured(f"Salesforce holds no {kind}; only {KIND} can be read back")
        held: dict[str, Facts] = {}
        for start in range(0, len(refs), READ_BACK_ROWS):
            ids = ", ".join(_quoted(ref.native_id) for ref in refs[start : start + READ_BACK_ROWS])
            soql = f"{_READ_BACK} WHERE Id IN ({ids})"
            async for page in self._pages(soql):
                for raw in page.records:
                    row = msgspec.json.decode(raw, type=dict[str, Any])
                    held[row["Id"]] = _facts(row)
        return held

    async def changed_opportunities(self, since: str) -> AsyncIterator[list[Row]]:
        """Pages of opportunities in any stage whose SystemModstamp is >= `since` (empty: all), oldest change first."""
        condition = f"WHERE SystemModstamp >= {utc_text(parse_utc_ms(since))} " if since else ""
        soql = f"{_SELECT} FROM Opportunity {condition}ORDER BY SystemModstamp, Id"
        async for page in self._pages(soql):
            yield [_row(raw) for raw in page.records]

    async def _pages(self, soql: str) -> AsyncIterator[Page]:
        """All pages of a query. A cursor that stands still is followed a few times: pages do repeat under load."""
        path, query = f"{ROOT}/query", (("q", soql),)
        seen: dict[str, int] = {}
        for _ in range(PAGES_MAX):
            answer = await self._http.read(Request("GET", path, query=query, headers=SMALL_PAGES))
            page = _page(answer)
            yield page
            if page.next_records_url is None:
                return
            seen[page.next_records_url] = seen.get(page.next_records_url, 0) + 1
            if seen[page.next_records_url] > SAME_PAGE_MAX:
                break
            path, query = path_of_link(page.next_records_url)
        raise Unavailable("Salesforce keeps naming the same next page; the poll starts again from its cursor")

    async def _standing_now(self, standing: DealStanding, priority: Priority) -> Applied | None:
        """What an earlier sending left, None unless the deal shows exactly this standing; reads by id do not lag."""
        path = f"{ROOT}/sobjects/Opportunity/{segment(standing.source_id)}"
        fields = "Id,Accordant_Status__c,Accordant_Reason__c,Accordant_Transaction__c"
        request = Request("GET", path, query=(("fields", fields),), accept=frozenset({404}))
        answer = await self._http.read(request, priority=priority)
        row: Any = answer.json()
        if answer.status == 404 or not isinstance(row, dict):
            return None
        held = cast("dict[str, Any]", row)
        wanted = {"status": standing.status, "transaction": standing.transaction_id}
        same_reason = (held.get("Accordant_Reason__c") or "") == standing.reason[:REASON_CHARS]
        return _applied(standing, answer) if _facts(held) == wanted and same_reason else None


def _applied(standing: DealStanding, answer: Answer) -> Applied:
    receipt = Receipt(kind=KIND, native_id=standing.source_id, business_id=standing.opportunity_id)
    return Applied(
        receipt=receipt,
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
    )


def _facts(row: Mapping[str, Any]) -> Facts:
    return {"status": row.get("Accordant_Status__c"), "transaction": row.get("Accordant_Transaction__c")}


def _page(answer: Answer) -> Page:
    try:
        return msgspec.json.decode(answer.body, type=Page)
    except msgspec.DecodeError as wrong:
        raise Unavailable(f"Salesforce answered a query with something else: {answer.excerpt}") from wrong


def _row(raw: msgspec.Raw) -> Row:
    """The version carries a digest too: two changes within one tick of the vendor's clock are two deliveries."""
    body = bytes(raw)
    stamped = msgspec.json.decode(body, type=Stamped)
    stamp = utc_text(parse_utc_ms(stamped.system_modstamp))
    version = f"{stamped.id}@{stamp}#{digest(body.decode())[:8]}"
    return Row(delivery_id=version, sequence=stamp, body=body)


def _quoted(text: str) -> str:
    """A SOQL string literal; quotes and backslashes cannot end it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _select() -> str:
    paths = list(mapping.DEAL_FIELDS)
    for level in range(mapping.PARENT_LEVELS + 1):
        prefix = ".".join(["Account", *["Parent"] * level])
        paths += [f"{prefix}.{name}" for name in mapping.ACCOUNT_FIELDS]
    return f"SELECT {', '.join(paths)}"


_SELECT = _select()
