"""A sales order is placed, amended by its lines, and closed by closing each of them."""

from collections.abc import Mapping
from typing import Any, cast

from accordant.canonical.operation import EffectClass, Facts
from accordant.canonical.order import Order
from accordant.connector.capabilities import Capability
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, REPLACE, UPSERT, Save, shows_total

_PLACE = Capability(
    verb="place_order",
    kind="order",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
    source=UPSERT,
)
_AMEND = Capability(
    verb="amend_order",
    kind="order",
    effect_class=EffectClass.UPSERT,
    request=f"PATCH {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
    source=REPLACE,
)
_CLOSE = Capability(
    verb="close_order",
    kind="order",
    effect_class=EffectClass.UPSERT,
    request=f"PATCH {RECORD}/salesOrder/eid:{{order_id}}?replace=item",
    source=REPLACE,
)
CAPABILITIES = (_PLACE, _AMEND, _CLOSE)


def place_order(order: Order, *, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.order_body(order, currencies=currencies)

    return Save(
        capability=_PLACE,
        business_id=order.order_id,
        method="PUT",
        record="salesOrder",
        replace="item",
        body=body,
        command=order,
        expected=mapping.expected_order(order, status=mapping.OPEN),
        shows=_shows,
        dated=order.ordered_on,
    )


def amend_order(order: Order) -> Save:
    return _lines(order, capability=_AMEND, closed=False)


def close_order(order: Order) -> Save:
    return _lines(order, capability=_CLOSE, closed=True)


def _lines(order: Order, *, capability: Capability, closed: bool) -> Save:
    def body() -> dict[str, Any]:
        return mapping.lines_body(order, closed=closed)

    return Save(
        capability=capability,
        business_id=order.order_id,
        method="PATCH",
        record="salesOrder",
        replace="item",
        body=body,
        command=order,
        expected=mapping.expected_order(order, status=mapping.CLOSED if closed else mapping.OPEN),
        shows=_shows,
        dated=order.ordered_on,
    )


def _shows(found: Mapping[str, Any], expected: Facts) -> bool:
    status = found.get("orderStatus")
    letter = cast("Mapping[str, Any]", status).get("id") if isinstance(status, dict) else None
    is_closed = letter in mapping.CLOSED_LETTERS
    return shows_total(found, expected) and expected["status"] == (mapping.CLOSED if is_closed else mapping.OPEN)
