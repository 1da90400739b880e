"""Lists what customers owe and were given in the books, for control totals: invoices and credit memos.

SuiteQL, 2026.1. Source:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html (SuiteQL over REST: pages of at
most 1,000 rows). A transaction does not name its subsidiary there; a customer's is that of its transactions, as long as
customers have one each.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, cast

from accordant.canonical.control import LedgerDocument
from accordant.connector.exchange import Request
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import encoder, members
from accordant.systems.netsuite.client.readback import BATCH_MAX, QUERY
from accordant.systems.netsuite.mapping.values import currency_code, text_or_none

PAGE = 1000
_DATED = "TO_DATE('{day}', 'YYYY-MM-DD')"
_COLUMNS = (
    "id, externalid, otherrefnum, tranid, entity, currency, foreigntotal, type, "
    "TO_CHAR(trandate, 'YYYY-MM-DD') AS entered_on"
)
Row = Mapping[str, Any]


class Documents:
    """The Erp port's control totals."""

    def __init__(self, http: VendorHttp, currencies: mapping.Currencies) -> None:
        self._http = http
        self._currencies = currencies

    async def all(self, *, since: date, until: date, entities: Mapping[str, str]) -> tuple[LedgerDocument, ...]:
        """In the order in which they were entered."""
        days = f"trandate >= {_DATED.format(day=since)} AND trandate <= {_DATED.format(day=until)}"
        kinds = "type IN ('CustInvc', 'CustCred')"
        rows = await self._select(f"{_COLUMNS} FROM transaction WHERE {kinds} AND {days} ORDER BY id")
        owners = await self._subsidiaries(str(row.get("entity")) for row in rows)
        names = await self._names(entities)
        return tuple(self._document(row, entity=names.get(owners.get(str(row.get("entity")), ""))) for row in rows)

    def _document(self, row: Row, *, entity: str | None) -> LedgerDocument:
        currency = currency_code(row.get("currency"), self._currencies) or ""
        amount = Money(mapping.amount_minor(row.get("foreigntotal"), currency), currency)
        return LedgerDocument(
            number=str(row.get("otherrefnum") or row.get("externalid") or row.get("tranid")),
            native_id=str(row["id"]),
            legal_entity=entity or "no legal entity",
            amount=amount,
            entered_on=date.fromisoformat(str(row["entered_on"])),
        )

    async def _subsidiaries(self, customers: Iterable[str]) -> dict[str, str]:
        """Internal id of a customer → of its subsidiary."""
        wanted = sorted({one for one in customers if one.isascii() and one.isdecimal()})
        found: dict[str, str] = {}
        for start in range(0, len(wanted), BATCH_MAX):
            ids = ", ".join(wanted[start : start + BATCH_MAX])
            rows = await self._select(f"id, subsidiary FROM customer WHERE id IN ({ids}) ORDER BY id")
            found |= {str(row["id"]): str(row.get("subsidiary")) for row in rows}
        return found

    async def _names(self, entities: Mapping[str, str]) -> dict[str, str]:
        """Internal id of a subsidiary → our legal entity, which the estate names by internal or by external id."""
        rows = await self._select("id, externalid FROM subsidiary ORDER BY id")
        named = {str(row["id"]): text_or_none(row.get("externalid")) or "" for row in rows}
        return {number: entities.get(number) or entities.get(code) or code for number, code in named.items()}

    async def _select(self, rest: str) -> list[Row]:
        found: dict[str, Row] = {}
        offset = 0
        while True:
            request = Request(
                "POST",
                QUERY,
                query=(("limit", str(PAGE)), ("offset", str(offset))),
                headers={"Prefer": "transient"},
                body=encoder.encode({"q": f"SELECT {rest}"}),
                content_type="application/json",
            )
            answer = members(await self._http.read(request, priority=Priority.BACKGROUND))
            rows = answer.get("items")
            if not isinstance(rows, list):
                raise Malformed("NetSuite's answer to a query holds no rows", code="netsuite.answer")
            found |= {str(row["id"]): row for row in cast("list[Row]", rows)}
            if not answer.get("hasMore"):
                return list(found.values())
            offset += PAGE
