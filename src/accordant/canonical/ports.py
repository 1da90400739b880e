"""What the platform asks of each kind of system, in business verbs. A vendor's client implements one of these.

Every verb returns an `Operation` and calls nothing; see `operation.py`. The `account` argument of a verb is the
receipt of the customer in that same system.
"""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from accordant.canonical.account import AccountStanding, Balance, CreditHold
from accordant.canonical.case import CaseOutcome
from accordant.canonical.control import LedgerDocument
from accordant.canonical.credit import CreditMemo, Exposure, ServiceCredit
from accordant.canonical.credit_note import BalanceEntry
from accordant.canonical.customer import Customer
from accordant.canonical.dispute import Dispute, DisputeStanding, InvoiceCredit
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.invoice import BilledLine, CreditNote, Invoice, OpenInvoice, Reminder
from accordant.canonical.operation import Operation, Receipt, SystemPort
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order
from accordant.canonical.payment import Payment
from accordant.canonical.refund import Refund, RefundEntry
from accordant.canonical.settlement import Settlement
from accordant.canonical.subscription import RunningPeriod, Subscription, SubscriptionChange
from accordant.kernel.proration import Delta


class Crm(SystemPort, Protocol):
    """Where sales works."""

    def tell_standing(self, standing: DealStanding) -> Operation:
        """Show on the deal where it stands."""
        ...

    def tell_account(self, standing: AccountStanding, *, account: Receipt) -> Operation:
        """Show on the customer's record how its account stands."""
        ...


class Billing(SystemPort, Protocol):
    """Where customers are charged."""

    def open_customer(self, customer: Customer) -> Operation: ...

    def start_subscription(self, subscription: Subscription, *, account: Receipt) -> Operation: ...

    async def running_period(self, existing: Receipt, *, currency: str) -> RunningPeriod:
        """The period that a subscription is charged for now. Raises what a read raises."""
        ...

    async def preview_change(self, change: SubscriptionChange, *, existing: Receipt) -> Delta:
        """What billing itself would charge for a change from `change.since` on; nothing is changed."""
        ...

    def amend_subscription(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        """Change it; with `change.since`, what is left of the running period is invoiced at once.

        The receipt's facts `unused_minor` and `charged_minor` then say what was.
        """
        ...

    def revert_amendment(self, change: SubscriptionChange, *, existing: Receipt) -> Operation:
        """Bring the subscription back to `change.before`, and what was invoiced for the change to nothing."""
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

    async def balance_entries(self, account: Receipt, *, currency: str, since: date) -> tuple[BalanceEntry, ...]:
        """Credits entered by hand since a day; those that an invoice or a credit note stands behind, or that we wrote,
        are not among them. Raises what a read raises.
        """
        ...

    async def documents(self, *, since: date, until: date) -> tuple[LedgerDocument, ...]:
        """Everything that changed what customers owe on these days, both among them. Raises what a read raises."""
        ...

    async def balance(self, account: Receipt, *, currency: str, on: date) -> Balance:
        """What the customer owes on a day, and holds with us. Raises what a read raises."""
        ...

    async def invoice_lines(self, invoice_source_id: str) -> tuple[BilledLine, ...]:
        """Every line of an invoice. Raises what a read raises."""
        ...

    async def open_invoices(self, account: Receipt, *, currency: str) -> tuple[OpenInvoice, ...]:
        """Every finalized invoice that waits for money now; what is paid, voided or written off is not among them."""
        ...

    async def subscriptions_of(self, account: Receipt) -> tuple[Receipt, ...]:
        """Every subscription of ours that has not ended."""
        ...

    def send_reminder(self, reminder: Reminder) -> Operation:
        """Send the customer an open invoice once more."""
        ...

    def pause_collection(self, subscription: Receipt) -> Operation:
        """Ask for no more money until `resume_collection`; the subscription goes on."""
        ...

    def resume_collection(self, subscription: Receipt) -> Operation: ...

    async def settlement(self, number: str, *, account: Receipt, apart_from: str = "") -> Settlement | None:
        """How the customer's invoice of this number stands; None where the customer has none. Raises as reads do.

        `apart_from` is the id of a refund or credit of ours that is passed over, as if it were not there yet.
        """
        ...

    def refund_payment(self, refund: Refund) -> Operation:
        """Give money back to where it came from; nobody can take a refund back."""
        ...

    def stop_collecting(self, dispute: Dispute) -> Operation:
        """Stop asking for an invoice, and say on it which dispute it is for."""
        ...

    def collect_again(self, dispute: Dispute, *, owes: bool) -> Operation:
        """Say on the invoice how its dispute ended, and go on asking for it where something is still owed."""
        ...

    def credit_invoice(self, credit: InvoiceCredit) -> Operation:
        """Lower an invoice that was finalized."""
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

    def post_invoice(self, invoice: Invoice) -> Operation: ...

    def post_credit_note(self, note: CreditNote, *, invoice: Receipt) -> Operation:
        """Take a posted invoice back, wholly or in part, by an entry that is set against it."""
        ...

    def post_payment(self, payment: Payment, *, invoice: Receipt) -> Operation:
        """Enter money that came, and set it against its invoice."""
        ...

    async def documents(self, *, since: date, until: date, entities: Mapping[str, str]) -> tuple[LedgerDocument, ...]:
        """Everything that changed what customers owe on these days; `entities` names ours by the books' own codes."""
        ...

    def place_hold(self, customer_id: str) -> Operation:
        """Sell nothing more to the customer on credit. The books remember that it was us."""
        ...

    def release_hold(self, customer_id: str) -> Operation:
        """Take our hold back, and forget that there was one."""
        ...

    async def credit_hold(self, account: Receipt) -> CreditHold:
        """Whether the customer is held, and by whose word. Raises what a read raises."""
        ...

    def post_refund(self, entry: RefundEntry, *, memo: Receipt) -> Operation:
        """Pay a credit memo out."""
        ...


class Support(SystemPort, Protocol):
    """Where customers ask for help."""

    def open_customer(self, customer: Customer) -> Operation: ...

    def set_entitlement(self, entitlement: Entitlement) -> Operation: ...

    def answer_case(self, outcome: CaseOutcome) -> Operation:
        """Show on the case where its credit stands."""
        ...

    def tell_account(self, standing: AccountStanding, *, account: Receipt) -> Operation:
        """Show on the customer's record how its account stands; the entitlement stays as it is."""
        ...

    def show_dispute(self, standing: DisputeStanding) -> Operation:
        """Show on the case where its dispute stands."""
        ...
