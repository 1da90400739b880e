"""Serves the sandbox: signs callers in, counts their calls, answers in Salesforce's words.

Sources: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm,
`headers_api_usage.htm` and `resources_limits.htm` beside it,
https://developer.salesforce.com/docs/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_api.htm
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from accordant.connector.sandbox import (
    Call,
    Kit,
    Limit,
    Problem,
    Reply,
    Route,
    Sandbox,
    Write,
)
from accordant.connector.sandbox.limits import DAY_S
from accordant.connector.sandbox.vendor import System
from accordant.systems.salesforce.sandbox.composite import Composite
from accordant.systems.salesforce.sandbox.dump import dump
from accordant.systems.salesforce.sandbox.resources import Ask, Resource, Resources
from accordant.systems.salesforce.sandbox.rows import RESOURCE_MISSING, Ambiguous, RowError
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Record
from accordant.systems.salesforce.sandbox.tables import Database, Draft
from accordant.systems.salesforce.sandbox.tokens import Tokens

DAILY_CALLS = 100_000
"""Enterprise edition without its per-licence supplement."""
ROOT = r"/services/data/v{version:\d\d\.0}"
VERSIONS = ("65.0", "66.0", "67.0")
COUNTED = ("describe.*", "record.*", "query.*", "collection.*", "composite.*", "limits.*")
LOAD_BATCH = 200
LOADED_BEFORE_MS = 3_600_000
DAILY_LIMIT = "daily"

_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "unauthenticated": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "token_expired": (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "not_found": (404, "NOT_FOUND", RESOURCE_MISSING),
    "method_not_allowed": (405, "METHOD_NOT_ALLOWED", "HTTP method not allowed for this resource"),
    "too_large": (413, "REQUEST_ENTITY_TOO_LARGE", "The request body is too large"),
    "malformed": (400, "JSON_PARSER_ERROR", "The HTTP entity body could not be parsed as JSON"),
    "server_error": (500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId"),
    "unavailable": (503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"),
}


class SalesforceSandbox(Sandbox):
    """Settings: `daily_limit` (calls in 24 hours), and those of `Tokens`."""

    system: ClassVar[System] = "crm"
    max_body_bytes: ClassVar[int] = 6_291_456

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.database = Database(kit.clock.now_ms)
        self._tokens = Tokens(kit)
        self._daily = int(kit.settings.get("daily_limit", DAILY_CALLS))
        self.resources = Resources(kit, self.database).table()
        self._composite = Composite(self.resources)

    def routes(self) -> Iterable[Route]:
        yield Route("POST", "/services/oauth2/token", "token.issue", self._tokens.issue, public=True)
        yield Route("GET", "/services/data", "versions.list", self._versions, public=True)
        yield Route("GET", ROOT + "/limits", "limits.get", self._limits)
        yield Route("GET", ROOT + "/limits/", "limits.get", self._limits)
        for resource in self.resources:
            yield Route(resource.method, ROOT + resource.path, resource.operation, self._handler(resource))
            yield Route(resource.method, ROOT + resource.path + "/", resource.operation, self._handler(resource))
        yield Route("POST", ROOT + "/composite", "composite.run", self._run_composite)
        yield Route("POST", ROOT + "/composite/", "composite.run", self._run_composite)

    def authenticate(self, call: Call) -> Problem | None:
        admitted = self._tokens.admits(call.headers.get("Authorization", ""))
        return None if admitted else Problem("unauthenticated", 401)

    def render(self, problem: Problem) -> Reply:
        """Errors are arrays; a call over a limit is refused with 403, and nothing says when to come back."""
        if problem.kind == "rate_limited":
            name = "TotalRequests" if problem.limit == DAILY_LIMIT else "ConcurrentPerOrgLongTxn"
            return Reply(403, _error("REQUEST_LIMIT_EXCEEDED", f"{name} Limit exceeded."))
        status, code, message = _REFUSALS[problem.kind]
        status = problem.status if problem.kind in ("server_error", "unavailable") else status
        return Reply(status, _error(code, message))

    def limits(self) -> Iterable[Limit]:
        """The daily allocation. The cap on calls that run for 20 s and longer never bites: answers here are quick."""
        return (Limit(name=DAILY_LIMIT, calls=self._daily, window_s=DAY_S, operations=COUNTED),)

    def response_headers(self, call: Call) -> Mapping[str, str]:
        if call.operation in ("token.issue", "versions.list"):
            return {}
        return {"Sforce-Limit-Info": f"api-usage={self._used()}/{self._daily}"}

    def idempotency_key(self, call: Call) -> str | None:
        """The vendor knows none."""
        return None

    def expire_tokens(self) -> None:
        self._tokens.expire_all()

    def dump(self) -> Mapping[str, list[Record]]:
        return dump(self.database)

    def load(self, data: Mapping[str, Any]) -> int:
        """Records by object, ids included.

        The first load lies in the past, two hundred records a second, as a data loader leaves them; a later one is
        dated now, so that no reader's cursor has passed it already.
        """
        unknown = set(data) - set(SCHEMA)
        if unknown:
            raise ValueError(f"unknown objects {sorted(unknown)}; known are {sorted(SCHEMA)}")
        loaded = 0
        for type_name, records in data.items():
            table = self.database.tables[type_name]
            first = not table.records
            batches = -(-len(records) // LOAD_BATCH)
            start_ms = self.kit.clock.now_ms() - (LOADED_BEFORE_MS + batches * 1000 if first else 0)
            for place, record in enumerate(records):
                stamp_ms = start_ms + (place // LOAD_BATCH * 1000 if first else 0)
                kept = {name: value for name, value in record.items() if value is not None}
                stamps = {"SystemModstamp": stamp_ms, "LastModifiedDate": stamp_ms, "CreatedDate": stamp_ms}
                table.put({**kept, **stamps})
                loaded += 1
        return loaded

    def _used(self) -> int:
        if not self.kit.limiter.enforced:
            return min(self.kit.limiter.used, self._daily)
        usage = self.kit.limiter.usage(DAILY_LIMIT)
        return usage.allowed - usage.remaining

    async def _versions(self, call: Call) -> Reply:
        return Reply(200, [{"label": v, "url": f"/services/data/v{v}", "version": v} for v in VERSIONS])

    async def _limits(self, call: Call) -> Reply:
        daily = {"Max": self._daily, "Remaining": self._daily - self._used()}
        return Reply(200, {"DailyApiRequests": daily})

    async def _run_composite(self, call: Call) -> Reply | Write:
        draft = Draft(self.database)
        try:
            return _outcome(draft, self._composite.answer(draft, call.json()))
        except RowError as refused:
            return Reply(refused.status, refused.body)

    def _handler(self, resource: Resource) -> Any:
        async def answer(call: Call) -> Reply | Write:
            draft = Draft(self.database)
            version = call.params["version"]
            ask = Ask(
                draft=draft,
                version=version,
                params=call.params,
                query=call.query,
                headers=call.headers,
                body=call.json() if call.body and call.method != "GET" else None,
            )
            try:
                return _outcome(draft, resource.answer(ask))
            except Ambiguous as several:
                return several.reply(version)
            except RowError as refused:
                return Reply(refused.status, refused.body)

        return answer


def _outcome(draft: Draft, reply: Reply) -> Reply | Write:
    return Write(reply, tuple(draft.changes), draft.apply) if draft.changes else reply


def _error(code: str, message: str) -> list[Record]:
    return [{"message": message, "errorCode": code}]
