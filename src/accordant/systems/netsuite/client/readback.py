"""Reads back what the books hold, two queries for up to 100 records: the rows, then the customers they name.

SuiteQL, 2026.1. Source:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html (SuiteQL over REST)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import msgspec

from accordant.canonical.operation import Facts
from accordant.connector.exchange import Request
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Malformed
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import encoder, members
from accordant.systems.netsuite.mapping import holds

QUERY = "/services/rest/query/v1/suiteql"
BATCH_MAX = 100


class _FactsOf(Protocol):
    def __call__(
        self, row: Mapping[str, Any], *, names: Mapping[str, str], currencies: mapping.Currencies
    ) -> Facts: ...


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where records of one kind are read."""

    columns: str
    facts: _FactsOf
    table: str = "transaction"
    only: str = ""
    """A condition beside the ids."""
    customer: str = "entity"
    """The column that names another customer by internal id; empty where none does."""


_PLACES: Mapping[str, _Place] = {
    "customer": _Place(
        columns="id, externalid, companyname, parent, currency",
        facts=mapping.customer_facts,
        table="customer",
        customer="parent",
    ),
    "order": _Place(
        columns="id, externalid, entity, currency, foreigntotal, status",
        facts=mapping.order_facts,
    ),
    "credit_memo": _Place(
        columns="id, externalid, entity, currency, foreigntotal, TO_CHAR(trandate, 'YYYY-MM-DD') AS posted_on",
        facts=mapping.credit_memo_facts,
        only="type = 'CustCred'",
    ),
    "invoice": _Place(
        columns="id, externalid, entity, currency, foreigntotal, otherrefnum, "
        "TO_CHAR(trandate, 'YYYY-MM-DD') AS posted_on",
        facts=mapping.invoice_facts,
        only="type = 'CustInvc'",
    ),
    "payment": _Place(
        columns="id, externalid, entity, currency, foreigntotal, foreignpaymentamountunused, "
        "TO_CHAR(trandate, 'YYYY-MM-DD') AS posted_on",
        facts=mapping.payment_facts,
        only="type = 'CustPymt'",
    ),
    "credit_hold": _Place(columns=holds.COLUMNS, facts=holds.hold_facts, table="customer", customer=""),
    "customer_refund": _Place(
        columns="id, externalid, entity, currency, foreigntotal, TO_CHAR(trandate, 'YYYY-MM-DD') AS posted_on",
        facts=mapping.refund_facts,
        only="type = 'CustRfnd'",
    ),
}
"""By canonical kind."""


class ReadBack:
    """Facts of many records of one kind."""

    def __init__(self, http: VendorHttp, currencies: mapping.Currencies) -> None:
        self._http = http
        self._currencies = currencies

    async def facts(self, kind: str, native_ids: Sequence[str]) -> dict[str, Facts]:
        """By internal id; what NetSuite does not hold, and a kind it does not keep, is absent."""
        place = _PLACES.get(kind)
        found: dict[str, Facts] = {}
        if place is not None:
            for start in range(0, len(native_ids), BATCH_MAX):
                found |= await self._batch(place, native_ids[start : start + BATCH_MAX])
        return found

    async def _batch(self, place: _Place, ids: Sequence[str], /) -> dict[str, Facts]:
        rows = await self._select(place.columns, place.table, ids=ids, only=place.only)
        names = await self._external_ids(row.get(place.customer) for row in rows)
        return {str(row["id"]): place.facts(row, names=names, currencies=self._currencies) for row in rows}

    async def _external_ids(self, ids: Iterable[object]) -> dict[str, str]:
        wanted = sorted({str(number) for number in ids if number is not None})
        rows = await self._select("id, externalid", "customer", ids=wanted)
        return {str(row["id"]): str(row["externalid"]) for row in rows if row.get("externalid") is not None}

    async def _select(self, columns: str, table: str, *, ids: Sequence[str], only: str = "") -> list[dict[str, Any]]:
        """Rows by internal id; no query for no ids."""
        numbers = [number for number in dict.fromkeys(ids) if number.isascii() and number.isdecimal()]
        if not numbers:
            return []
        text = f"SELECT {columns} FROM {table} WHERE id IN ({', '.join(numbers)})"  # noqa: S608 - digits only
        request = Request(
            "POST",
            QUERY,
            query=(("limit", str(len(numbers))), ("offset", "0")),
            headers={"Prefer": "transient"},
            body=encoder.encode({"q": f"{text} AND {only}" if only else text}),
            content_type="application/json",
        )
        rows = members(await self._http.read(request)).get("items")
        if not isinstance(rows, list):
            raise Malformed("NetSuite's answer to a query holds no rows", code="netsuite.answer")
        return cast("list[dict[str, Any]]", rows)
