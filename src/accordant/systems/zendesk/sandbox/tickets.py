"""Tickets and their comments: created at most once per idempotency key, updated under a lock when asked.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ (create, update, safe_update)
https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency (key, x-idempotency-lookup)
https://github.com/Speedygeek/ZendeskApi_v2/issues/59 (a closed ticket takes nothing more)
"""

import msgspec

from accordant.connector.sandbox import (
    Call,
    Change,
    KeyConflict,
    Kit,
    LaggedStore,
    Page,
    Record,
    Refused,
    Reply,
    ReplyMemo,
    Route,
    Write,
)
from accordant.connector.sandbox.exchange import ChangeKind
from accordant.systems.zendesk.sandbox import answers
from accordant.systems.zendesk.sandbox.events import Herald, stamp
from accordant.systems.zendesk.sandbox.jobs import Jobs
from accordant.systems.zendesk.sandbox.organizations import Organizations
from accordant.systems.zendesk.sandbox.ticket_events import Saying, changes, commented, tell
from accordant.systems.zendesk.sandbox.ticket_fields import TicketFields
from accordant.systems.zendesk.sandbox.users import Users

KEY_LIFE_S = 7200.0
KEY_LENGTH_MAX = 255
_PLAIN = ("subject", "external_id", "priority", "status", "type", "tags", "assignee_id", "group_id")
_CLOSED = {"status": [{"description": "Status: closed prevents ticket update"}]}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the account that a ticket refers to."""

    organizations: Organizations
    users: Users
    fields: TicketFields


class Tickets:
    """The tickets endpoints."""

    def __init__(self, kit: Kit, herald: Herald, *, account: Account, jobs: Jobs) -> None:
        self.store: LaggedStore = kit.store(
            "ticket", indexes={"external_id": lambda row: row["external_id"], "organization": _organization}
        )
        self._kit = kit
        self._herald = herald
        self._account = account
        self._jobs = jobs
        self._comments: dict[str, list[Record]] = {}
        self._memo = ReplyMemo(clock=kit.clock, ttl_s=KEY_LIFE_S)
        self._last_id = 0
        self._last_comment_id = 8_350_205_580_000
        self._by_update: dict[str, Record] = {}

    def routes(self) -> list[Route]:
        one = r"/api/v2/tickets/{id:\d+}"
        return [
            Route("GET", "/api/v2/tickets/show_many", "ticket.show_many", self.show_many),
            Route("GET", "/api/v2/tickets/count", "ticket.count", self.count),
            Route("GET", "/api/v2/tickets", "ticket.list", self.list_all),
            Route("POST", "/api/v2/tickets", "ticket.create", self.create),
            Route("GET", one, "ticket.get", self.get),
            Route("PUT", one, "ticket.update", self.update),
            Route("GET", one + "/comments", "comment.list", self.comments),
            Route("GET", r"/api/v2/organizations/{id:\d+}/tickets", "ticket.list", self.of_organization),
            Route("GET", "/api/v2/incremental/tickets/cursor", "incremental.tickets", self.export),
        ]

    async def create(self, call: Call) -> Reply | Write:
        key = call.headers.get("Idempotency-Key")
        if key is not None and not 0 < len(key) <= KEY_LENGTH_MAX:
            raise answers.bad_request("IdempotentRequestError", "The idempotency key must have 1 to 255 characters")
        if key is not None:
            try:
                saved = self._memo.recall(key, call.body)
            except KeyConflict as conflict:
                text = "Request parameters don't match the given idempotency key"
                raise answers.bad_request("IdempotentRequestError", text) from conflict
            if saved is not None:
                return Reply(saved.status, saved.body, {"x-idempotency-lookup": "hit"})
        ticket, comment = self._new(answers.enveloped(call, "ticket"))
        ticket["url"] = f"{answers.origin(call)}/api/v2/tickets/{ticket['id']}.json"
        reply = Reply(201, {"ticket": ticket, "audit": self._audit(ticket)}, {"Location": ticket["url"]})

        def apply() -> None:
            self._put(ticket, comment)
            sayings: list[Saying] = [("created", {}), *self._account.fields.changes([], ticket["custom_fields"])]
            self._tell(call, ticket, sayings=sayings)
            if key is not None:
                self._memo.save(key, reply, call.body)

        changes = (self._change(ticket, "create"), self._commented(ticket, comment))
        if key is None:
            return Write(reply, changes, apply)
        return Write(Reply(201, reply.body, {**reply.headers, "x-idempotency-lookup": "miss"}), changes, apply)

    async def update(self, call: Call) -> Write:
        before, given = self._known(call), answers.enveloped(call, "ticket")
        if given.get("safe_update") and given.get("updated_stamp") != before["updated_at"]:
            text = "Safe Update prevented the update due to outdated ticket data. Please fetch the latest ticket data."
            raise Refused(Reply(409, {"error": "UpdateConflict", "description": text}))
        if before["status"] == "closed":
            body = {"error": "RecordInvalid", "description": "Record validation errors", "details": _CLOSED}
            raise Refused(Reply(422, body))
        after = before | {name: given[name] for name in _PLAIN if name in given}
        after["custom_fields"] = self._account.fields.kept(before["custom_fields"], given.get("custom_fields"))
        after["updated_at"] = stamp(self._kit.clock.now())
        comment = self._comment(given, after)
        lines = self._lines(before, after, given=given)
        lines += [self._commented(after, comment)] if comment else []

        def apply() -> None:
            self._put(after, comment)
            sayings = changes(before, after)
            sayings += self._account.fields.changes(before["custom_fields"], after["custom_fields"])
            sayings += [commented(comment)] if comment else []
            self._tell(call, after, sayings=sayings)

        return Write(Reply(200, {"ticket": after, "audit": self._audit(after)}), tuple(lines), apply)

    async def get(self, call: Call) -> Reply:
        return Reply(200, {"ticket": self._known(call)})

    async def show_many(self, call: Call) -> Reply:
        found = [self.store.get(native_id) for native_id in answers.values_of(call, "ids")]
        return _all([row for row in found if row is not None])

    async def list_all(self, call: Call) -> Reply:
        """`external_id` filters the list itself, without the search index."""
        if "external_id" in call.query:
            return _all(self.store.find_now("external_id", call.query["external_id"]))
        return answers.listing(call, "tickets", rows=self.store.values(), take=self._page)

    async def of_organization(self, call: Call) -> Reply:
        rows = self.store.find_now("organization", int(call.params["id"]))
        return answers.listing(call, "tickets", rows=rows, take=self._page)

    async def count(self, call: Call) -> Reply:
        refreshed = stamp(self._kit.clock.now())
        return Reply(200, {"count": {"value": len(self.store), "refreshed_at": refreshed}})

    async def comments(self, call: Call) -> Reply:
        rows = self._comments.get(str(self._known(call)["id"]), [])
        return answers.listing(call, "comments", rows=rows, take=self._page)

    async def export(self, call: Call) -> Reply:
        """Cursor-based incremental export: changed tickets, oldest change first."""
        rows = list(self._by_update.values())
        if "cursor" in call.query:
            position = answers.read_cursor(call.query["cursor"])
            changed = [row for row in rows if row["generated_timestamp"] > position]
        else:
            since = self._jobs.start_time(call)
            changed = [row for row in rows if row["updated_at"] >= since]
        page = changed[:1000]
        cursor = answers.write_cursor(page[-1]["generated_timestamp"]) if page else call.query.get("cursor")
        after = f"{answers.origin(call)}{call.path}?cursor={cursor}" if cursor else None
        body = {"tickets": page, "after_cursor": cursor, "after_url": after, "before_cursor": None, "before_url": None}
        return Reply(200, {**body, "end_of_stream": len(changed) <= len(page)})

    def seed(self, given: Record) -> None:
        """Store a ticket without ledger and webhooks."""
        ticket, comment = self._new(dict(given))
        self._put(ticket, comment)

    def _known(self, call: Call) -> Record:
        row = self.store.get(call.params["id"])
        if row is None:
            raise answers.not_found()
        return row

    def _new(self, given: Record) -> tuple[Record, Record | None]:
        first = answers.as_record(given.get("comment")) or {}
        body = first.get("body") or first.get("html_body") or given.get("description")
        if not body:
            raise answers.invalid("base", "BlankValue", text="Description: cannot be blank")
        now = stamp(self._kit.clock.now())
        self._last_id += 1
        organization_id = given.get("organization_id")
        if organization_id is not None and self._account.organizations.store.get(str(organization_id)) is None:
            raise answers.invalid("organization", "InvalidValue", text="Organization: is invalid")
        ticket: Record = {"id": self._last_id, "url": "", "created_at": now, "updated_at": now, "description": body}
        ticket |= dict.fromkeys(("subject", "external_id", "priority", "type", "assignee_id", "group_id"))
        ticket |= {"status": "new", "tags": []}
        ticket["custom_fields"] = self._account.fields.kept([], given.get("custom_fields"))
        ticket |= {name: given[name] for name in _PLAIN if name in given}
        ticket |= {"raw_subject": ticket["subject"], "organization_id": organization_id, "via": {"channel": "api"}}
        ticket["requester_id"] = ticket["submitter_id"] = self._account.users.requester(given)
        return ticket, self._comment({"comment": {**first, "body": body}}, ticket)

    def _comment(self, given: Record, ticket: Record) -> Record | None:
        text = answers.as_record(given.get("comment"))
        if text is None or not (text.get("body") or text.get("html_body")):
            return None
        self._last_comment_id += self._kit.rng.randint(1, 99)
        body = text.get("body") or text.get("html_body")
        comment: Record = {"id": self._last_comment_id, "type": "Comment", "body": body, "plain_body": body}
        comment |= {"author_id": text.get("author_id") or ticket["requester_id"], "public": text.get("public", True)}
        return comment | {"created_at": stamp(self._kit.clock.now()), "attachments": []}

    def _put(self, ticket: Record, comment: Record | None) -> None:
        key = str(ticket["id"])
        # Strictly rising, so that a cursor of the export names one place.
        ticket["generated_timestamp"] = self._kit.clock.now_ms() * 1000 + len(self._by_update) % 1000
        self.store.put(key, ticket)
        self._by_update.pop(key, None)
        self._by_update[key] = ticket
        if comment is not None:
            self._comments.setdefault(key, []).append(comment)

    def _lines(self, before: Record, after: Record, *, given: Record) -> list[Change]:
        """One line for what the platform answered, one for the ticket when anything else was written."""
        fields = self._account.fields
        answered = fields.answered(given.get("custom_fields"))
        lines: list[Change] = []
        if any(name in given for name in _PLAIN) or ("custom_fields" in given and not answered):
            lines.append(self._change(after, "update"))
        if answered:
            says = fields.case if answered == "case" else fields.dispute
            change: ChangeKind = "update" if (says(before) or {}).get("status") else "create"
            body, native_id = says(after) or {}, str(after["id"])
            lines.append(Change(kind=answered, change=change, native_id=native_id, business_id=native_id, body=body))
        return lines

    def _change(self, ticket: Record, kind: ChangeKind) -> Change:
        native_id, business_id = str(ticket["id"]), ticket["external_id"]
        return Change(kind="ticket", change=kind, native_id=native_id, business_id=business_id, body=ticket)

    def _commented(self, ticket: Record, comment: Record | None) -> Change:
        body = comment or {}
        native_id, business_id = str(body.get("id", "")), ticket["external_id"]
        return Change(kind="comment", change="create", native_id=native_id, business_id=business_id, body=body)

    def _audit(self, ticket: Record) -> Record:
        audit = {"id": self._last_comment_id + 1, "ticket_id": ticket["id"], "created_at": ticket["updated_at"]}
        return {**audit, "author_id": ticket["requester_id"], "events": [], "metadata": {}, "via": {"channel": "api"}}

    def _tell(self, call: Call, ticket: Record, *, sayings: list[Saying]) -> None:
        tell(self._kit, self._herald, ticket=ticket, actor_id=self._account.users.actor_id(call), sayings=sayings)

    def _page(self, rows: list[Record], start: int, limit: int, /) -> Page:
        return self._kit.page("ticket.list", rows, start=start, limit=limit)


def _organization(row: Record) -> object:
    return row["organization_id"]


def _all(rows: list[Record]) -> Reply:
    return Reply(200, {"tickets": rows, "count": len(rows), "next_page": None, "previous_page": None})
