"""A customer is opened in the books under our own id, below its parent."""

from typing import Any

from accordant.canonical.customer import Customer
from accordant.canonical.operation import EffectClass
from accordant.connector.capabilities import Capability
from accordant.systems.netsuite import mapping
from accordant.systems.netsuite.client.calls import RECORD, UPSERT, Save, is_there

_OPEN = Capability(
    verb="open_customer",
    kind="customer",
    effect_class=EffectClass.UPSERT,
    request=f"PUT {RECORD}/customer/eid:{{customer_id}}?replace=addressBook",
    source=UPSERT,
)
CAPABILITIES = (_OPEN,)


def open_customer(customer: Customer, *, erp_entity: str, currencies: mapping.Currencies) -> Save:
    def body() -> dict[str, Any]:
        return mapping.customer_body(customer, erp_entity=erp_entity, currencies=currencies)

    return Save(
        capability=_OPEN,
        business_id=customer.customer_id,
        method="PUT",
        record="customer",
        replace="addressBook",
        body=body,
        command={"customer": customer, "erp_entity": erp_entity},
        expected=mapping.expected_customer(customer),
        shows=is_there,
        master_data=True,
    )
