"""Translates a customer between our words and NetSuite's."""

from collections.abc import Mapping
from typing import Any

from accordant.canonical.customer import Address, Customer
from accordant.canonical.operation import Facts
from accordant.systems.netsuite.mapping.values import Currencies, currency_code, reference, text_or_none


def customer_body(customer: Customer, *, erp_entity: str, currencies: Currencies) -> dict[str, Any]:
    """The whole customer; sent with `replace=addressBook`, so that sending it again changes nothing."""
    body: dict[str, Any] = {
        "externalId": customer.customer_id,
        "companyName": customer.name,
        "isPerson": False,
        "subsidiary": reference(erp_entity),
        "currency": currencies.reference(customer.currency),
        "addressBook": {"items": _addresses(customer)},
    }
    if customer.parent_id is not None:
        body["parent"] = {"externalId": customer.parent_id}
    return body


def expected_customer(customer: Customer) -> Facts:
    return {
        "business_id": customer.customer_id,
        "name": customer.name,
        "parent_id": customer.parent_id,
        "currency": customer.currency,
    }


def customer_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    """What a SuiteQL row of `customer` says; `names` gives customers' external ids by internal id."""
    parent = text_or_none(row.get("parent"))
    return {
        "business_id": text_or_none(row.get("externalid")),
        "name": text_or_none(row.get("companyname")),
        "parent_id": names.get(parent) if parent else None,
        "currency": currency_code(row.get("currency"), currencies),
    }


def _addresses(customer: Customer) -> list[dict[str, Any]]:
    if customer.bill_to == customer.ship_to:
        return [_address(customer.bill_to, billing=True, shipping=True)]
    return [
        _address(customer.bill_to, billing=True, shipping=False),
        _address(customer.ship_to, billing=False, shipping=True),
    ]


def _address(address: Address, *, billing: bool, shipping: bool) -> dict[str, Any]:
    streets = {f"addr{number}": line for number, line in enumerate(address.lines[:3], start=1)}
    places = {"city": address.city, "state": address.region, "zip": address.postal_code}
    return {
        "defaultBilling": billing,
        "defaultShipping": shipping,
        "addressBookAddress": {
            "country": {"id": address.country},
            **streets,
            **{name: value for name, value in places.items() if value},
        },
    }
