"""What NetSuite keeps: record types, how they refer to each other, and what a save refuses."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec

from accordant.connector.sandbox import Kit, Record
from accordant.connector.sandbox.store import LaggedStore
from accordant.kernel.money import exponent
from accordant.systems.netsuite.sandbox.answers import as_object, invalid_value, missing_value, unreadable, user_error

TEXT_MAX = {"companyName": 83, "otherRefNum": 45, "memo": 999}
HOLDS = ("AUTO", "ON", "OFF")
READ_ONLY = frozenset(
    {
        *("id", "links", "lastModifiedDate", "dateCreated", "createdDate", "total", "subtotal", "status"),
        *("amountPaid", "amountRemaining", "applied", "unapplied"),
    }
)
APPLY = "apply"
"""Sublist of the invoices that a payment or a credit memo is set against, one row for each `doc`."""


class RecordType(msgspec.Struct, frozen=True, kw_only=True):
    """One record type of the REST API. Records of one `table` share ids and external ids."""

    name: str
    table: str
    kind: str
    """Canonical noun of the effect ledger."""
    required: Mapping[str, str]
    """Property → label of the field in NetSuite's messages."""
    references: Mapping[str, str] = {}
    """Property → table it refers to."""
    sublists: tuple[str, ...] = ()
    customer: str = ""
    """Property of a transaction that refers to its customer; SuiteQL calls it `entity` for every type."""
    code: str = ""
    """`type` of a transaction in SuiteQL."""
    prefix: str = ""
    """Before the number of a transaction."""
    sign: int = 1
    """-1: SuiteQL shows the total as a negative amount."""


_CUSTOMER = RecordType(
    name="customer",
    table="customer",
    kind="customer",
    required={"companyName": "Company Name", "subsidiary": "Primary Subsidiary"},
    references={"subsidiary": "subsidiary", "parent": "customer", "currency": "currency"},
    sublists=("addressBook",),
)
_SALES_ORDER = RecordType(
    name="salesOrder",
    table="transaction",
    kind="order",
    required={"entity": "Customer", "item": "Items"},
    references={"entity": "customer", "subsidiary": "subsidiary", "currency": "currency"},
    sublists=("item",),
    customer="entity",
    code="SalesOrd",
    prefix="SO",
)
_CREDIT_MEMO = msgspec.structs.replace(
    _SALES_ORDER, name="creditMemo", kind="credit_memo", code="CustCred", prefix="CM", sign=-1, sublists=("item", APPLY)
)
_INVOICE = msgspec.structs.replace(_SALES_ORDER, name="invoice", kind="invoice", code="CustInvc", prefix="INV")
_PAYMENT = RecordType(
    name="customerPayment",
    table="transaction",
    kind="payment",
    required={"customer": "Customer", "payment": "Payment Amount"},
    references={"customer": "customer", "subsidiary": "subsidiary", "currency": "currency"},
    sublists=(APPLY,),
    customer="customer",
    code="CustPymt",
    prefix="PYMT",
)
_CUSTOMER_REFUND = msgspec.structs.replace(
    _PAYMENT,
    name="customerRefund",
    kind="customer_refund",
    required={"customer": "Customer", "apply": "Apply"},
    code="CustRfnd",
    prefix="RF",
)
_ITEMS = tuple(
    RecordType(
        name=name,
        table="item",
        kind="item",
        required={"itemId": "Item Name/Number"},
        references={"subsidiary": "subsidiary"},
    )
    for name in ("serviceSaleItem", "nonInventorySaleItem")
)
_SUBSIDIARY = RecordType(name="subsidiary", table="subsidiary", kind="subsidiary", required={"name": "Name"})
_CURRENCY = RecordType(name="currency", table="currency", kind="currency", required={"symbol": "ISO Code"})

TYPES: Mapping[str, RecordType] = {
    t.name: t
    for t in (
        *(_CUSTOMER, _SALES_ORDER, _CREDIT_MEMO, _CUSTOMER_REFUND, _INVOICE, _PAYMENT),
        *(*_ITEMS, _SUBSIDIARY, _CURRENCY),
    )
}
TITLES = {
    "customer": "companyName",
    "item": "itemId",
    "subsidiary": "name",
    "currency": "name",
    "transaction": "tranId",
}
"""Table → property shown as `refName`."""
FIRST_ID = {
    "customer": 1001,
    "transaction": 50_001,
    "item": 301,
    "subsidiary": 1,
    "currency": 1,
    "accountingperiod": 101,
}


class Books:
    """All records of one account, by table, id and external id."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        indexes: Mapping[str, Callable[[Record], object]] = {
            "id": lambda record: record["id"],
            "externalid": lambda record: record.get("externalId"),
        }
        self.tables: dict[str, LaggedStore] = {table: kit.store(table, indexes=indexes) for table in FIRST_ID}
        self._next_id = dict(FIRST_ID)
        self.settled: dict[str, dict[str, Decimal]] = {}
        """By invoice, what each payment or credit memo settles of it."""

    def next_id(self, table: str) -> str:
        """The id that the next new record will get; `put` takes it."""
        return str(self._next_id[table])

    def put(self, table: str, record: Record) -> None:
        self._next_id[table] = max(self._next_id[table], int(record["id"]) + 1)
        self.tables[table].put(record["id"], record)
        if APPLY in record:
            self._settle(record["id"], {row["doc"]: row["amount"] for row in record[APPLY]})

    def delete(self, table: str, record: Record) -> None:
        if APPLY in record:
            self._settle(record["id"], {})
        self.tables[table].delete(record["id"])

    def _settle(self, by: str, amounts: Mapping[str, Decimal]) -> None:
        """What a transaction settles from now on; the invoices show at once what is left of them."""
        touched = {doc for doc, settled in self.settled.items() if by in settled} | amounts.keys()
        for doc in touched:
            self.settled.setdefault(doc, {}).pop(by, None)
            if doc in amounts:
                self.settled[doc][by] = amounts[doc]
            invoice = self.get("transaction", doc)
            if invoice is not None:
                self.tables["transaction"].put(doc, {**invoice, **self.left(doc, invoice["total"])})

    def left(self, invoice_id: str, total: Decimal) -> Record:
        """What is settled of an invoice, what is left, and its status: A open, B paid in full."""
        paid = sum(self.settled.get(invoice_id, {}).values(), Decimal(0))
        return {"amountPaid": paid, "amountRemaining": total - paid, "status": "A" if total > paid else "B"}

    def get(self, table: str, record_id: str) -> Record | None:
        return self.tables[table].get(record_id)

    def is_closed(self, day: str) -> bool:
        """Whether a day, as `YYYY-MM-DD`, lies in a closed accounting period; a day in none is taken as open."""
        periods = self.tables["accountingperiod"].values()
        return any(p["closed"] and p["startDate"] <= day <= p["endDate"] for p in periods)

    def by_external_id(self, table: str, external_id: str) -> Record | None:
        found = self.tables[table].find_now("externalid", external_id)
        return found[0] if found else None

    def refers(self, table: str, reference: Any) -> Record | None:
        """The record that `{id}`, `{externalId}` or `{refName}` names; None when there is none."""
        named = as_object(reference)
        if named is None:
            return self.get(table, str(reference))
        if "id" in named:
            return self.get(table, str(named["id"]))
        if "externalId" in named:
            return self.by_external_id(table, str(named["externalId"]))
        title = named.get("refName")
        matches = (r for r in self.tables[table].values() if title in (r.get(TITLES[table]), r.get("symbol")))
        return next(matches, None)

    def now_text(self) -> str:
        return self._kit.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def merged(books: Books, kind: RecordType, *, old: Record | None, body: Record, replace: frozenset[str]) -> Record:
    """The record as it stands after the save, references resolved to ids; nothing is stored yet."""
    new: Record = {"recordType": kind.name, "isInactive": False, "dateCreated": books.now_text()}
    record = dict(old) if old else new
    for name, value in body.items():
        if name in READ_ONLY:
            continue
        table = kind.references.get(name)
        if table is not None:
            record[name] = None if value is None else resolve(books, table, reference=value, field=name, path=name)
        elif name in kind.sublists:
            record[name] = _lines(record.get(name, []), value, replace=name in replace, path=name)
        else:
            record[name] = value
    _check_texts(record)
    if hold_of(record) not in HOLDS:
        raise invalid_value(hold_of(record)[:40], "creditHoldOverride", path="creditHoldOverride")
    missing = [name for name in kind.required if record.get(name) in (None, "", [])]
    if missing:
        raise missing_value(kind.required[missing[0]], missing[0])
    record["lastModifiedDate"] = books.now_text()
    return record


def resolve(books: Books, table: str, *, reference: Any, field: str, path: str) -> str:
    """The id of an active record.

    Raises:
        Refused: no such record, or it is inactive: the field does not offer it.
    """
    found = books.refers(table, reference)
    if found is None or found.get("isInactive"):
        raise invalid_value(_shown(reference), field, path=path)
    return found["id"]


def amount_minor(books: Books, record: Record) -> int:
    """The transaction's total in its currency's smallest unit; NetSuite rounds a line to its currency's decimals."""
    currency = currency_of(books, record)
    if "item" in TYPES[record["recordType"]].sublists:
        return sum(rounded_minor(line["amount"], currency) for line in record["item"])
    return rounded_minor(record["total"], currency)


def customer_of(record: Record) -> str:
    """The id of a transaction's customer."""
    return record[TYPES[record["recordType"]].customer]


def hold_of(customer: Record) -> str:
    """AUTO, ON or OFF."""
    said = customer.get("creditHoldOverride")
    return str((as_object(said) or {}).get("id", said) or "AUTO")


def rounded_minor(amount: Decimal, currency: str) -> int:
    return int(amount.scaleb(exponent(currency)).to_integral_value(rounding="ROUND_HALF_UP"))


def currency_of(books: Books, record: Record) -> str:
    currency = books.get("currency", record["currency"])
    return currency["symbol"] if currency else "USD"


def _lines(old: list[Record], value: Any, *, replace: bool, path: str) -> list[Record]:
    """Sublist after a save: `replace` puts the sent lines in place of all, otherwise `line` keys match or lines append.

    Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_1545297048.html
    """
    items = (as_object(value) or {}).get("items")
    sent = cast("list[object]", items) if isinstance(items, list) else None
    if sent is None or not all(isinstance(line, dict) for line in sent):
        raise unreadable(f"{path}.items must be a list of objects.")
    given = cast("list[Record]", sent)
    known = {line["line"]: line for line in old}
    kept: dict[int, Record] = {} if replace else dict(known)
    number = max(known, default=0)
    for line in given:
        key = line.get("line")
        if isinstance(key, int) and key in known:
            kept[key] = {**known[key], **line}
        else:
            number += 1
            kept[number] = {**line, "line": number}
    return list(kept.values())


def _check_texts(record: Record) -> None:
    for name, longest in TEXT_MAX.items():
        value = record.get(name)
        if isinstance(value, str) and len(value) > longest:
            detail = f"The field {name} contained more than the maximum number ( {longest} ) of characters."
            raise user_error(detail, name)


def _shown(reference: object) -> object:
    named = as_object(reference)
    return reference if named is None else next(iter(named.values()), "")
