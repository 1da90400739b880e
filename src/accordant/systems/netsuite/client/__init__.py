"""Asks NetSuite to keep a customer, its orders and its credits, each under our own id: asking twice changes nothing.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156335203191.html (upsert by external id)
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156334828635.html (`eid:` in every address)
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html (SuiteQL over REST)
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, cast

import msgspec

from accordant.canonical.credit import CreditMemo
from accordant.canonical.customer import Customer
from accordant.canonical.operation import Applied, Attempt, EffectClass, Facts, Operation, ReadRef, Receipt
from accordant.canonical.order import Order
from accordant.connector.capabilities import Capability, ConnectionSettings
from accordant.connector.exchange import Answer, Request, segment
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Malformed, Misconfigured, Rejected, Unknown
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.manners import name_period

RECORD = "/services/rest/record/v1"
QUERY = "/services/rest/query/v1/suiteql"
BATCH_MAX = 100

_UPSERT = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156335203191.html"
_REPLACE = "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html"
CAPABILITIES = (
    Capability(
        verb="open_customer",
        kind="customer",
        effect_class=EffectClass.UPSERT,
        request=f"PUT {RECORD}/customer/eid:{{customer_id}}?replace=addressBook",
        source=_UPSERT,
    ),
    Capability(
        verb="place_order",
        kind="order",
        effect_class=EffectClass.UPSERT,
        request=f"PUT {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
        source=_UPSERT,
    ),
    Capability(
        verb="amend_order",
        kind="order",
        effect_class=EffectClass.UPSERT,
        request=f"PATCH {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
        source=_REPLACE,
    ),
    Capability(
        verb="close_order",
        kind="order",
        effect_class=EffectClass.UPSERT,
        request=f"PATCH {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
        source=_REPLACE,
    ),
    Capability(
        verb="post_credit_memo",
        kind="credit_memo",
        effect_class=EffectClass.UPSERT,
        request=f"PUT {RECORD}/creditMemo/eid:{{credit_id}}?replace=item",
        source=_UPSERT,
    ),
)
_encoder = msgspec.json.Encoder(decimal_format="number")


class _Save(msgspec.Struct, frozen=True, kw_only=True):
    """How one verb is put to NetSuite."""

    method: str
    record: str
    replace: str
    body: Callable[[], dict[str, Any]]
    """Built when sent, so that what cannot be mapped is an outcome of the effect."""
    dated: date | None = None
    """The day the books enter it under; its period may be closed."""


class NetSuite:
    """The Erp role, kept by NetSuite."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._connection = settings.name
        self._http = http
        option = settings.options.get("currency_ids")
        if not isinstance(option, Mapping) or not option:
            raise Misconfigured(
                f"connection {settings.name} needs the option `currency_ids`: internal ids by ISO code, such as USD: 1",
                hint="NetSuite shows them under Lists > Accounting > Currencies",
            )
        self._currencies = mapping.Currencies.read(cast("Mapping[str, Any]", option))

    def open_customer(self, customer: Customer, *, erp_entity: str) -> Operation:
        def body() -> dict[str, Any]:
            return mapping.customer_body(customer, erp_entity=erp_entity, currencies=self._currencies)

        save = _Save(method="PUT", record="customer", replace="addressBook", body=body)
        command = {"customer": customer, "erp_entity": erp_entity}
        expected = mapping.expected_customer(customer)
        return self._operation("open_customer", customer.customer_id, save=save, command=command, expected=expected)

    def place_order(self, order: Order) -> Operation:
        def body() -> dict[str, Any]:
            return mapping.order_body(order, currencies=self._currencies)

        save = _Save(method="PUT", record="salesOrder", replace="item", body=body, dated=order.ordered_on)
        expected = mapping.expected_order(order, status=mapping.OPEN)
        return self._operation("place_order", order.order_id, save=save, command=order, expected=expected)

    def amend_order(self, order: Order) -> Operation:
        """Replace the lines; an order that does not exist is refused, never made."""
        save = _lines(order, closed=False)
        expected = mapping.expected_order(order, status=mapping.OPEN)
        return self._operation("amend_order", order.order_id, save=save, command=order, expected=expected)

    def close_order(self, order: Order) -> Operation:
        """NetSuite closes an order by closing each of its lines.

        Source: http://mikebian.co/how-to-close-a-netsuite-salesorder-using-suitetalk/
        """
        save = _lines(order, closed=True)
        expected = mapping.expected_order(order, status=mapping.CLOSED)
        return self._operation("close_order", order.order_id, save=save, command=order, expected=expected)

    def post_credit_memo(self, memo: CreditMemo) -> Operation:
        """Post it on its day; where the books are closed for it, the refusal's detail has `closed_period`, a month."""

        def body() -> dict[str, Any]:
            return mapping.credit_memo_body(memo, currencies=self._currencies)

        save = _Save(method="PUT", record="creditMemo", replace="item", body=body, dated=memo.posted_on)
        expected = mapping.expected_credit_memo(memo)
        return self._operation("post_credit_memo", memo.credit_id, save=save, command=memo, expected=expected)

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """What the books hold, two queries for up to 100 records: the rows, then the customers they name."""
        readers = {"customer": self._customers, "order": self._orders, "credit_memo": self._credit_memos}
        read = readers.get(kind)
        ids = [ref.native_id for ref in refs]
        found: dict[str, Facts] = {}
        for start in range(0, len(ids) if read else 0, BATCH_MAX):
            found |= await read(ids[start : start + BATCH_MAX]) if read else {}
        return found

    async def _customers(self, ids: Sequence[str]) -> dict[str, Facts]:
        rows = await self._select("id, externalid, companyname, parent, currency", "customer", ids=ids)
        names = await self._external_ids(row.get("parent") for row in rows)
        return {str(r["id"]): mapping.customer_facts(r, names=names, currencies=self._currencies) for r in rows}

    async def _orders(self, ids: Sequence[str]) -> dict[str, Facts]:
        rows = await self._select("id, externalid, entity, currency, foreigntotal, status", "transaction", ids=ids)
        names = await self._external_ids(row.get("entity") for row in rows)
        return {str(r["id"]): mapping.order_facts(r, names=names, currencies=self._currencies) for r in rows}

    async def _credit_memos(self, ids: Sequence[str]) -> dict[str, Facts]:
        columns = "id, externalid, entity, currency, foreigntotal, TO_CHAR(trandate, 'YYYY-MM-DD') AS posted_on"
        rows = await self._select(columns, "transaction", ids=ids, only=" AND type = 'CustCred'")
        names = await self._external_ids(row.get("entity") for row in rows)
        return {str(r["id"]): mapping.credit_memo_facts(r, names=names, currencies=self._currencies) for r in rows}

    async def _external_ids(self, ids: Iterable[object]) -> dict[str, str]:
        wanted = sorted({str(number) for number in ids if number is not None})
        rows = await self._select("id, externalid", "customer", ids=wanted)
        return {str(row["id"]): str(row["externalid"]) for row in rows if row.get("externalid") is not None}

    async def _select(self, columns: str, table: str, *, ids: Sequence[str], only: str = "") -> list[dict[str, Any]]:
        """Rows by internal id; no query for no ids."""
        numbers = [number for number in dict.fromkeys(ids) if number.isascii() and number.isdecimal()]
        if not numbers:
            return []
        text = f"SELECT {columns} FROM {table} WHERE id IN ({', '.join(numbers)}){only}"  # noqa: S608 - digits only
        request = Request(
            "POST",
            QUERY,
            query=(("limit", str(len(numbers))), ("offset", "0")),
            headers={"Prefer": "transient"},
            body=_encoder.encode({"q": text}),
            content_type="application/json",
        )
        rows = _members(await self._http.read(request)).get("items")
        if not isinstance(rows, list):
            raise Malformed("NetSuite's answer to a query holds no rows", code="netsuite.answer")
        return cast("list[dict[str, Any]]", rows)

    def _operation(self, verb: str, business_id: str, *, save: _Save, command: object, expected: Facts) -> Operation:
        capability = next(capability for capability in CAPABILITIES if capability.verb == verb)

        async def send(attempt: Attempt) -> Applied:
            try:
                answer = await self._http.write(_request(save, business_id), attempt=attempt)
            except Rejected as refusal:
                name_period(refusal, save.dated)
                raise
            return _applied(capability.kind, _native_id(answer), business_id=business_id, answer=answer)

        return Operation(
            system="erp",
            connection=self._connection,
            verb=verb,
            kind=capability.kind,
            business_id=business_id,
            effect_class=capability.effect_class,
            command=command,
            send=send,
            look_up=self._looking_up(save.record, business_id, kind=capability.kind, expected=expected),
            expected=expected,
            master_data=capability.kind == "customer",
        )

    def _looking_up(
        self, record: str, business_id: str, *, kind: str, expected: Facts
    ) -> Callable[[Attempt], Awaitable[Applied | None]]:
        async def look_up(attempt: Attempt) -> Applied | None:
            path = f"{RECORD}/{record}/{segment(mapping.eid(business_id))}"
            request = Request("GET", path, accept=frozenset({404}))
            answer = await self._http.read(request, priority=attempt.priority)
            if answer.status == 404:
                return None
            found = _members(answer)
            if kind != "customer" and not self._shows(found, expected):
                return None
            return _applied(kind, str(found["id"]), business_id=business_id, answer=answer)

        return look_up

    def _shows(self, found: Mapping[str, Any], expected: Facts) -> bool:
        """Whether the record stands as this very operation leaves it; an earlier state is not its doing."""
        currency = cast("str", expected["currency"])
        letter = _mapping(found.get("orderStatus")).get("id")
        status = mapping.CLOSED if letter in mapping.CLOSED_LETTERS else mapping.OPEN
        total = mapping.amount_minor(found.get("total"), currency)
        return (total, status) == (expected["amount_minor"], expected.get("status", status))


def connect(settings: ConnectionSettings, http: VendorHttp) -> NetSuite:
    return NetSuite(settings, http)


def _lines(order: Order, *, closed: bool) -> _Save:
    def body() -> dict[str, Any]:
        return mapping.lines_body(order, closed=closed)

    return _Save(method="PATCH", record="salesOrder", replace="item", body=body, dated=order.ordered_on)


def _request(save: _Save, business_id: str) -> Request:
    return Request(
        save.method,
        f"{RECORD}/{save.record}/{segment(mapping.eid(business_id))}",
        query=(("replace", save.replace),),
        body=_encoder.encode(save.body()),
        content_type="application/json",
    )


def _native_id(answer: Answer) -> str:
    """The internal id at the end of `Location`.

    Raises:
        Unknown: the write went through, but which record it wrote is not said.
    """
    native_id = answer.headers.get("location", "").rpartition("/")[2]
    if not (native_id.isascii() and native_id.isdecimal()):
        raise Unknown("NetSuite's answer to the write names no record", detail={"status": answer.status})
    return native_id


def _applied(kind: str, native_id: str, *, business_id: str, answer: Answer) -> Applied:
    return Applied(
        receipt=Receipt(kind=kind, native_id=native_id, business_id=business_id),
        status=answer.status,
        request_sha256=answer.request_sha256,
        response_sha256=answer.response_sha256,
    )


def _members(answer: Answer) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict):
        raise Malformed("NetSuite answered something that is not an object", code="netsuite.answer")
    return cast("dict[str, Any]", body)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
