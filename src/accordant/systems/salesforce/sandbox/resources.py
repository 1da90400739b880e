"""The REST resources below `/services/data/vXX.X`, as one table that plain and composite requests share.

Sources: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_list.htm,
`dome_upsert.htm`, `resources_composite_composite.htm`; API version 67.0.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

from accordant.connector.sandbox import Kit, Reply
from accordant.systems.salesforce.sandbox import collections, rows
from accordant.systems.salesforce.sandbox.query import Cursor, Cursors, Finder
from accordant.systems.salesforce.sandbox.rows import Ambiguous, RowError
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Field, Record, SObject, describe
from accordant.systems.salesforce.sandbox.tables import Database, Draft

PAGE_ROWS = 2000
PAGE_ROWS_LEAST = 200


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a resource, alone or as part of a composite."""

    draft: Draft
    version: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str] = {}
    body: Any = None

    @property
    def record(self) -> Record:
        body: object = self.body
        if not isinstance(body, dict):
            raise RowError("JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object")
        return cast("Record", body)

    @property
    def sobject(self) -> SObject:
        return rows.sobject_named(self.params["type"])


class Resource(msgspec.Struct, frozen=True):
    """One method of one address; `path` is a pattern below the version."""

    method: str
    path: str
    operation: str
    answer: Callable[[Ask], Reply]

    @property
    def pattern(self) -> "re.Pattern[str]":
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + "/?")


class Resources:
    """Answers every resource but `/composite`, which is made of the others."""

    def __init__(self, kit: Kit, database: Database) -> None:
        self._kit = kit
        self._finder = Finder(database)
        self._cursors = Cursors()

    def table(self) -> tuple[Resource, ...]:
        return (
            Resource("GET", "/sobjects", "describe.all", self._describe_all),
            Resource("GET", "/sobjects/{type}/describe", "describe.one", self._describe),
            Resource("POST", "/sobjects/{type}", "record.create", self._create),
            Resource("GET", "/sobjects/{type}/{id}", "record.get", self._get),
            Resource("PATCH", "/sobjects/{type}/{id}", "record.update", self._update),
            Resource("DELETE", "/sobjects/{type}/{id}", "record.delete", self._delete),
            Resource("GET", "/sobjects/{type}/{field}/{value}", "record.find", self._find),
            Resource("PATCH", "/sobjects/{type}/{field}/{value}", "record.upsert", self._upsert),
            Resource("GET", "/query", "query.run", self._query),
            Resource("GET", "/query/{cursor}", "query.run", self._more),
            Resource("POST", "/composite/sobjects", "collection.create", self._create_all),
            Resource("PATCH", "/composite/sobjects", "collection.update", self._update_all),
            Resource("DELETE", "/composite/sobjects", "collection.delete", self._delete_all),
            Resource("PATCH", "/composite/sobjects/{type}/{field}", "collection.upsert", self._upsert_all),
        )

    def _describe_all(self, ask: Ask) -> Reply:
        brief = [{k: v for k, v in describe(s).items() if k != "fields"} for s in SCHEMA.values()]
        return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": brief})

    def _describe(self, ask: Ask) -> Reply:
        return Reply(200, describe(ask.sobject))

    def _create(self, ask: Ask) -> Reply:
        record_id = rows.create(ask.draft, ask.sobject, sent=ask.record)
        address = rows.reference_to(ask.version, ask.sobject.name, record_id=record_id)["url"]
        return Reply(201, rows.created(record_id), {"Location": address})

    def _get(self, ask: Ask) -> Reply:
        record = rows.existing(ask.draft, ask.sobject, record_id=ask.params["id"])
        return Reply(200, rows.shown(ask.sobject, record, version=ask.version, names=_field_names(ask)))

    def _update(self, ask: Ask) -> Reply:
        record = rows.existing(ask.draft, ask.sobject, record_id=ask.params["id"])
        if any(name.lower() == "id" for name in ask.record):
            raise RowError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
        rows.update(ask.draft, ask.sobject, record=record, sent=ask.record)
        return Reply(204)

    def _delete(self, ask: Ask) -> Reply:
        ask.draft.delete(ask.sobject.name, rows.existing(ask.draft, ask.sobject, record_id=ask.params["id"]))
        return Reply(204)

    def _find(self, ask: Ask) -> Reply:
        sobject, field = _lookup(ask)
        if field.name == "Id":
            found = [rows.existing(ask.draft, sobject, record_id=ask.params["value"])]
        else:
            found = ask.draft.find(sobject.name, field.name, value=ask.params["value"])
        if not found:
            raise rows.not_found()
        if len(found) > 1:
            return Ambiguous(sobject, [record["Id"] for record in found]).reply(ask.version)
        return Reply(200, rows.shown(sobject, found[0], version=ask.version, names=_field_names(ask)))

    def _upsert(self, ask: Ask) -> Reply:
        sobject, field = _lookup(ask)
        value = ask.params["value"]
        if any(name.lower() == field.name.lower() for name in ask.record):
            message = f"The {field.name} field should not be specified in the sobject data."
            raise RowError("INVALID_FIELD", message)
        only = ask.query.get("updateOnly", "").lower() == "true"
        if only and field.name != "Id" and not ask.draft.find(sobject.name, field.name, value=value):
            raise rows.not_found()
        record_id, is_new = rows.upsert(ask.draft, sobject, field=field, named=(value, ask.record))
        return Reply(201 if is_new else 200, {**rows.created(record_id), "created": is_new})

    def _query(self, ask: Ask) -> Reply:
        text = ask.query.get("q", "")
        if not text.strip():
            raise RowError("MALFORMED_QUERY", "The q parameter is required")
        result = self._finder.run(text)
        return self._page(ask, self._cursors.open(result, _page_size(ask.headers)), start=0)

    def _more(self, ask: Ask) -> Reply:
        cursor_id, _, start = ask.params["cursor"].rpartition("-")
        if not (start.isascii() and start.isdigit()):
            raise RowError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(ask, self._cursors.find(cursor_id), start=int(start))

    def _page(self, ask: Ask, cursor: Cursor, *, start: int) -> Reply:
        result = cursor.result
        answer: Record = {"totalSize": result.total, "done": True}
        if result.column is None:
            return Reply(200, {**answer, "records": []})
        page = self._kit.page("query.run", result.rows, start=start, limit=cursor.page_size)
        if page.next_start is not None:
            address = f"/services/data/v{ask.version}/query/{cursor.cursor_id}-{page.next_start}"
            answer.update(done=False, nextRecordsUrl=address)
        answer["records"] = [self._finder.show(result.column, row, version=ask.version) for row in page.rows]
        return Reply(200, answer)

    def _create_all(self, ask: Ask) -> Reply:
        return Reply(200, collections.create_all(ask.draft, ask.record))

    def _update_all(self, ask: Ask) -> Reply:
        return Reply(200, collections.update_all(ask.draft, ask.record))

    def _upsert_all(self, ask: Ask) -> Reply:
        return Reply(
            200, collections.upsert_all(ask.draft, ask.sobject, field_word=ask.params["field"], body=ask.record)
        )

    def _delete_all(self, ask: Ask) -> Reply:
        ids = [record_id for record_id in ask.query.get("ids", "").split(",") if record_id]
        together = ask.query.get("allOrNone", "").lower() == "true"
        return Reply(200, collections.delete_all(ask.draft, ids, together=together))


def _lookup(ask: Ask) -> tuple[SObject, Field]:
    field = ask.sobject.lookup_field(ask.params["field"])
    if field is None:
        word = ask.params["field"]
        raise rows.not_found(f"Provided external ID field does not exist or is not accessible: {word}")
    return ask.sobject, field


def _field_names(ask: Ask) -> list[str] | None:
    words = [word for word in ask.query.get("fields", "").split(",") if word]
    names: list[str] = []
    for word in words:
        field = ask.sobject.field(word)
        if field is None:
            raise RowError("INVALID_FIELD", f"No such column '{word}' on sobject of type {ask.sobject.name}")
        names.append(field.name)
    return names or None


def _page_size(headers: Mapping[str, str]) -> int:
    """`Sforce-Query-Options: batchSize=N`, between 200 and 2,000."""
    found = re.search(r"batchSize\s*=\s*(\d+)", headers.get("Sforce-Query-Options", ""))
    return PAGE_ROWS if found is None else min(PAGE_ROWS, max(PAGE_ROWS_LEAST, int(found[1])))
