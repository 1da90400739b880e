"""Reads back what Stripe holds, a hundred records a call where they were made close together.

Source: https://docs.stripe.com/api/pagination (cursors are object ids, newest first), API version 2026-10-28.endive.
Stripe has no query by a set of ids. Records to verify were usually made within the same minutes, so that a page beside
one of them holds most of the others; where it does not, they are read one by one.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from accordant.canonical.operation import Facts
from accordant.connector.http import Request, VendorHttp, segment
from accordant.kernel.errors import Refused
from accordant.kernel.priority import Priority
from accordant.systems.stripe import mapping
from accordant.systems.stripe.client.entries import ENTRIES, Entry, credit_facts
from accordant.systems.stripe.client.receivables import Receivables, collection_facts
from accordant.systems.stripe.mapping.disputes import dispute_facts, note_facts
from accordant.systems.stripe.mapping.refunds import refund_facts

PAGE = 100
WORTH_IT = 2
"""A page that shows fewer of the wanted records is not tried again in that direction."""
Record = dict[str, Any]

_CUSTOMER = "customer"


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where records of one kind are listed, and what is asked beside the paging."""

    path: str
    facts: Callable[[Record], Facts]
    query: tuple[tuple[str, str], ...] = ()
    expand: str = _CUSTOMER
    """Whose canonical id proves the owner; empty for customers themselves."""


_PLACES = {
    _CUSTOMER: _Place(path="/v1/customers", facts=mapping.customer_facts, expand=""),
    "subscription": _Place(path="/v1/subscriptions", facts=mapping.subscription_facts, query=(("status", "all"),)),
    "collection": _Place(path="/v1/subscriptions", facts=collection_facts, query=(("status", "all"),)),
    "refund": _Place(path="/v1/refunds", facts=refund_facts, expand=""),
    "credit_note": _Place(path="/v1/credit_notes", facts=note_facts, expand=""),
    "invoice_dispute": _Place(path="/v1/invoices", facts=dispute_facts, expand=""),
}


class ReadBack:
    """Facts of many records of one kind."""

    def __init__(self, http: VendorHttp, receivables: Receivables) -> None:
        self._http = http
        self._receivables = receivables

    async def facts(self, kind: str, native_ids: Sequence[str]) -> dict[str, Facts]:
        """By native id; what Stripe does not hold, or has deleted, is absent."""
        if kind in ENTRIES:
            return await self._entries(ENTRIES[kind], native_ids)
        if kind == "reminder":
            return await self._receivables.reminders(native_ids)
        if kind not in _PLACES:
            known = ", ".join(sorted({*_PLACES, *ENTRIES, "reminder"}))
            raise Refused(f"billing cannot read back {kind}; expected one of {known}")
        return await self._facts(_PLACES[kind], native_ids)

    async def _entries(self, entry: Entry, native_ids: Sequence[str], /) -> dict[str, Facts]:
        """Entries stand below their customer, `cus_…/cbtxn_…`; an id without one names nothing."""
        owners: dict[str, list[str]] = {}
        for native_id in native_ids:
            customer, _, entry_id = native_id.partition("/")
            if customer and entry_id:
                owners.setdefault(customer, []).append(entry_id)
        found: dict[str, Facts] = {}
        for customer, entry_ids in owners.items():
            path = f"/v1/customers/{segment(customer)}/balance_transactions"
            place = _Place(path=path, facts=lambda record: credit_facts(record, entry))
            held = await self._facts(place, entry_ids)
            found |= {f"{customer}/{entry_id}": facts for entry_id, facts in held.items()}
        return found

    async def _facts(self, place: _Place, native_ids: Sequence[str], /) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        left = dict.fromkeys(native_ids)
        pages = len(left) > WORTH_IT
        if pages:
            pages = await self._harvest(place, (), left, found) >= WORTH_IT or len(left) > WORTH_IT
        while left:
            anchor = next(iter(left))
            del left[anchor]
            record = await self._one(place, anchor)
            if record is None:
                continue
            found[anchor] = place.facts(record)
            if pages and len(left) >= WORTH_IT:
                newer = await self._harvest(place, (("ending_before", anchor),), left, found)
                older = 0
                if newer < WORTH_IT and left:
                    older = await self._harvest(place, (("starting_after", anchor),), left, found)
                pages = max(newer, older) >= WORTH_IT
        return found

    async def _harvest(
        self, place: _Place, cursor: tuple[tuple[str, str], ...], /, left: dict[str, None], found: dict[str, Facts]
    ) -> int:
        """Take the wanted records out of one page; how many there were."""
        expand = (("expand[]", f"data.{place.expand}"),) if place.expand else ()
        query = (("limit", str(PAGE)), *cursor, *place.query, *expand)
        request = Request("GET", place.path, query, accept=frozenset({404}))
        answer = await self._http.read(request, priority=Priority.BACKGROUND)
        if answer.status == 404:  # the customer whose entries these were
            return 0
        body = cast(Record, answer.json())
        wanted = [record for record in cast(list[Record], body["data"]) if record["id"] in left]
        for record in wanted:
            record_id = str(record["id"])
            if record_id in left:
                del left[record_id]
                found[record_id] = place.facts(record)
        return len(wanted)

    async def _one(self, place: _Place, native_id: str) -> Record | None:
        query = (("expand[]", place.expand),) if place.expand else ()
        request = Request("GET", f"{place.path}/{segment(native_id)}", query, accept=frozenset({404}))
        answer = await self._http.read(request, priority=Priority.BACKGROUND)
        if answer.status == 404:
            return None
        record = cast(Record, answer.json())
        return None if record.get("deleted") is True else record
