"""Puts customers on credit hold in the books, takes our own hold back, and reads which of them are held.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources: those of `mapping.holds`.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import msgspec

from accordant.canonical.account import CreditHold
from accordant.canonical.operation import EffectClass, Facts
from accordant.connector.capabilities import Capability, Row
from accordant.connector.exchange import Request, segment
from accordant.connector.http import VendorHttp
from accordant.kernel.clock import parse_utc_ms, utc_text
from accordant.kernel.errors import Rejected
from accordant.kernel.ids import digest
from accordant.kernel.priority import Priority
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, Save, encoder, members
from accordant.systems.netsuite.mapping import holds

QUERY = "/services/rest/query/v1/suiteql"
PAGE = 1000
_SOURCE = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4103800262.html"
_FORMAT = "YYYY-MM-DD HH24:MI:SS"
_SELECT = (
    # Made of our own names; the one instant in a query is written by us.
    f"SELECT {holds.COLUMNS}, TO_CHAR(datecreated, '{_FORMAT}') AS made_at,"  # noqa: S608
    f" TO_CHAR(lastmodifieddate, '{_FORMAT}') AS changed_at FROM customer"
)
_PLACE, _RELEASE = (
    Capability(
        verb=verb,
        kind="credit_hold",
        effect_class=EffectClass.UPSERT,
        request=f"PATCH {RECORD}/customer/eid:{{customer_id}}",
        source=_SOURCE,
    )
    for verb in ("place_hold", "release_hold")
)
CAPABILITIES = (_PLACE, _RELEASE)


def place_hold(customer_id: str) -> Save:
    return _save(_PLACE, customer_id, value=holds.ON, ours=True)


def release_hold(customer_id: str) -> Save:
    return _save(_RELEASE, customer_id, value=holds.AUTO, ours=False)


async def credit_hold(http: VendorHttp, customer_id: str) -> CreditHold:
    """What the books say now; reads by id do not lag. Raises Rejected where they do not hold the customer."""
    path = f"{RECORD}/customer/{segment(mapping.eid(customer_id))}"
    answer = await http.read(Request("GET", path, accept=frozenset({404})), priority=Priority.CUSTOMER)
    if answer.status == 404:
        raise Rejected(
            f"the books do not hold {customer_id}",
            code="netsuite.no_customer",
            hint="open the customer in the books, under its external id, then retry",
            detail={"field": "customer", "value": customer_id},
        )
    return holds.shown_hold(members(answer))


async def changed_holds(http: VendorHttp, since: str, *, shown: set[str]) -> AsyncIterator[list[Row]]:
    """Pages of customers that were changed at or after an instant, the oldest change first.

    A customer that was not changed since the second in which it was made, and is not held, is left out: that we opened
    it is no news. `shown` keeps the ids that were not left out, whose later rows are none of these.
    """
    where = ""
    if since:
        second = utc_text(parse_utc_ms(since))[:19].replace("T", " ")
        where = f" WHERE lastmodifieddate >= TO_TIMESTAMP('{second}', '{_FORMAT}')"
    query = f"{_SELECT}{where} ORDER BY lastmodifieddate, id"
    offset, more = 0, True
    while more:
        request = Request(
            "POST",
            QUERY,
            query=(("limit", str(PAGE)), ("offset", str(offset))),
            headers={"Prefer": "transient"},
            body=encoder.encode({"q": query}),
            content_type="application/json",
        )
        page = members(await http.read(request, priority=Priority.BACKGROUND))
        items = cast("list[dict[str, Any]]", page.get("items") or [])
        told = [one for one in items if str(one.get("id")) in shown or not _is_new(one)]
        shown.update(str(one["id"]) for one in told if one.get("made_at") == one.get("changed_at"))
        yield [_row(one) for one in told]
        offset, more = offset + PAGE, bool(page.get("hasMore")) and bool(items)


def _save(capability: Capability, customer_id: str, *, value: str, ours: bool) -> Save:
    return Save(
        capability=capability,
        business_id=customer_id,
        method="PATCH",
        record="customer",
        replace="",
        body=lambda: holds.hold_body(value, ours=ours),
        command={"customer_id": customer_id, "hold": value},
        expected=holds.hold_expected(customer_id, value, ours=ours),
        shows=_shows,
    )


def _shows(found: Mapping[str, Any], expected: Facts) -> bool:
    held = holds.shown_hold(found)
    return (held.is_on, held.is_ours) == (expected["hold"] == holds.ON, expected["ours"] == "yes")


def _is_new(row: Mapping[str, Any]) -> bool:
    plain = "T" not in (row.get("creditholdoverride"), row.get("manualcredithold"), row.get(holds.MARK))
    return plain and row.get("made_at") == row.get("changed_at")


def _row(row: dict[str, Any]) -> Row:
    body = msgspec.json.encode(row)
    stamp = utc_text(holds.changed_ms(row))
    return Row(delivery_id=f"{row.get('id')}@{stamp}#{digest(body.decode())[:8]}", sequence=stamp, body=body)
