"""An entitlement: which service a customer may ask support for, and until when."""

from datetime import date

import msgspec


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """One customer's right to support, derived from contract and order. Setting it sets the whole state."""

    schema_version: int = 1
    customer_id: str
    status: str
    """`active`, `limited`, `suspended` or `ended`."""
    service_tier: str
    """standard, plus or premium."""
    ends_on: date
    response_minutes: int
    """First answer promised for the most urgent case of this tier."""
