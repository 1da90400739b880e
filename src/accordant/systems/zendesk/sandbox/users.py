"""Users, as far as tickets need them: who asks and who acts, found by address or by our own external id.

Zendesk Support API v2. Sources:
https://developer.zendesk.com/api-reference/ticketing/users/users/
https://developer.zendesk.com/api-reference/introduction/security-and-auth/ (`{email}/token:{api_token}`)
"""

import base64
import binascii
import hmac

from accordant.connector.sandbox import Call, Kit, LaggedStore, Page, Record, Reply, Route, Write
from accordant.systems.zendesk.sandbox import API_TOKEN, answers
from accordant.systems.zendesk.sandbox.events import stamp

ME = 1_900_000_000_001


class Users:
    """The users endpoints. Users are not in the ledger: the platform counts no kind of record that they are."""

    def __init__(self, kit: Kit, email: str) -> None:
        self.store: LaggedStore = kit.store(
            "user", indexes={"email": lambda row: row["email"], "external_id": lambda row: row["external_id"]}
        )
        self._kit = kit
        self._last_id = ME - 1
        self.seed({"name": "Accordant", "email": email, "role": "admin"})

    def routes(self) -> list[Route]:
        at = "/api/v2/users"
        return [
            Route("GET", at + "/me", "user.me", self.me),
            Route("POST", at + "/create_or_update", "user.upsert", self.upsert),
            Route("GET", at + "/search", "user.search", self.search),
            Route("GET", at + "/show_many", "user.show_many", self.show_many),
            Route("GET", at, "user.list", self.list_all),
            Route("POST", at, "user.create", self.create),
            Route("GET", at + r"/{id:\d+}", "user.get", self.get),
        ]

    async def me(self, call: Call) -> Reply:
        return Reply(200, {"user": self.store.get(str(self.actor_id(call)))})

    def signed_in(self, credentials: str) -> Record | None:
        """Whoever's address stands before the account's API token acts; end users cannot."""
        try:
            sent = base64.b64decode(credentials.encode("utf-8", "surrogateescape"), validate=True)
        except binascii.Error:
            return None
        name, _, token = sent.partition(b":")
        is_token = hmac.compare_digest(token, API_TOKEN.encode())
        email = name.decode(errors="replace")
        if not is_token or not email.endswith("/token"):
            return None
        found = self.store.find_now("email", email.removesuffix("/token").casefold())
        return next((user for user in found if user["role"] != "end-user"), None)

    def actor_id(self, call: Call) -> int:
        """Who sent a call that is authentic; the OAuth token is the integration's own."""
        scheme, _, credentials = call.headers.get("Authorization", "").partition(" ")
        user = self.signed_in(credentials.strip()) if scheme.casefold() == "basic" else None
        return user["id"] if user else ME

    async def get(self, call: Call) -> Reply:
        row = self.store.get(call.params["id"])
        if row is None:
            raise answers.not_found()
        return Reply(200, {"user": row})

    async def create(self, call: Call) -> Write:
        given = answers.enveloped(call, "user")
        if self._matched(given) is not None:
            text = f"Email: {given.get('email')} is already being used by another user"
            raise answers.invalid("email", "DuplicateValue", text=text)
        return self._write(given, None)

    async def upsert(self, call: Call) -> Write:
        given = answers.enveloped(call, "user")
        return self._write(given, self._matched(given))

    async def search(self, call: Call) -> Reply:
        if "external_id" in call.query:
            return _all(self.store.find("external_id", call.query["external_id"]))
        return _all(self.store.find("email", call.query.get("query", "").removeprefix("email:").casefold()))

    async def show_many(self, call: Call) -> Reply:
        rows = [self.store.get(native_id) for native_id in answers.values_of(call, "ids")]
        for external_id in answers.values_of(call, "external_ids"):
            rows += self.store.find_now("external_id", external_id)
        return _all([row for row in rows if row is not None])

    async def list_all(self, call: Call) -> Reply:
        return answers.listing(call, "users", rows=self.store.values(), take=self._page)

    def requester(self, given: Record) -> int:
        """The id of a ticket's requester, made on the way when the ticket brings name and address."""
        if given.get("requester_id") is not None:
            if self.store.get(str(given["requester_id"])) is None:
                raise answers.invalid("requester", "InvalidValue", text="Requester: is invalid")
            return given["requester_id"]
        asked = answers.as_record(given.get("requester"))
        if asked is None:
            return ME
        known = self._matched(asked)
        return known["id"] if known else self.seed(asked)["id"]

    def seed(self, given: Record) -> Record:
        """Store a user at once."""
        record = self._record(given, None)
        self.store.put(str(record["id"]), record)
        return record

    def _page(self, rows: list[Record], start: int, limit: int, /) -> Page:
        return self._kit.page("user.list", rows, start=start, limit=limit)

    def _matched(self, given: Record) -> Record | None:
        for index in ("external_id", "email"):
            value = given.get(index)
            if value and (found := self.store.find_now(index, value.casefold() if index == "email" else value)):
                return found[0]
        return None

    def _write(self, given: Record, before: Record | None) -> Write:
        if before is None and not given.get("name"):
            raise answers.invalid("name", "BlankValue", text="Name: cannot be blank")
        record = self._record(given, before)
        reply = Reply(200 if before else 201, {"user": record})
        return Write(reply, (), lambda: self.store.put(str(record["id"]), record))

    def _record(self, given: Record, before: Record | None) -> Record:
        now = stamp(self._kit.clock.now())
        record = dict(before) if before else self._blank(now)
        record |= {name: given[name] for name in ("name", "external_id", "role", "organization_id") if name in given}
        if given.get("email"):
            record["email"] = str(given["email"]).casefold()
        return record | {"updated_at": now}

    def _blank(self, now: str) -> Record:
        self._last_id += 1
        blank: Record = {"id": self._last_id, "url": f"/api/v2/users/{self._last_id}.json", "name": "", "email": None}
        blank |= {"external_id": None, "role": "end-user", "organization_id": None}
        return blank | {"created_at": now, "active": True}


def _all(rows: list[Record]) -> Reply:
    return Reply(200, {"users": rows, "count": len(rows), "next_page": None, "previous_page": None})
