"""A product: one thing we sell, with its list price and the service tier it brings."""

import msgspec

from accordant.kernel.money import Money


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A list price per unit and year. Any positive agreed price is accepted; its distance from list is recorded."""

    list_price: Money

    def deviation(self, agreed_unit: Money) -> Money:
        """Agreed minus list, per unit; negative is a discount."""
        return agreed_unit - self.list_price


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One thing we sell. `product_id` is the SKU: the same text in billing (product id) and ERP (item external id)."""

    schema_version: int = 1
    product_id: str
    name: str
    service_tier: str
    price: Price
