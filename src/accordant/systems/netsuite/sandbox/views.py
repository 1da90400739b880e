"""How NetSuite shows its records over REST, and the whole account in canonical words."""

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox.answers import as_object
from accordant.systems.netsuite.sandbox.records import (
    TITLES,
    TYPES,
    Books,
    RecordType,
    amount_minor,
    currency_of,
    customer_of,
    hold_of,
    rounded_minor,
)
from accordant.systems.netsuite.sandbox.transactions import RULES

RECORD_ROOT = "/services/rest/record/v1"
_TABLE_TYPES = {"customer": "customer", "subsidiary": "subsidiary", "currency": "currency"}


def shown(books: Books, kind: RecordType, *, record: Record, origin: str, expand: bool) -> Record:
    """One record as `GET` answers it; sublists are links unless expanded."""
    here = f"{origin}{RECORD_ROOT}/{kind.name}/{record['id']}"
    answer: Record = {"links": [{"rel": "self", "href": here}]}
    rules = RULES.get(kind.name)
    for name, value in record.items():
        if value is None or name in ("recordType", "type"):
            continue
        if name in kind.references:
            answer[name] = _reference(books, kind.references[name], record_id=str(value), origin=origin)
        elif name in kind.sublists:
            answer[name] = _sublist(books, value, here=f"{here}/{name}", expand=expand, origin=origin)
        elif rules is not None and name == rules.status_in:
            status = rules.statuses[value]
            answer[name] = {"id": value, "refName": status}
            answer["status"] = {"id": status, "refName": status}
        else:
            answer[name] = value
    return answer


def dump(books: Books) -> dict[str, list[Record]]:
    """Everything of the business in canonical words, without native ids or times, each list sorted by its bytes."""
    found: dict[str, list[Record]] = {
        "customer": [_canonical_customer(books, record) for record in books.tables["customer"].values()],
        **{TYPES[name].kind: [] for name in RULES},
    }
    for record in books.tables["transaction"].values():
        found[TYPES[record["recordType"]].kind].append(_canonical_transaction(books, record))
    return {kind: sorted(records, key=_by_business_id) for kind, records in found.items()}


def _by_business_id(record: Record) -> str:
    return str(record["business_id"])


def _canonical_customer(books: Books, record: Record) -> Record:
    addresses: list[Record] = record.get("addressBook") or []
    country = (as_object(addresses[0].get("addressBookAddress")) or {}).get("country") if addresses else None
    named = as_object(country)
    return {
        "business_id": record.get("externalId"),
        "name": record["companyName"],
        "subsidiary": _business_id(books, "subsidiary", record_id=record["subsidiary"]),
        "parent": _business_id(books, "customer", record_id=record.get("parent")),
        "country": named.get("id") if named else country,
        "currency": currency_of(books, record) if record.get("currency") else None,
        "hold": hold_of(record),
    }


def _canonical_transaction(books: Books, record: Record) -> Record:
    currency = currency_of(books, record)
    sold = {"lines": _canonical_lines(books, record["item"], currency=currency)} if "item" in record else {}
    return {
        "business_id": record.get("externalId"),
        "customer": _business_id(books, "customer", record_id=customer_of(record)),
        "subsidiary": _business_id(books, "subsidiary", record_id=record["subsidiary"]),
        "currency": currency,
        "amount_minor": amount_minor(books, record),
        **sold,
        "date": record["tranDate"],
        **RULES[record["recordType"]].told(record),
    }


def _canonical_lines(books: Books, lines: list[Record], *, currency: str) -> list[Record]:
    return [
        {
            "product": _business_id(books, "item", record_id=line["item"]),
            "quantity": format(line["quantity"].normalize(), "f"),
            "amount_minor": rounded_minor(line["amount"], currency),
        }
        for line in lines
    ]


def _business_id(books: Books, table: str, *, record_id: str | None) -> str | None:
    record = books.get(table, record_id) if record_id else None
    return (record.get("externalId") or record.get(TITLES[table])) if record else None


def _reference(books: Books, table: str, *, record_id: str, origin: str) -> Record:
    record = books.get(table, record_id) or {}
    kind = _TABLE_TYPES.get(table) or record.get("recordType", table)
    links = [{"rel": "self", "href": f"{origin}{RECORD_ROOT}/{kind}/{record_id}"}]
    answer: Record = {"links": links, "id": record_id}
    if record.get("externalId"):
        answer["externalId"] = record["externalId"]
    return answer | {"refName": record.get(TITLES[table], record_id)}


def _sublist(books: Books, lines: list[Record], *, here: str, expand: bool, origin: str) -> Record:
    answer: Record = {"links": [{"rel": "self", "href": here}]}
    if not expand:
        return answer
    items = [
        {"links": [{"rel": "self", "href": f"{here}/{line['line']}"}]}
        | line
        | ({"item": _reference(books, "item", record_id=line["item"], origin=origin)} if "item" in line else {})
        for line in lines
    ]
    return answer | {"items": items, "totalResults": len(items), "count": len(items), "hasMore": False, "offset": 0}


def record_type(name: str) -> RecordType | None:
    """Record types are spelled as in the REST API Browser; NetSuite takes them in any case."""
    return TYPES.get(name) or _BY_LOWER.get(name.lower())


_BY_LOWER = {name.lower(): kind for name, kind in TYPES.items()}
