"""What the four systems answer: just enough, made beforehand where it can be, and remembered for the read-back."""

import re
from bisect import bisect_left
from collections import Counter
from datetime import datetime
from time import time
from urllib.parse import parse_qs, parse_qsl, unquote

import msgspec

from bench.deals import deal_row, stamp_ms

PAGE = 500
_SINCE = re.compile(r"SystemModstamp >= (\S+)")
_IDS = re.compile(r"IN \(([^)]*)\)")
_CREATED = 1_780_000_000
_encode = msgspec.json.encode

SUBSCRIPTION_HEAD = (
    b'{"id":"%b","object":"subscription","application":null,"automatic_tax":{"enabled":false,"liability":null},'
    b'"billing_cycle_anchor":1780000000,"cancel_at":null,"cancel_at_period_end":false,"canceled_at":null,'
    b'"collection_method":"send_invoice","created":1780000000,"currency":"usd","customer":"%b","days_until_due":30,'
    b'"default_payment_method":null,"discounts":[],"ended_at":null,"invoice_settings":{"issuer":{"type":"self"}},'
    b'"items":{"object":"list","data":[{"id":"si_%b","object":"subscription_item","created":1780000000,'
    b'"current_period_end":1811536000,"current_period_start":1780000000,"metadata":{},"price":{"id":"price_%b",'
    b'"object":"price","active":true,"currency":"usd","product":"LDG-START","recurring":{"interval":"year",'
    b'"interval_count":1,"usage_type":"licensed"},"type":"recurring","unit_amount":60000},"quantity":1,'
    b'"subscription":"%b"}],"has_more":false,"total_count":1,"url":"/v1/subscription_items"},"latest_invoice":'
    b'"in_%b","livemode":false,"metadata":{},"next_pending_invoice_item_invoice":null,"schedule":null,'
    b'"start_date":1780000000,"status":"active","test_clock":null,"trial_end":null}'
)


class Vendors:
    """Billing, the books, support and the CRM behind one address."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first_read_at = 0.0
        """When the first row of the released deals was answered."""
        self._stamps: list[int] = []
        self._rows: list[bytes] = []
        self._fresh_from = 0
        self._customers: list[bytes] = []
        self._subscriptions: list[bytes] = []
        self._records: dict[bytes, tuple[int, bytes]] = {}
        self._by_number: dict[int, bytes] = {}
        self._organizations: dict[bytes, list[bytes]] = {}
        self._standings: dict[bytes, bytes] = {}
        self._numbers = 1000

    # --- what the CRM shows -------------------------------------------------------------------------------------

    def release(self, first: int, n: int, *, customers: int) -> None:
        """From now on the CRM also shows deals `first` to `first + n - 1`, and none that is younger."""
        keep = bisect_left(self._stamps, stamp_ms(first))
        del self._stamps[keep:], self._rows[keep:]
        self._fresh_from = keep
        self.first_read_at = 0.0
        self._show(first, n, customers=customers)

    def burst(self, first: int, half: int, corrections: int, *, customers: int) -> None:
        """So many deals, then corrections of old ones, then as many deals again, all to be read at once."""
        self.release(first, half, customers=customers)
        between = first + half
        for step in range(corrections):
            self._stamps.append(stamp_ms(between + step))
            self._rows.append(deal_row(step, customers=customers, corrected_at=between + step))
        self._show(between + corrections, half, customers=customers)

    def _show(self, first: int, n: int, *, customers: int) -> None:
        for number in range(first, first + n):
            self._stamps.append(stamp_ms(number))
            self._rows.append(deal_row(number, customers=customers))

    def query(self, target: bytes) -> bytes:
        """A SOQL query, or a further page of one."""
        path, _, question = target.partition(b"?")
        if not question:
            start, end = map(int, path.rpartition(b"/01g")[2].split(b"-"))
            return self._page(start, end)
        soql = unquote(question.decode().removeprefix("q="))
        if "SystemModstamp" not in soql:
            return self._deals_held(soql)
        if " FROM Opportunity " not in soql:  # other kinds of record are polled too, and none of them changes here
            return b'{"totalSize":0,"done":true,"records":[]}'
        since = _SINCE.search(soql)
        start = bisect_left(self._stamps, _milliseconds(since[1])) if since else 0
        return self._page(start, len(self._rows))

    def _page(self, start: int, end: int) -> bytes:
        self.counts["poll"] += 1
        stop = min(start + PAGE, end)
        if stop > self._fresh_from and not self.first_read_at and self._fresh_from < len(self._rows):
            self.first_read_at = time()
        following = b"" if stop == end else b',"nextRecordsUrl":"/services/data/v67.0/query/01g%d-%d"' % (stop, end)
        done = b"true" if stop == end else b"false"
        rows = b",".join(self._rows[start:stop])
        return b'{"totalSize":%d,"done":%b%b,"records":[%b]}' % (end - start, done, following, rows)

    def _deals_held(self, soql: str) -> bytes:
        self.counts["read back"] += 1
        found = _IDS.search(soql)
        records: list[object] = []
        for quoted in found[1].split(", ") if found else ():
            native_id = quoted.strip("'")
            body = self._standings.get(native_id.encode())
            if body is not None:
                records.append({"Id": native_id, **msgspec.json.decode(body)})
        return _encode({"totalSize": len(records), "done": True, "records": records})

    def standing(self, native_id: bytes, body: bytes) -> None:
        self.counts["crm"] += 1
        self._standings[native_id] = body

    # --- billing ------------------------------------------------------------------------------------------------

    def open_customer(self, body: bytes) -> bytes:
        self.counts["open customer"] += 1
        self._customers.append(body)
        return self._customer(len(self._customers) - 1)

    def subscribe(self, body: bytes) -> bytes:
        """The answer's prices are always the same; nobody reads them before the read-back."""
        self.counts["billing"] += 1
        number = b"%08d" % len(self._subscriptions)
        self._subscriptions.append(body)
        customer = body[9:21] if body.startswith(b"customer=cus_") else b"cus_00000000"
        one = b"sub_" + number
        return SUBSCRIPTION_HEAD % (one, customer, number, number, one, number)

    def billing_list(self, target: bytes) -> bytes:
        """A page, newest first, or one record."""
        self.counts["read back"] += 1
        path, _, question = target.partition(b"?")
        asked = {name: values[0] for name, values in parse_qs(question.decode()).items()}
        kind, _, one = path.decode().removeprefix("/v1/").partition("/")
        held, show = (
            (self._subscriptions, self._subscription) if kind == "subscriptions" else (self._customers, self._customer)
        )
        if one:
            return show(int(one[4:]))
        low, high = 0, len(held)
        size = int(asked.get("limit", "10"))
        if "ending_before" in asked:
            low = int(asked["ending_before"][4:]) + 1
            high = min(low + size, high)
        elif "starting_after" in asked:
            high = int(asked["starting_after"][4:])
        low = max(low, high - size)
        data = b",".join(show(n) for n in range(high - 1, low - 1, -1))
        return b'{"object":"list","has_more":%b,"data":[%b]}' % (b"true" if low else b"false", data)

    def _customer(self, n: int) -> bytes:
        said = dict(parse_qsl(self._customers[n].decode()))
        return _encode(
            {
                "id": f"cus_{n:08}",
                "object": "customer",
                "created": _CREATED,
                "name": said.get("name"),
                "email": said.get("email"),
                "address": {"country": said.get("address[country]")},
                "metadata": _metadata(said),
            }
        )

    def _subscription(self, n: int) -> bytes:
        said = dict(parse_qsl(self._subscriptions[n].decode()))
        item = "items[0][price_data]"
        metadata = _metadata(said)
        price = {"product": said[f"{item}[product]"], "unit_amount": int(said[f"{item}[unit_amount]"])}
        return _encode(
            {
                "id": f"sub_{n:08}",
                "object": "subscription",
                "created": _CREATED,
                "status": "active",
                "currency": said[f"{item}[currency]"],
                "customer": {"id": said["customer"], "metadata": {"customer_id": metadata.get("customer_id")}},
                "items": {"data": [{"id": f"si_{n:08}", "price": price, "quantity": int(said["items[0][quantity]"])}]},
                "metadata": metadata,
            }
        )

    # --- the books ----------------------------------------------------------------------------------------------

    def keep_record(self, kind: str, external_id: bytes, body: bytes) -> int:
        """The internal id under which a record is kept."""
        self.counts[kind] += 1
        known = self._records.get(external_id)
        if known is None:
            self._numbers += 1
        number = known[0] if known else self._numbers
        self._records[external_id] = (number, body)
        self._by_number[number] = external_id
        return number

    def suiteql(self, body: bytes) -> bytes:
        self.counts["read back"] += 1
        found = _IDS.search(body.decode())
        items: list[object] = []
        for text in found[1].split(", ") if found else ():
            external_id = self._by_number.get(int(text))
            if external_id is not None:
                items.append(self._row(int(text), external_id))
        return _encode({"items": items, "count": len(items), "hasMore": False, "offset": 0, "totalResults": len(items)})

    def _row(self, number: int, external_id: bytes) -> dict[str, object]:
        said = msgspec.json.decode(self._records[external_id][1])
        row: dict[str, object] = {"id": str(number), "externalid": external_id.decode()}
        row["currency"] = said["currency"]["id"]
        if "companyName" in said:
            return {**row, "companyname": said["companyName"], "parent": None}
        buyer = self._records[said["entity"]["externalId"].encode()][0]
        total = sum(line["amount"] for line in said["item"]["items"])
        return {**row, "entity": str(buyer), "foreigntotal": str(total), "status": "B"}

    # --- support ------------------------------------------------------------------------------------------------

    def keep_organization(self, body: bytes) -> tuple[int, bytes]:
        """Status and answer of a create-or-update."""
        at = body.find(b'"external_id":"') + 15
        external_id = body[at : body.find(b'"', at)]
        held = self._organizations.get(external_id)
        if b'"name":' in body:
            self.counts["open organization"] += 1
            place = 1
        else:
            self.counts["support"] += 1
            place = 2
        if held is None:
            self._numbers += 1
            held = self._organizations[external_id] = [b"%d" % self._numbers, b"{}", b"{}"]
            status = 201
        else:
            status = 200
        held[place] = body
        return status, b'{"organization":{"id":%b,"external_id":"%b","name":"","url":"","tags":[]}}' % (
            held[0],
            external_id,
        )

    def organizations(self, target: bytes) -> bytes:
        self.counts["read back"] += 1
        asked = parse_qs(target.partition(b"?")[2].decode())["external_ids"][0]
        found: list[object] = []
        for external_id in asked.split(","):
            held = self._organizations.get(external_id.encode())
            if held is not None:
                customer, entitlement = (msgspec.json.decode(one).get("organization", {}) for one in held[1:])
                fields = {**customer.get("organization_fields", {}), **entitlement.get("organization_fields", {})}
                record = {"id": int(held[0]), "external_id": external_id, "name": customer.get("name")}
                found.append({**record, "organization_fields": fields})
        return _encode({"organizations": found, "count": len(found), "next_page": None})


def _metadata(said: dict[str, str]) -> dict[str, str]:
    return {name[9:-1]: value for name, value in said.items() if name.startswith("metadata[")}


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
