"""What an administrator sets up before business begins: subsidiaries, items, currencies, periods, certificates.

Loading a record again under the same external id changes it: that is how an item or a subsidiary is inactivated and
later activated while orders come in.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

import msgspec

from accordant.connector.sandbox import Record
from accordant.systems.netsuite.sandbox import CURRENCIES
from accordant.systems.netsuite.sandbox.access import Gate
from accordant.systems.netsuite.sandbox.records import Books


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record to load; `inactive` hides it from every new transaction."""

    external_id: str
    name: str = ""
    id: str | None = None
    inactive: bool = False


class Subsidiary(_Row, frozen=True, kw_only=True):
    country: str | None = None
    currency: str = "USD"


class Item(_Row, frozen=True, kw_only=True):
    type: str = "serviceSaleItem"


class Currency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    symbol: str
    name: str = ""
    inactive: bool = False


class Customer(_Row, frozen=True, kw_only=True):
    subsidiary: str
    """External id of the subsidiary."""
    currency: str = "USD"
    country: str | None = None
    parent: str | None = None
    """External id of the parent customer, loaded before it."""


class Period(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An accounting period; transactions dated in a closed one are refused."""

    starts_on: str
    ends_on: str
    name: str = ""
    """Without one, its first month as NetSuite writes it: `Mar 2026`."""
    closed: bool = True


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    certificate_id: str
    client_id: str
    public_key: str


class Hold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody sets on a customer's form by hand."""

    external_id: str
    hold: Literal["AUTO", "ON", "OFF"]


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of the admin door's `load`."""

    currencies: tuple[Currency, ...] = ()
    subsidiaries: tuple[Subsidiary, ...] = ()
    items: tuple[Item, ...] = ()
    customers: tuple[Customer, ...] = ()
    periods: tuple[Period, ...] | None = None
    """When given, replaces all periods known so far."""
    certificates: tuple[Certificate, ...] = ()
    holds: tuple[Hold, ...] = ()


def new_account(books: Books, gate: Gate) -> None:
    """What every account has from the start."""
    load(books, gate, data={"currencies": [{"id": number, "symbol": code} for number, code in CURRENCIES.items()]})


def load(books: Books, gate: Gate, *, data: dict[str, Any]) -> int:
    """Store what `Setup` describes; returns how many records.

    Raises:
        ValueError: a word that is not part of `Setup`, or a reference to something that was not loaded.
    """
    setup = msgspec.convert(data, Setup)
    for currency in setup.currencies:
        row: Record = {"id": currency.id, "symbol": currency.symbol, "name": currency.name or currency.symbol}
        books.put("currency", {**row, "recordType": "currency", "isInactive": currency.inactive})
    for subsidiary in setup.subsidiaries:
        _store(books, "subsidiary", row=subsidiary, recordType="subsidiary", country=subsidiary.country)
    for item in setup.items:
        _store(books, "item", row=item, recordType=item.type, itemId=item.external_id)
    for customer in setup.customers:
        _load_customer(books, customer)
    if setup.periods is not None:
        _replace_periods(books, setup.periods)
    for certificate in setup.certificates:
        gate.add_certificate(
            certificate.certificate_id, client_id=certificate.client_id, public_key=certificate.public_key
        )
    for hold in setup.holds:
        _set_hold(books, hold)
    loaded = (setup.holds, setup.currencies, setup.subsidiaries, setup.items, setup.customers, setup.periods or ())
    return sum(map(len, loaded)) + len(setup.certificates)


def _replace_periods(books: Books, periods: Iterable[Period]) -> None:
    for old in books.tables["accountingperiod"].values():
        books.tables["accountingperiod"].delete(old["id"])
    for period in periods:
        named = period.name or f"{date.fromisoformat(period.starts_on):%b %Y}"
        row: Record = {"id": books.next_id("accountingperiod"), "recordType": "accountingPeriod", "periodName": named}
        days = {"startDate": period.starts_on, "endDate": period.ends_on}
        books.put("accountingperiod", {**row, **days, "closed": period.closed})


def _set_hold(books: Books, hold: Hold) -> None:
    customer = books.by_external_id("customer", hold.external_id)
    if customer is None:
        raise ValueError(f"no customer has the external id {hold.external_id!r}")
    changed = {"creditHoldOverride": {"id": hold.hold}, "lastModifiedDate": books.now_text()}
    books.put("customer", {**customer, **changed})


def _load_customer(books: Books, customer: Customer) -> None:
    address = {"line": 1, "defaultBilling": True, "addressBookAddress": {"country": {"id": customer.country}}}
    _store(
        books,
        "customer",
        row=customer,
        recordType="customer",
        companyName=customer.name,
        subsidiary=_id(books, "subsidiary", external_id=customer.subsidiary),
        currency=next((number for number, code in _currency_codes(books) if code == customer.currency), None),
        parent=_id(books, "customer", external_id=customer.parent) if customer.parent else None,
        addressBook=[address] if customer.country else [],
    )


def _store(books: Books, table: str, *, row: _Row, **properties: Any) -> None:
    old = books.by_external_id(table, row.external_id) or {}
    record_id = old.get("id") or row.id or books.next_id(table)
    books.put(
        table,
        {
            **old,
            "id": record_id,
            "externalId": row.external_id,
            "name": row.name or old.get("name") or row.external_id,
            "isInactive": row.inactive,
            "lastModifiedDate": books.now_text(),
            **{name: value for name, value in properties.items() if value is not None},
        },
    )


def _id(books: Books, table: str, *, external_id: str) -> str:
    found = books.by_external_id(table, external_id)
    if found is None:
        raise ValueError(f"no {table} with external id {external_id!r} has been loaded")
    return found["id"]


def _currency_codes(books: Books) -> list[tuple[str, str]]:
    return [(record["id"], record["symbol"]) for record in books.tables["currency"].values()]
