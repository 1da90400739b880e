"""An offline Zendesk: organizations, tickets and users over HTTP, with the limits, errors and webhooks of the real one.

Zendesk Support API v2. Sources, beside those of the parts:
https://developer.zendesk.com/api-reference/introduction/security-and-auth/ (API token as Basic, OAuth bearer)
https://developer.zendesk.com/api-reference/introduction/rate-limits (plans, update limit, headers)
"""

import hmac
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from accordant.connector.sandbox import Call, Kit, Limit, Problem, Record, Reply, Route, Sandbox
from accordant.connector.sandbox.vendor import System
from accordant.systems.zendesk.mapping.nouns import Field, account_facts, customer_facts, entitlement_facts
from accordant.systems.zendesk.sandbox import EMAIL, OAUTH_TOKEN, answers
from accordant.systems.zendesk.sandbox.events import Herald, Webhook
from accordant.systems.zendesk.sandbox.fields import Fields
from accordant.systems.zendesk.sandbox.jobs import Jobs
from accordant.systems.zendesk.sandbox.organizations import Organizations, folded
from accordant.systems.zendesk.sandbox.ticket_fields import TicketFields
from accordant.systems.zendesk.sandbox.tickets import Account, Tickets
from accordant.systems.zendesk.sandbox.users import Users

PLANS: Mapping[str, int] = {
    "team": 200,
    "growth": 400,
    "professional": 400,
    "enterprise": 700,
    "enterprise_plus": 2500,
    "high_volume": 2500,
}
"""Requests per minute and account."""


class ZendeskSandbox(Sandbox):
    """`--set plan=enterprise` (see `PLANS`), `--set webhook_endpoint=URL`, `--set webhook_secret=SECRET`."""

    system: ClassVar[System] = "support"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._calls_per_minute = PLANS[kit.settings.get("plan", "enterprise")]
        self._oauth_tokens = {OAUTH_TOKEN.encode()}
        self.herald = Herald(kit)
        self.fields = Fields()
        self.jobs = Jobs(kit, lambda write, operation: self.commit(write, operation=operation, key=None))
        self.organizations = Organizations(kit, self.herald, fields=self.fields, jobs=self.jobs)
        self.users = Users(kit, EMAIL)
        self.ticket_fields = TicketFields()
        account = Account(organizations=self.organizations, users=self.users, fields=self.ticket_fields)
        self.tickets = Tickets(kit, self.herald, account=account, jobs=self.jobs)

    def routes(self) -> Iterable[Route]:
        """Every path is answered with and without `.json` at its end."""
        parts = (self.organizations, self.tickets, self.users, self.fields, self.ticket_fields, self.jobs)
        found = [route for part in parts for route in part.routes()]
        for route in [*found, Route("GET", "/api/v2/search", "search", self.search)]:
            yield route
            yield msgspec.structs.replace(route, path=route.path + ".json")

    def authenticate(self, call: Call) -> Problem | None:
        scheme, _, value = call.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() == "basic" and self.users.signed_in(value.strip()) is not None:
            return None
        sent = value.strip().encode("utf-8", "surrogateescape")
        if scheme.casefold() != "bearer":
            return Problem("unauthenticated", 401)
        known = any(hmac.compare_digest(sent, token) for token in self._oauth_tokens)
        return None if known else Problem("token_expired", 401)

    def render(self, problem: Problem) -> Reply:
        return answers.render(problem)

    def limits(self) -> Iterable[Limit]:
        yield Limit(name="account", calls=self._calls_per_minute, window_s=60)
        yield Limit(name="ticket_update", calls=30, window_s=600, operations=("ticket.update",), per_subject=True)
        yield Limit(name="ticket_update_account", calls=100, window_s=60, operations=("ticket.update",))
        exports = 30 if self._calls_per_minute == PLANS["high_volume"] else 10
        yield Limit(name="incremental", calls=exports, window_s=60, operations=("incremental.*",))

    def limit_subject(self, call: Call) -> str:
        return call.path.removesuffix(".json")

    def response_headers(self, call: Call) -> Mapping[str, str]:
        usage = self.kit.limiter.usage("account")
        limit, remaining = str(usage.allowed), str(usage.remaining)
        return {
            "X-Rate-Limit": limit,
            "X-Rate-Limit-Remaining": remaining,
            "ratelimit-limit": limit,
            "ratelimit-remaining": remaining,
            "ratelimit-reset": str(-int(-usage.resets_s // 1)),
            "X-Zendesk-API-Version": "v2",
        }

    async def search(self, call: Call) -> Reply:
        """`type:organization` or `type:ticket` with `external_id:` or `name:`, as the index stands."""
        terms = _terms(call.query.get("query", ""))
        store = self.tickets.store if terms.get("type") == "ticket" else self.organizations.store
        word = "ticket" if store is self.tickets.store else "organization"
        if "external_id" in terms:
            wanted = terms["external_id"] if word == "ticket" else folded(terms["external_id"])
            rows = store.find("external_id", wanted)
        elif "name" in terms and word == "organization":
            rows = store.find("name", folded(terms["name"]))
        else:
            rows = store.search()[: answers.PAGE_MAX]
        results = [{**row, "result_type": word} for row in rows]
        body = {"results": results, "count": len(results), "facets": None, "next_page": None, "previous_page": None}
        return Reply(200, body)

    def expire_tokens(self) -> None:
        """OAuth tokens can be revoked; API tokens do not expire."""
        self._oauth_tokens.clear()

    def load(self, data: Mapping[str, Any]) -> int:
        """`webhooks`, `organization_fields`, `ticket_fields`, `users`, `organizations`, `tickets`: vendor records."""
        for webhook in data.get("webhooks", ()):
            self.herald.register(msgspec.convert(webhook, Webhook))
        for field in data.get("organization_fields", ()):
            self.fields.add(field["key"], Field(field["title"], field["type"]))
        for field in data.get("ticket_fields", ()):
            self.ticket_fields.add(field)
        for user in data.get("users", ()):
            self.users.seed(user)
        for organization in data.get("organizations", ()):
            self.organizations.seed(organization)
        for ticket in data.get("tickets", ()):
            self.tickets.seed(ticket)
        return sum(len(rows) for rows in data.values())

    def dump(self) -> Mapping[str, list[Record]]:
        """What a customer would recognise, without native ids and times."""
        customers: list[Record] = []
        entitlements: list[Record] = []
        standings: list[Record] = []
        for row in self.organizations.store.values():
            business_id = row["external_id"] or ""
            customers.append({"business_id": business_id, **customer_facts(row)})
            entitlement = entitlement_facts(row)
            if entitlement is not None:
                entitlements.append({"business_id": business_id, **entitlement})
            standing = account_facts(row)
            if standing is not None:
                standings.append({"business_id": business_id, **standing})
        tickets: list[Record] = []
        said: dict[str, list[Record]] = {"case": [], "dispute": []}
        for row in self.tickets.store.values():
            ticket = {"business_id": row["external_id"] or "", "subject": row["subject"], "status": row["status"]}
            customer_id = self.organizations.external_id(row["organization_id"])
            tickets.append({**ticket, "priority": row["priority"], "customer_id": customer_id})
            for kind, says in (("case", self.ticket_fields.case), ("dispute", self.ticket_fields.dispute)):
                if (told := says(row)) is not None:
                    said[kind].append({"business_id": str(row["id"]), **told})
        records = {"customer": customers, "entitlement": entitlements, "ticket": tickets, **said}
        records["account_standing"] = standings
        return {kind: sorted(rows, key=_order) for kind, rows in records.items()}


def _terms(query: str) -> dict[str, str]:
    """`type:organization name:"Blue Sky"` as a mapping; words without a colon are passed over."""
    try:
        words = shlex.split(query)
    except ValueError as error:
        raise answers.bad_request("InvalidQuery", "The search query is not valid") from error
    return {name: value for name, _, value in (word.partition(":") for word in words) if value}


def _order(row: Record) -> bytes:
    return msgspec.json.encode(row, order="sorted")
