"""A sales order: how the books know what was sold."""

from datetime import date

import msgspec

from accordant.kernel.money import Money


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One product on an order. `total` is for the whole quantity; negative on a line that gives something back."""

    product_id: str
    quantity: int
    total: Money
    description: str = ""
    """What the line is for, where it adjusts another one; empty for what was sold first."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order of one customer with one of our legal entities."""

    schema_version: int = 1
    order_id: str
    customer_id: str
    legal_entity: str
    erp_entity: str
    """The legal entity's code in the ERP, from the reference table `legal_entity`."""
    opportunity_id: str
    subscription_id: str
    ordered_on: date
    lines: tuple[OrderLine, ...]
    total: Money
