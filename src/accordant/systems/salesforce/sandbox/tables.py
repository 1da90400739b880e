"""The sandbox's records, and drafts of writes that are kept or thrown away as a whole."""

import bisect
from collections.abc import Callable

import msgspec

from accordant.connector.sandbox import Change
from accordant.kernel.errors import Malformed
from accordant.kernel.money import parse_money
from accordant.systems.salesforce.mapping.account_standing import NAMES
from accordant.systems.salesforce.sandbox.native_ids import id_from_number
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Record, SObject

_STAMPS = frozenset({"SystemModstamp", "LastModifiedDate", "CreatedDate"})
STANDING_FIELDS = frozenset(NAMES)
"""A write of nothing else on an account is how it stands, not the customer."""
LEDGER_KINDS = {"Account": "customer", "Contact": "contact", "Opportunity": "opportunity", "Product2": "product"}
BUSINESS_IDS = {"Account": "Name", "Contact": "Email", "Opportunity": "Opportunity_Number__c", "Product2": "Name"}


def index_key(value: object) -> str | None:
    """How text is compared in SOQL and in external ids: without regard to case."""
    return None if value is None or value == "" else str(value).casefold()


class Table:
    """Records of one object by id, by each lookup field, and in the order of their last change."""

    def __init__(self, sobject: SObject) -> None:
        self.sobject = sobject
        self.records: dict[str, Record] = {}
        self.changed: list[tuple[int, str]] = []
        """(SystemModstamp in ms, id), ascending."""
        self._by: dict[str, dict[str, dict[str, None]]] = {f.name: {} for f in sobject.fields.values() if f.lookup}

    def put(self, record: Record) -> None:
        record_id = record["Id"]
        self.delete(record_id)
        self.records[record_id] = record
        bisect.insort(self.changed, (record["SystemModstamp"], record_id))
        for name, ids in self._by.items():
            key = index_key(record.get(name))
            if key is not None:
                ids.setdefault(key, {})[record_id] = None

    def delete(self, record_id: str) -> None:
        old = self.records.pop(record_id, None)
        if old is None:
            return
        del self.changed[bisect.bisect_left(self.changed, (old["SystemModstamp"], record_id))]
        for name, ids in self._by.items():
            key = index_key(old.get(name))
            if key is not None:
                ids[key].pop(record_id, None)

    def is_indexed(self, name: str) -> bool:
        return name in self._by

    def ids_where(self, name: str, value: object) -> list[str]:
        """Ids of the records whose lookup field has this value."""
        key = index_key(value)
        return [] if key is None else list(self._by[name].get(key, ()))

    def changed_between(self, low: tuple[int, str], high: tuple[int, str]) -> list[Record]:
        """Records in the order of their last change, from `low` on and before `high`."""
        start, stop = bisect.bisect_left(self.changed, low), bisect.bisect_left(self.changed, high)
        return [self.records[record_id] for _, record_id in self.changed[start:stop]]


class Database:
    """One table per object."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.tables = {name: Table(sobject) for name, sobject in SCHEMA.items()}
        self.now_ms = now_ms
        self._created = 0

    def new_id(self, type_name: str) -> str:
        self._created += 1
        return id_from_number(SCHEMA[type_name].prefix, self._created)


class Draft:
    """Writes that later ones of the same request already see, and nobody else before `apply`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.changes: list[Change] = []
        self._staged: dict[tuple[str, str], Record | None] = {}

    def get(self, type_name: str, record_id: str) -> Record | None:
        place = (type_name, record_id)
        if place in self._staged:
            return self._staged[place]
        return self.database.tables[type_name].records.get(record_id)

    def find(self, type_name: str, name: str, *, value: object) -> list[Record]:
        """By a lookup field, staged records included."""
        wanted = index_key(value)
        ids = dict.fromkeys(self.database.tables[type_name].ids_where(name, value))
        ids.update(dict.fromkeys(staged_id for staged_type, staged_id in self._staged if staged_type == type_name))
        found = (self.get(type_name, record_id) for record_id in ids)
        return [record for record in found if record is not None and index_key(record.get(name)) == wanted]

    def put(self, type_name: str, record: Record, *, created: bool) -> None:
        before = self.get(type_name, record["Id"]) or {}
        stamp_ms = self.database.now_ms()
        stamped = {**record, "SystemModstamp": stamp_ms, "LastModifiedDate": stamp_ms}
        stamped.setdefault("CreatedDate", stamp_ms)
        self._staged[type_name, record["Id"]] = stamped
        change = _change(type_name, stamped, change="create" if created else "update")
        told = {name for name in record if record[name] != before.get(name)} - _STAMPS
        if type_name == "Account" and not created and told <= STANDING_FIELDS:
            change = msgspec.structs.replace(change, kind="account_standing")
        self.changes.append(change)

    def delete(self, type_name: str, record: Record) -> None:
        self._staged[type_name, record["Id"]] = None
        self.changes.append(_change(type_name, record, change="delete"))

    def undo_all(self) -> None:
        self._staged.clear()
        self.changes.clear()

    def apply(self) -> None:
        for (type_name, record_id), record in self._staged.items():
            table = self.database.tables[type_name]
            if record is None:
                table.delete(record_id)
            else:
                table.put(record)


def _change(type_name: str, record: Record, *, change: str) -> Change:
    amount_minor, currency = _money(record) if type_name == "Opportunity" else (None, None)
    return Change(
        kind=LEDGER_KINDS[type_name],
        change=change,  # pyright: ignore[reportArgumentType]
        native_id=record["Id"],
        business_id=record.get(BUSINESS_IDS[type_name]),
        amount_minor=amount_minor,
        currency=currency,
        body={name: value for name, value in record.items() if name not in _STAMPS},
    )


def _money(record: Record) -> tuple[int | None, str | None]:
    """The amount for the ledger; (None, None) for text that is no amount, which the vendor stores all the same."""
    try:
        money = parse_money(str(record.get("Amount")), str(record.get("CurrencyIsoCode")))
    except Malformed:
        return None, None
    return money.amount_minor, money.currency
