"""Reads back what Stripe holds, a hundred records a call where they were made close together.

Source: https://docs.stripe.com/api/pagination (cursors are object ids, newest first), API version 2026-10-28.endive.
Stripe has no query by a set of ids. Records to verify were usually made within the same minutes, so that a page beside
one of them holds most of the others; where it does not, they are read one by one.
"""

from collections.abc import Sequence
from typing import Any, cast

from accordant.canonical.operation import Facts
from accordant.connector.http import Request, VendorHttp, segment
from accordant.kernel.errors import Refused
from accordant.kernel.priority import Priority
from accordant.systems.stripe import mapping

PAGE = 100
WORTH_IT = 2
"""A page that shows fewer of the wanted records is not tried again in that direction."""
Record = dict[str, Any]

_PATHS = {"customer": "/v1/customers", "subscription": "/v1/subscriptions"}


class ReadBack:
    """Facts of many records of one kind."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    async def facts(self, kind: str, native_ids: Sequence[str]) -> dict[str, Facts]:
        """By native id; what Stripe does not hold, or has deleted, is absent."""
        if kind not in _PATHS:
            raise Refused(f"billing cannot read back {kind}; expected one of {', '.join(sorted(_PATHS))}")
        found: dict[str, Facts] = {}
        left = dict.fromkeys(native_ids)
        pages = len(left) > WORTH_IT
        if pages:
            pages = await self._harvest(kind, (), left, found) >= WORTH_IT or len(left) > WORTH_IT
        while left:
            anchor = next(iter(left))
            del left[anchor]
            record = await self._one(kind, anchor)
            if record is None:
                continue
            found[anchor] = _facts(kind, record)
            if pages and len(left) >= WORTH_IT:
                newer = await self._harvest(kind, (("ending_before", anchor),), left, found)
                older = 0
                if newer < WORTH_IT and left:
                    older = await self._harvest(kind, (("starting_after", anchor),), left, found)
                pages = max(newer, older) >= WORTH_IT
        return found

    async def _harvest(
        self, kind: str, cursor: tuple[tuple[str, str], ...], /, left: dict[str, None], found: dict[str, Facts]
    ) -> int:
        """Take the wanted records out of one page; how many there were."""
        query = (("limit", str(PAGE)), *cursor)
        if kind == "subscription":
            query = (*query, ("status", "all"), ("expand[]", "data.customer"))
        answer = await self._http.read(Request("GET", _PATHS[kind], query), priority=Priority.BACKGROUND)
        body = cast(Record, answer.json())
        wanted = [record for record in cast(list[Record], body["data"]) if record["id"] in left]
        for record in wanted:
            record_id = str(record["id"])
            if record_id in left:
                del left[record_id]
                found[record_id] = _facts(kind, record)
        return len(wanted)

    async def _one(self, kind: str, native_id: str) -> Record | None:
        query = (("expand[]", "customer"),) if kind == "subscription" else ()
        request = Request("GET", f"{_PATHS[kind]}/{segment(native_id)}", query, accept=frozenset({404}))
        answer = await self._http.read(request, priority=Priority.BACKGROUND)
        if answer.status == 404:
            return None
        record = cast(Record, answer.json())
        return None if record.get("deleted") is True else record


def _facts(kind: str, record: Record) -> Facts:
    return mapping.customer_facts(record) if kind == "customer" else mapping.subscription_facts(record)
