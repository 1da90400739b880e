"""What the platform asks of each kind of system, in business verbs. A vendor's client implements one of these.

Every verb returns an `Operation` and calls nothing; see `operation.py`. The `account` argument of a verb is the
receipt of the customer in that same system.
"""

from datetime import date
from typing import Protocol

from accordant.canonical.case import CaseOutcome
from accordant.canonical.credit import CreditMemo, Exposure, ServiceCredit
from accordant.canonical.customer import Customer
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.operation import Operation, Receipt, SystemPort
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order
from accordant.canonical.subscription import Subscription, SubscriptionChange


class Crm(SystemPort, Protocol):
    """Where sales works."""

    def tell_standing(self, standing: DealStanding) -> Operation:
        """Show on the deal where it stands."""
        ...


class Billing(SystemPort, Protocol):
    """Where customers are charged."""

    def open_customer(self, customer: Customer) -> Operation: ...

    def start_subscription(self, subscription: Subscription, *, account: Receipt) -> Operation: ...

    def amend_subscription(self, change: SubscriptionChange, *, existing: Receipt) -> Operation: ...

    def revert_amendment(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        """Bring the subscription back to `change.before`."""
        ...

    def end_subscription(self, subscription: Subscription, *, existing: Receipt) -> Operation:
        """End it at once, without charging anything further."""
        ...

    def grant_credit(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        """Lower what the customer pays next."""
        ...

    def counter_credit(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        """Take a granted credit back by an entry of its own; the first one stays."""
        ...

    async def exposure(self, account: Receipt, *, currency: str, on: date, since: date) -> Exposure:
        """What the customer owes on a day, and was given since another. Raises what a read raises."""
        ...


class Erp(SystemPort, Protocol):
    """Where the books are kept."""

    def open_customer(self, customer: Customer, *, erp_entity: str) -> Operation: ...

    def place_order(self, order: Order) -> Operation: ...

    def amend_order(self, order: Order) -> Operation:
        """Replace the lines of an order that exists."""
        ...

    def close_order(self, order: Order) -> Operation:
        """Close an order that will not be fulfilled; it stays in the books."""
        ...

    def post_credit_memo(self, memo: CreditMemo) -> Operation: ...


class Support(SystemPort, Protocol):
    """Where customers ask for help."""

    def open_customer(self, customer: Customer) -> Operation: ...

    def set_entitlement(self, entitlement: Entitlement) -> Operation: ...

    def answer_case(self, outcome: CaseOutcome) -> Operation:
        """Show on the case where its credit stands."""
        ...
