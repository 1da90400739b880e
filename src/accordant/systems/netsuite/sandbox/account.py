"""An offline NetSuite account: REST records, SuiteQL, token-based sign-in and the account's concurrency limit.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/book_1559132836.html (SuiteTalk REST, 2026.1)
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from accordant.connector.sandbox import (
    Call,
    Change,
    Kit,
    Limit,
    Problem,
    Record,
    Refused,
    Reply,
    Route,
    Sandbox,
    Write,
)
from accordant.connector.sandbox.vendor import System
from accordant.systems.netsuite.sandbox import ACCESS, answers, setup, suiteql, views
from accordant.systems.netsuite.sandbox.access import Gate
from accordant.systems.netsuite.sandbox.records import (
    Books,
    RecordType,
    amount_minor,
    currency_of,
    customer_of,
    merged,
)
from accordant.systems.netsuite.sandbox.transactions import checked_transaction

BASE_CONCURRENCY = 5
"""Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/subsect_1559222360.html"""
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
QUERY_PATH = "/services/rest/query/v1/suiteql"
PAGE_MAX = 1000


class NetSuite(Sandbox):
    """One account."""

    system: ClassVar[System] = "erp"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.books = Books(kit)
        self.gate = Gate(kit, ACCESS)
        setup.new_account(self.books, self.gate)

    def routes(self) -> Iterable[Route]:
        root = views.RECORD_ROOT
        yield Route("POST", TOKEN_PATH, "oauth2.token", self._token, public=True)
        yield Route("POST", QUERY_PATH, "query.suiteql", self._query)
        yield Route("POST", f"{root}/{{type}}", "record.insert", self._insert)
        yield Route("GET", f"{root}/{{type}}/{{id}}", "record.get", self._get)
        yield Route("PUT", f"{root}/{{type}}/{{id}}", "record.upsert", self._upsert)
        yield Route("PATCH", f"{root}/{{type}}/{{id}}", "record.update", self._update)
        yield Route("DELETE", f"{root}/{{type}}/{{id}}", "record.delete", self._delete)

    def authenticate(self, call: Call) -> Problem | None:
        return None if self.gate.admits(call) else Problem("unauthenticated", 401)

    def render(self, problem: Problem) -> Reply:
        return answers.of_problem(problem)

    def limits(self) -> Iterable[Limit]:
        concurrency = int(self.kit.settings.get("concurrency", BASE_CONCURRENCY))
        yield Limit(name="account concurrency", concurrent=concurrency, operations=("record.*", "query.*"))

    def idempotency_key(self, call: Call) -> str | None:
        return None  # NetSuite reads X-NetSuite-Idempotency-Key on asynchronous requests alone

    def expire_tokens(self) -> None:
        self.gate.expire()

    def dump(self) -> Mapping[str, list[Record]]:
        return views.dump(self.books)

    def load(self, data: Mapping[str, Any]) -> int:
        return setup.load(self.books, self.gate, data=dict(data))

    async def _token(self, call: Call) -> Reply:
        return self.gate.sell_token(call)

    async def _query(self, call: Call) -> Reply:
        if "transient" not in call.headers.get("Prefer", ""):
            raise Refused(_prefer_missing())
        query = answers.decode(call.body).get("q")
        if not isinstance(query, str):
            raise answers.missing_value("q", "q")
        limit, offset = _number(call, "limit", default=PAGE_MAX), _number(call, "offset", default=0)
        if not 1 <= limit <= PAGE_MAX or offset % limit:
            raise Refused(_bad_page())
        rows = suiteql.run(self.books, suiteql.parse(query))
        page = self.kit.page("query.suiteql", rows, start=offset, limit=limit)
        return answers.collection(
            {
                "links": [{"rel": "self", "href": f"{_origin(call)}{QUERY_PATH}?limit={limit}&offset={offset}"}],
                "count": len(page.rows),
                "hasMore": page.next_start is not None,
                "items": page.rows,
                "offset": offset,
                "totalResults": len(rows),
            }
        )

    async def _get(self, call: Call) -> Reply:
        kind, record = self._found(call)
        expand = call.query.get("expandSubResources", "").lower() == "true"
        return answers.singular(views.shown(self.books, kind, record=record, origin=_origin(call), expand=expand))

    async def _insert(self, call: Call) -> Write:
        kind = _type(call)
        body = answers.decode(call.body)
        external_id = body.get("externalId")
        if external_id is not None and self.books.by_external_id(kind.table, str(external_id)):
            raise answers.user_error("This entity already exists.", "externalId")
        return self._save(call, kind, old=None, body=body)

    async def _upsert(self, call: Call) -> Write:
        kind, external_id = _type(call), _external_id(call)
        if external_id is None:
            raise Refused(
                answers.error(400, "Use an external ID with the PUT method.", code="INVALID_REQUEST", url=call.path)
            )
        old = self.books.by_external_id(kind.table, external_id)
        if old and old["recordType"] != kind.name:
            raise answers.user_error("This record already exists.", "externalId")
        body = {**answers.decode(call.body), "externalId": external_id}
        return self._save(call, kind, old=old, body=body)

    async def _update(self, call: Call) -> Write:
        kind, old = self._found(call)
        return self._save(call, kind, old=old, body=answers.decode(call.body))

    async def _delete(self, call: Call) -> Write:
        kind, record = self._found(call)
        if kind.table != "transaction" and self._in_use(kind.table, record["id"]):
            raise answers.user_error("This record cannot be deleted because it has dependent records.", "id")
        change = self._change(kind, record, change="delete")
        return Write(Reply(204), (change,), apply=lambda: self.books.delete(kind.table, record))

    def _save(self, call: Call, kind: RecordType, *, old: Record | None, body: Record) -> Write:
        replace = frozenset(name.strip() for name in call.query.get("replace", "").split(",") if name)
        record = merged(self.books, kind, old=old, body=body, replace=replace)
        record["id"] = old["id"] if old else self.books.next_id(kind.table)
        if kind.table == "transaction":
            record = checked_transaction(self.books, record)
            record.setdefault("tranId", f"{kind.prefix}{record['id']}")
        change = self._change(kind, record, change="update" if old else "create")
        if kind.table == "customer" and old and "creditHoldOverride" in body:
            change = msgspec.structs.replace(change, kind="credit_hold")
        location = f"{_origin(call)}{views.RECORD_ROOT}/{kind.name}/{record['id']}"
        reply = Reply(204, headers={"Location": location})
        return Write(reply, (change,), apply=lambda: self.books.put(kind.table, record))

    def _change(self, kind: RecordType, record: Record, *, change: Any) -> Change:
        has_amount = kind.table == "transaction"
        return Change(
            kind=kind.kind,
            change=change,
            native_id=record["id"],
            business_id=record.get("externalId"),
            amount_minor=amount_minor(self.books, record) if has_amount else None,
            currency=currency_of(self.books, record) if has_amount else None,
            body=record,
        )

    def _found(self, call: Call) -> tuple[RecordType, Record]:
        kind, external_id = _type(call), _external_id(call)
        named = call.params["id"]
        table = kind.table
        record = self.books.by_external_id(table, external_id) if external_id else self.books.get(table, named)
        if record is None or record["recordType"] != kind.name:
            raise answers.no_record(call.path)
        return kind, record

    def _in_use(self, table: str, record_id: str) -> bool:
        transactions = self.books.tables["transaction"].values()
        if table == "item":
            return any(line["item"] == record_id for one in transactions for line in one.get("item", ()))
        if table == "customer":
            return any(customer_of(one) == record_id for one in transactions)
        return any(one.get(table) == record_id for one in transactions)


def _type(call: Call) -> RecordType:
    kind = views.record_type(call.params["type"])
    if kind is None:
        detail = f"Record type '{call.params['type'][:60]}' does not exist."
        raise Refused(answers.error(404, detail, code="INVALID_URL", url=call.path))
    return kind


def _external_id(call: Call) -> str | None:
    named = call.params["id"]
    return named[4:] if named.startswith("eid:") else None


def _origin(call: Call) -> str:
    return f"{call.request.scheme}://{call.request.host}"


def _number(call: Call, name: str, *, default: int) -> int:
    text = call.query.get(name, str(default))
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _prefer_missing() -> Reply:
    detail = "The required request header 'Prefer' is missing in the request or its value is invalid: use transient."
    return answers.error(400, detail, code="INVALID_HEADER", header="Prefer")


def _bad_page() -> Reply:
    detail = f"The limit must be between 1 and {PAGE_MAX}, and the offset a multiple of the limit."
    return answers.error(400, detail, code="INVALID_PARAMETER", query_param="limit")
