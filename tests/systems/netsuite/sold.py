"""A customer, an order and a credit memo in canonical words."""

from datetime import date

from accordant.canonical.credit import CreditMemo
from accordant.canonical.customer import Address, Customer
from accordant.canonical.order import Order, OrderLine
from accordant.kernel.money import Money

AT = Address(country="US", lines=("1 Main Street", "Floor 2"), city="Boston", region="MA", postal_code="02110")


def customer(customer_id: str = "customer-1", **changes: object) -> Customer:
    values: dict[str, object] = {
        "customer_id": customer_id,
        "name": "Acme GmbH & Co. <KG>",
        "legal_entity": "us",
        "currency": "USD",
        "bill_to": AT,
        "ship_to": AT,
    }
    return Customer(**{**values, **changes})  # pyright: ignore[reportArgumentType]


def order(*amounts_minor: int, currency: str = "USD", **changes: object) -> Order:
    lines = tuple(
        OrderLine(product_id=f"SKU-{place}", quantity=place, total=Money(amount, currency))
        for place, amount in enumerate(amounts_minor or (105450,), start=1)
    )
    values: dict[str, object] = {
        "order_id": "order-1",
        "customer_id": "customer-1",
        "legal_entity": "us",
        "erp_entity": "US01",
        "opportunity_id": "OPP-1",
        "subscription_id": "subscription-1",
        "ordered_on": date(2026, 3, 31),
        "lines": lines,
        "total": Money(sum(line.total.amount_minor for line in lines), currency),
    }
    return Order(**{**values, **changes})  # pyright: ignore[reportArgumentType]


def memo(**changes: object) -> CreditMemo:
    values: dict[str, object] = {
        "credit_id": "credit-1",
        "customer_id": "customer-1",
        "legal_entity": "us",
        "erp_entity": "US01",
        "case_id": "4711",
        "item": "SKU-2",
        "amount": Money(25050, "USD"),
        "posted_on": date(2026, 10, 15),
    }
    return CreditMemo(**{**values, **changes})  # pyright: ignore[reportArgumentType]
