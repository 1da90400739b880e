"""Organizations: who asks for help, found by our own external id, unique by name.

Source: https://developer.zendesk.com/api-reference/ticketing/organizations/organizations/ (API v2): `create_or_update`
matches by id or external id, never by name; external ids and names are compared without regard to case; bulk calls
take 100 and answer with a job.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from accordant.connector.sandbox import Call, Change, Kit, LaggedStore, Page, Record, Reply, Route, Write
from accordant.connector.sandbox.exchange import ChangeKind
from accordant.systems.zendesk.sandbox import answers
from accordant.systems.zendesk.sandbox.events import Herald, change, stamp
from accordant.systems.zendesk.sandbox.fields import Fields
from accordant.systems.zendesk.sandbox.jobs import Jobs

_PLAIN = ("name", "external_id", "details", "notes", "group_id", "shared_tickets", "shared_comments")
_LISTS = ("domain_names", "tags")
_PARTS = {"entitlement": "entitlement", "account": "account_standing"}
"""Nouns that are kept in fields of the customer's organization, by how the keys of those begin."""
_OF_CUSTOMER = frozenset((*_PLAIN, *_LISTS)) - {"external_id"}
_TOLD = {"name": "name_changed", "external_id": "external_id_changed"}


class Planned(msgspec.Struct, frozen=True):
    """An organization as it would stand after a write, and as it stands before."""

    before: Record | None
    after: Record
    given: Record


class Organizations:
    """The organizations endpoints."""

    def __init__(self, kit: Kit, herald: Herald, *, fields: Fields, jobs: Jobs) -> None:
        self.store: LaggedStore = kit.store(
            "organization",
            indexes={"external_id": lambda row: folded(row["external_id"]), "name": lambda row: folded(row["name"])},
        )
        self._kit = kit
        self._herald = herald
        self._fields = fields
        self._jobs = jobs
        self._last_id = 6_607_619_104_125
        self._by_update: dict[str, Record] = {}

    def routes(self) -> list[Route]:
        at = "/api/v2/organizations"
        one = at + r"/{id:\d+}"
        return [
            Route("POST", at + "/create_or_update", "organization.upsert", self.upsert),
            Route("GET", at + "/show_many", "organization.show_many", self.show_many),
            Route("GET", at + "/search", "organization.search", self.search),
            Route("POST", at + "/create_many", "organization.create_many", self.create_many),
            Route("PUT", at + "/update_many", "organization.update_many", self.update_many),
            Route("GET", at + "/count", "organization.count", self.count),
            Route("GET", at, "organization.list", self.list_all),
            Route("POST", at, "organization.create", self.create),
            Route("GET", one, "organization.get", self.get),
            Route("PUT", one, "organization.update", self.update),
            Route("DELETE", one, "organization.delete", self.delete),
            Route("GET", "/api/v2/incremental/organizations", "incremental.organizations", self.export),
        ]

    async def upsert(self, call: Call) -> Write:
        given = answers.enveloped(call, "organization")
        before = self._matched(given)
        return self._write(call, self._plan(given, before), status=200 if before else 201)

    async def create(self, call: Call) -> Write:
        return self._write(call, self._plan(answers.enveloped(call, "organization"), None), status=201)

    async def get(self, call: Call) -> Reply:
        return Reply(200, {"organization": self._known(call)})

    async def update(self, call: Call) -> Write:
        before = self._known(call)
        return self._write(call, self._plan(answers.enveloped(call, "organization"), before), status=200)

    async def delete(self, call: Call) -> Write:
        before = self._known(call)

        def apply() -> None:
            self.store.delete(str(before["id"]))
            self._by_update.pop(str(before["id"]), None)
            self._tell(before, "deleted", event={})

        return Write(Reply(204), (_line("customer", "delete", after=before),), apply)

    async def show_many(self, call: Call) -> Reply:
        ids, external_ids = answers.values_of(call, "ids"), answers.values_of(call, "external_ids")
        if not ids and not external_ids:
            raise answers.bad_request("InvalidValue", "Either ids or external_ids is required")
        found: dict[int, Record] = {}
        for native_id in ids:
            if (row := self.store.get(native_id)) is not None:
                found[row["id"]] = row
        for external_id in external_ids:
            for row in self.store.find_now("external_id", external_id.casefold()):
                found[row["id"]] = row
        return _all(list(found.values()))

    async def search(self, call: Call) -> Reply:
        """By exact external id or name, as the search index stands."""
        for parameter in ("external_id", "name"):
            if parameter in call.query:
                return _all(self.store.find(parameter, folded(call.query[parameter])))
        raise answers.bad_request("InvalidValue", "Either external_id or name is required")

    async def list_all(self, call: Call) -> Reply:
        rows = self.store.values()
        return answers.listing(call, "organizations", rows=rows, take=self._page)

    async def count(self, call: Call) -> Reply:
        refreshed = stamp(self._kit.clock.now())
        return Reply(200, {"count": {"value": len(self.store), "refreshed_at": refreshed}})

    async def create_many(self, call: Call) -> Write:
        given = answers.listed(call, "organizations")

        def make(row: Record) -> Write:
            return self._write(call, self._plan(row, None), status=201)

        return self._jobs.start(call, given, write=make, action="create")

    async def update_many(self, call: Call) -> Write:
        """The same change for `ids` or `external_ids`, or one change each for the organizations of the body."""
        named = [("id", value) for value in answers.values_of(call, "ids")]
        named += [("external_id", value) for value in answers.values_of(call, "external_ids")]
        if named:
            same = answers.enveloped(call, "organization")
            given = [{**same, key: value} for key, value in named]
        else:
            given = answers.listed(call, "organizations")

        def make(row: Record) -> Write:
            before = self._matched(row)
            if before is None:
                raise answers.not_found()
            return self._write(call, self._plan(row, before), status=200)

        return self._jobs.start(call, given, write=make, action="update")

    async def export(self, call: Call) -> Reply:
        """Time-based incremental export: at most 1,000 organizations changed since `start_time`, oldest first."""
        since = self._jobs.start_time(call)
        changed = [row for row in self._by_update.values() if row["updated_at"] >= since][:1000]
        end = self._jobs.unix_time(changed[-1]["updated_at"]) if changed else None
        following = f"{answers.origin(call)}{call.path}?start_time={end}" if end is not None else None
        body = {"organizations": changed, "count": len(changed), "next_page": following, "end_time": end}
        return Reply(200, {**body, "end_of_stream": len(changed) < 1000})

    def seed(self, given: Mapping[str, Any]) -> None:
        """Store an organization without ledger and webhooks."""
        planned = self._plan(dict(given), None, origin="http://sandbox")
        self._put(planned.after)

    def external_id(self, native_id: object) -> str:
        row = self.store.get(str(native_id))
        return (row["external_id"] or "") if row else ""

    def _known(self, call: Call) -> Record:
        row = self.store.get(call.params["id"])
        if row is None:
            raise answers.not_found()
        return row

    def _matched(self, given: Record) -> Record | None:
        if given.get("id") is not None:
            row = self.store.get(str(given["id"]))
            if row is None:
                raise answers.not_found()
            return row
        external_id = folded(given.get("external_id"))
        found = self.store.find_now("external_id", external_id) if external_id else []
        return found[0] if found else None

    def _plan(self, given: Record, before: Record | None, *, origin: str = "") -> Planned:
        now = stamp(self._kit.clock.now())
        after = dict(before) if before else self._blank(now)
        after |= {name: given[name] for name in (*_PLAIN, *_LISTS) if name in given}
        if after["external_id"] is not None:
            after["external_id"] = str(after["external_id"])
        custom = answers.as_record(given.get("organization_fields"))
        if custom is not None:
            after["organization_fields"] = {**after["organization_fields"], **self._fields.stored(custom)}
        self._validate(after)
        if before is None:
            self._last_id += self._kit.rng.randint(1, 999)
            after["id"] = self._last_id
            after["url"] = f"{origin}/api/v2/organizations/{after['id']}.json"
        after["updated_at"] = now
        return Planned(before, after, given)

    def _blank(self, now: str) -> Record:
        nothing: Record = {"url": "", "id": 0, "name": None, "shared_tickets": False, "shared_comments": False}
        nothing |= {"external_id": None, "created_at": now, "updated_at": now, "domain_names": [], "details": None}
        return {**nothing, "notes": None, "group_id": None, "tags": [], "organization_fields": self._fields.blank()}

    def _validate(self, after: Record) -> None:
        name = after["name"]
        if not isinstance(name, str) or not name.strip():
            raise answers.invalid("name", "BlankValue", text="Name: cannot be blank")
        if any(row["id"] != after["id"] for row in self.store.find_now("name", folded(name))):
            raise answers.invalid("name", "DuplicateValue", text=f"Name: {name} has already been taken")
        external_id = folded(after["external_id"])
        if external_id and any(row["id"] != after["id"] for row in self.store.find_now("external_id", external_id)):
            text = f"External: {after['external_id']} has already been taken"
            raise answers.invalid("external_id", "DuplicateValue", text=text)

    def _write(self, call: Call, planned: Planned, *, status: int) -> Write:
        before, after = planned.before, planned.after
        if before is None:
            after["url"] = answers.origin(call) + after["url"]
        headers = {"Location": after["url"]} if status == 201 else {}

        def apply() -> None:
            self._put(after)
            self._announce(before, after)

        return Write(Reply(status, {"organization": after}, headers), self._changes(planned), apply)

    def _put(self, after: Record) -> None:
        key = str(after["id"])
        self.store.put(key, after)
        self._by_update.pop(key, None)
        self._by_update[key] = after

    def _changes(self, planned: Planned) -> tuple[Change, ...]:
        """One line for the customer when anything of it was written; for entitlement and standing likewise."""
        before, after, given = planned.before, planned.after, planned.given
        keys = set(answers.as_record(given.get("organization_fields")) or {})
        parts = {word: {key for key in keys if key.startswith(f"{word}_")} for word in _PARTS}
        changes: list[Change] = []
        if before is None:
            changes.append(_line("customer", "create", after=after))
        elif keys.difference(*parts.values()) or any(
            name in given for name in (*_PLAIN, *_LISTS) if name != "external_id"
        ):
            changes.append(_line("customer", "update", after=after))
        for word, kind in _PARTS.items():
            if parts[word]:
                new = before is None or not before["organization_fields"].get(f"{word}_status")
                changes.append(_line(kind, "create" if new else "update", after=after))
        return tuple(changes)

    def _announce(self, before: Record | None, after: Record) -> None:
        if before is None:
            self._tell(after, "created", event={})
            return
        for name, topic in _TOLD.items():
            if before[name] != after[name]:
                self._tell(after, topic, event=change(after[name], before[name]))
        if before["tags"] != after["tags"]:
            added = [tag for tag in after["tags"] if tag not in before["tags"]]
            removed = [tag for tag in before["tags"] if tag not in after["tags"]]
            self._tell(after, "tags_changed", event={"added": {"tags": added}, "removed": {"tags": removed}})
        for key, value in after["organization_fields"].items():
            old = before["organization_fields"].get(key)
            if old != value:
                self._tell(
                    after, "custom_field_changed", event={**change(value, old), "field": self._fields.described(key)}
                )

    def _tell(self, row: Record, topic: str, *, event: Record) -> None:
        names = ("created_at", "external_id", "name", "shared_comments", "shared_tickets", "updated_at")
        group = row["group_id"]
        detail = {name: row[name] for name in names} | {
            "id": str(row["id"]),
            "group_id": None if group is None else str(group),
        }
        self._herald.tell(f"organization.{topic}", subject=f"zen:organization:{row['id']}", detail=detail, event=event)

    def _page(self, rows: list[Record], start: int, limit: int, /) -> Page:
        return self._kit.page("organization.list", rows, start=start, limit=limit)


def folded(value: object) -> str | None:
    """Names and external ids as Zendesk compares them."""
    return None if value is None or value == "" else str(value).strip().casefold()


def _line(kind: str, change: ChangeKind, *, after: Record) -> Change:
    native_id, business_id = str(after["id"]), after["external_id"]
    return Change(kind=kind, change=change, native_id=native_id, business_id=business_id, body=after)


def _all(rows: list[Record]) -> Reply:
    return Reply(200, {"organizations": rows, "count": len(rows), "next_page": None, "previous_page": None})
