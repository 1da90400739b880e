"""The four shipped clients before their sandboxes, over HTTP, and one example of every operation the ports know."""

import inspect
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from accordant.canonical import ports
from accordant.canonical.account import AccountStanding
from accordant.canonical.case import CaseOutcome
from accordant.canonical.credit import CreditMemo, ServiceCredit
from accordant.canonical.customer import Address, Customer
from accordant.canonical.dispute import Dispute, DisputeStanding, InvoiceCredit
from accordant.canonical.entitlement import Entitlement
from accordant.canonical.invoice import CreditNote, Invoice, Reminder, RevenueLine
from accordant.canonical.operation import Attempt, Operation, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order, OrderLine
from accordant.canonical.payment import Payment
from accordant.canonical.refund import Refund, RefundEntry
from accordant.canonical.settlement import Settlement
from accordant.canonical.subscription import Subscription, SubscriptionChange
from accordant.connector.http import HttpDeps, VendorHttp, open_session
from accordant.governance.connections import load_connections
from accordant.kernel.clock import SystemClock
from accordant.kernel.money import Money
from accordant.wiring import settings_of
from tests.experience.company import ACCOUNT, deal
from tests.kills.company import Company, applied

TIMEOUT_S = 1.0
ROLES: dict[str, Any] = {"crm": ports.Crm, "billing": ports.Billing, "erp": ports.Erp, "support": ports.Support}
CUSTOMER = Customer(
    customer_id="customer-1",
    name="Lone Star",
    legal_entity="US01",
    currency="USD",
    bill_to=Address(country="US"),
    ship_to=Address(country="US"),
)


def every_operation() -> list[str]:
    """Role and verb of everything the ports can be asked to write; read from the ports, not remembered."""
    return sorted(
        f"{role}.{verb}"
        for role, port in ROLES.items()
        for verb, asked in inspect.getmembers(port, inspect.isfunction)
        if inspect.signature(asked).return_annotation is Operation
    )


def subscription(quantity: int = 1) -> Subscription:
    return Subscription(
        subscription_id="subscription-1",
        customer_id="customer-1",
        opportunity_id="7",
        product_id="LDG-START",
        quantity=quantity,
        total=Money(60_000 * quantity, "USD"),
        starts_on=date(2026, 3, 2),
        ends_on=date(2027, 3, 2),
    )


def order(erp_entity: str, quantity: int = 1) -> Order:
    sold = subscription(quantity)
    line = OrderLine(product_id=sold.product_id, quantity=quantity, total=sold.total)
    return Order(
        order_id="order-1",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=erp_entity,
        opportunity_id="7",
        subscription_id=sold.subscription_id,
        ordered_on=sold.starts_on,
        lines=(line,),
        total=sold.total,
    )


CHANGE = SubscriptionChange(subscription=subscription(2), before=subscription())
ENTITLED = Entitlement(
    customer_id="customer-1", status="active", service_tier="standard", ends_on=date(2027, 3, 2), response_minutes=480
)
STANDING = DealStanding(
    opportunity_id="7", source_id=str(deal("7")["Id"]), status="in step", transaction_id="tx-0000000000000001"
)
ACCOUNT_STANDING = AccountStanding(
    customer_id="customer-1",
    status="disputed",
    balance=Money(25_050, "USD"),
    overdue=Money(0, "USD"),
    as_of=date(2026, 3, 20),
    reason="invoice INV-1 is disputed",
    transaction_id="tx-0000000000000001",
)
OUTCOME = CaseOutcome(
    case_id="1",
    source_id="1",
    status="credited",
    credit=Money(12_000, "USD"),
    reason="agreed by finance",
    transaction_id="tx-0000000000000001",
)

ACCOUNT_STANDING = AccountStanding(
    customer_id="customer-1",
    status="past due",
    balance=Money(12_000, "USD"),
    overdue=Money(2_000, "USD"),
    as_of=date(2026, 3, 5),
    reason="20.00 USD is overdue",
    transaction_id="tx-0000000000000001",
)

DISPUTED = DisputeStanding(
    case_id="1",
    source_id="1",
    dispute_id="dispute-1",
    status="credited",
    credited=Money(12_000, "USD"),
    reason="agreed by finance",
    transaction_id="tx-0000000000000001",
)
CREDIT = ServiceCredit(
    credit_id="credit-1",
    customer_id="customer-1",
    case_id="4711",
    amount=Money(12_500, "USD"),
    reason="outage",
    granted_on=date(2026, 3, 5),
)


LINE = RevenueLine(line_id="il_1", item="LDG-START", description="Seats", quantity=2, total=Money(10_000, "USD"))


def invoice(erp_entity: str) -> Invoice:
    return Invoice(
        invoice_id="invoice-1",
        number="ACME-0001",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=erp_entity,
        lines=(LINE,),
        tax=Money(840, "USD"),
        tax_item="LDG-START",
        total=Money(10_840, "USD"),
        posted_on=date(2026, 3, 5),
        due_on=date(2026, 4, 4),
    )


class Together:
    """The machine's clock, moved forward together with the vendors' clocks."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.ahead_s = 0.0

    def now_ms(self) -> int:
        return self._clock.now_ms() + round(self.ahead_s * 1000)

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s() + self.ahead_s


class World:
    """Clients by role, what stands before the operation, and what the systems' ledgers say after it."""

    def __init__(self, company: Company, clients: dict[str, Any], clock: Together) -> None:
        self.clock = clock
        self.company = company
        self.clients = clients
        (us, *_) = [one for one in company.entities if one.code == "US01"]
        self.us = us.erp_id
        self._keys = 0
        self._before = 0

    async def done(self, operation: Operation) -> Receipt:
        """Done before, without anything going wrong."""
        self._keys += 1
        return (await operation.send(Attempt(key=f"before-{self._keys}"))).receipt

    async def asked(self, name: str) -> Operation:
        """The operation of this name, ready to be sent, everything it needs being there."""
        operation = await EXAMPLES[name](self, SimpleNamespace(**self.clients))
        self._before = len(applied(self.company.folder))
        return operation

    def writes(self) -> list[dict[str, Any]]:
        """What was applied since, without what a repeated upsert says again."""
        said: set[str] = set()
        found: list[dict[str, Any]] = []
        for line in applied(self.company.folder)[self._before :]:
            content = repr(
                (line["kind"], line["native_id"], line["business_id"], line["amount_minor"], _stable(line["body"]))
            )
            if content not in said:
                found.append(line)
            said.add(content)
        return found

    def vendor_of(self, role: str) -> Any:
        return next(one for one in self.company.vendors.values() if one.system == role)

    def advance(self, seconds: float) -> None:
        self.clock.ahead_s += seconds
        for one in self.company.vendors.values():
            one.kit.clock.advance(seconds)


STAMPS = ("stamp", "modified", "updated", "created", "date")
"""Parts of the names of fields that every write renews; `line` is how the books number replaced lines."""


def _stable(value: Any) -> Any:
    """The record without what every write renews."""
    if isinstance(value, dict):
        kept = {name: one for name, one in value.items() if not any(stamp in name.lower() for stamp in STAMPS)}
        return {name: _stable(one) for name, one in sorted(kept.items()) if name != "line"}
    return [_stable(one) for one in value] if isinstance(value, list) else value


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        company = Company(folder)
        company.vendors["salesforce"].load({"Account": [ACCOUNT], "Opportunity": [deal("7")]})
        company.vendors["zendesk"].load({"tickets": [{"subject": "Down", "comment": {"body": "Since noon"}}]})
        await stack.enter_async_context(company.served())
        clients: dict[str, Any] = {}
        clock = Together()
        for entry in load_connections(folder / "estate"):
            settings, connector = settings_of(entry, folder)
            settings = msgspec.structs.replace(settings, timeout_s=TIMEOUT_S)
            session = await stack.enter_async_context(open_session())
            deps = HttpDeps(session=session, clock=clock, rng=random.Random(7))
            http = VendorHttp(settings, connector.manners(settings), deps=deps)
            clients[connector.role] = connector.connect(settings, http)
        yield World(company, clients, clock)


Example = Callable[[World, Any], Awaitable[Operation]]


async def _billed(world: World, to: Any) -> Receipt:
    account = await world.done(to.billing.open_customer(CUSTOMER))
    return await world.done(to.billing.start_subscription(subscription(), account=account))


async def _amend_subscription(world: World, to: Any) -> Operation:
    return to.billing.amend_subscription(CHANGE, existing=await _billed(world, to))


async def _revert_amendment(world: World, to: Any) -> Operation:
    existing = await _billed(world, to)
    return to.billing.revert_amendment(
        CHANGE, existing=await world.done(to.billing.amend_subscription(CHANGE, existing=existing))
    )


async def _end_subscription(world: World, to: Any) -> Operation:
    return to.billing.end_subscription(subscription(), existing=await _billed(world, to))


async def _start_subscription(world: World, to: Any) -> Operation:
    account = await world.done(to.billing.open_customer(CUSTOMER))
    return to.billing.start_subscription(subscription(), account=account)


async def _grant_credit(world: World, to: Any) -> Operation:
    return to.billing.grant_credit(CREDIT, account=await world.done(to.billing.open_customer(CUSTOMER)))


async def _counter_credit(world: World, to: Any) -> Operation:
    account = await world.done(to.billing.open_customer(CUSTOMER))
    await world.done(to.billing.grant_credit(CREDIT, account=account))
    return to.billing.counter_credit(CREDIT, account=account)


async def _bill_customer(world: World, to: Any) -> Operation:
    return to.billing.open_customer(CUSTOMER)


async def _book_customer(world: World, to: Any) -> Operation:
    return to.erp.open_customer(CUSTOMER, erp_entity=world.us)


async def _place_order(world: World, to: Any) -> Operation:
    await world.done(to.erp.open_customer(CUSTOMER, erp_entity=world.us))
    return to.erp.place_order(order(world.us))


async def _amend_order(world: World, to: Any) -> Operation:
    await world.done(await _place_order(world, to))
    return to.erp.amend_order(order(world.us, 2))


async def _close_order(world: World, to: Any) -> Operation:
    await world.done(await _place_order(world, to))
    return to.erp.close_order(order(world.us))


async def _post_credit_memo(world: World, to: Any) -> Operation:
    await world.done(to.erp.open_customer(CUSTOMER, erp_entity=world.us))
    memo = CreditMemo(
        credit_id="credit-1",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=world.us,
        case_id="4711",
        item="LDG-START",
        amount=Money(25_050, "USD"),
        posted_on=date(2026, 3, 20),
    )
    return to.erp.post_credit_memo(memo)


async def _post_invoice(world: World, to: Any) -> Operation:
    await world.done(to.erp.open_customer(CUSTOMER, erp_entity=world.us))
    return to.erp.post_invoice(invoice(world.us))


async def _post_credit_note(world: World, to: Any) -> Operation:
    posted = await world.done(await _post_invoice(world, to))
    note = CreditNote(
        note_id="credit_note-1",
        number="ACME-0001",
        invoice_id="invoice-1",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=world.us,
        lines=(LINE,),
        tax=Money(840, "USD"),
        tax_item="LDG-START",
        total=Money(10_840, "USD"),
        applied=Money(10_840, "USD"),
        reason="voided",
        posted_on=date(2026, 3, 6),
    )
    return to.erp.post_credit_note(note, invoice=posted)


async def _post_payment(world: World, to: Any) -> Operation:
    posted = await world.done(await _post_invoice(world, to))
    payment = Payment(
        payment_id="payment-1",
        invoice_id="invoice-1",
        number="ACME-0001",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=world.us,
        amount=Money(10_840, "USD"),
        paid_on=date(2026, 3, 6),
    )
    return to.erp.post_payment(payment, invoice=posted)


async def _post_refund(world: World, to: Any) -> Operation:
    memo = await world.done(await _post_credit_memo(world, to))
    entry = RefundEntry(
        refund_id="refund-1",
        credit_id="credit-1",
        customer_id="customer-1",
        legal_entity="US01",
        erp_entity=world.us,
        case_id="4711",
        invoice_number="INV-1",
        amount=Money(25_050, "USD"),
        posted_on=date(2026, 3, 20),
    )
    return to.erp.post_refund(entry, memo=memo)


async def _invoiced(world: World, to: Any, **more: Any) -> Settlement:
    account = await world.done(to.billing.open_customer(CUSTOMER))
    invoice = {"customer_id": "customer-1", "number": "INV-1", "total": 25_050, "currency": "usd", **more}
    world.vendor_of("billing").load({"invoices": [invoice]})
    found = await to.billing.settlement("INV-1", account=account)
    assert found is not None
    return found


async def _refund_payment(world: World, to: Any) -> Operation:
    found = await _invoiced(world, to, status="paid", paid_on="2026-03-18")
    refund = Refund(
        refund_id="refund-1",
        customer_id="customer-1",
        case_id="4711",
        invoice_number="INV-1",
        payment_source_id=found.payments[0].source_id,
        amount=Money(12_500, "USD"),
        reason="outage",
        refunded_on=date(2026, 3, 20),
    )
    return to.billing.refund_payment(refund)


async def _dispute(world: World, to: Any) -> Dispute:
    found = await _invoiced(world, to)
    return Dispute(
        dispute_id="dispute-1",
        customer_id="customer-1",
        case_id="4711",
        invoice_number="INV-1",
        invoice_source_id=found.source_id,
        disputed=found.remaining,
        status="open",
        opened_at_ms=1,
    )


async def _stop_collecting(world: World, to: Any) -> Operation:
    return to.billing.stop_collecting(await _dispute(world, to))


async def _collect_again(world: World, to: Any) -> Operation:
    dispute = await _dispute(world, to)
    await world.done(to.billing.stop_collecting(dispute))
    return to.billing.collect_again(msgspec.structs.replace(dispute, status="confirmed"), owes=True)


async def _credit_invoice(world: World, to: Any) -> Operation:
    dispute = await _dispute(world, to)
    credit = InvoiceCredit(
        credit_id="credit-1",
        dispute_id=dispute.dispute_id,
        customer_id="customer-1",
        case_id="4711",
        invoice_number="INV-1",
        invoice_source_id=dispute.invoice_source_id,
        amount=Money(12_500, "USD"),
        off_owed=Money(12_500, "USD"),
        granted_on=date(2026, 3, 20),
    )
    return to.billing.credit_invoice(credit)


async def _support_customer(world: World, to: Any) -> Operation:
    return to.support.open_customer(CUSTOMER)


async def _entitle(world: World, to: Any) -> Operation:
    await world.done(to.support.open_customer(CUSTOMER))
    return to.support.set_entitlement(ENTITLED)


async def _tell_standing(world: World, to: Any) -> Operation:
    await world.done(to.crm.tell_standing(msgspec.structs.replace(STANDING, status="in progress")))
    return to.crm.tell_standing(STANDING)


async def _answer_case(world: World, to: Any) -> Operation:
    await world.done(to.support.answer_case(msgspec.structs.replace(OUTCOME, status="in review", credit=None)))
    return to.support.answer_case(OUTCOME)


async def _tell_crm_account(world: World, to: Any) -> Operation:
    account = Receipt(kind="customer", native_id=str(ACCOUNT["Id"]), business_id="customer-1")
    before = msgspec.structs.replace(ACCOUNT_STANDING, status="current")
    await world.done(to.crm.tell_account(before, account=account))
    return to.crm.tell_account(ACCOUNT_STANDING, account=account)


async def _tell_support_account(world: World, to: Any) -> Operation:
    account = await world.done(to.support.open_customer(CUSTOMER))
    before = msgspec.structs.replace(ACCOUNT_STANDING, status="current")
    await world.done(to.support.tell_account(before, account=account))
    return to.support.tell_account(ACCOUNT_STANDING, account=account)


async def _send_reminder(world: World, to: Any) -> Operation:
    account = await world.done(to.billing.open_customer(CUSTOMER))
    owed = {"customer_id": "customer-1", "total": 5_000, "currency": "usd", "due_on": "2026-01-31"}
    world.vendor_of("billing").load({"invoices": [owed]})
    (invoice,) = await to.billing.open_invoices(account, currency="USD")
    reminder = Reminder(
        customer_id="customer-1", invoice_source_id=invoice.source_id, number=invoice.number, step="first reminder"
    )
    return to.billing.send_reminder(reminder)


async def _pause_collection(world: World, to: Any) -> Operation:
    return to.billing.pause_collection(await _billed(world, to))


async def _resume_collection(world: World, to: Any) -> Operation:
    billed = await _billed(world, to)
    await world.done(to.billing.pause_collection(billed))
    return to.billing.resume_collection(billed)


async def _place_hold(world: World, to: Any) -> Operation:
    await world.done(to.erp.open_customer(CUSTOMER, erp_entity=world.us))
    return to.erp.place_hold("customer-1")


async def _release_hold(world: World, to: Any) -> Operation:
    await world.done(await _place_hold(world, to))
    return to.erp.release_hold("customer-1")


async def _show_dispute(world: World, to: Any) -> Operation:
    await world.done(to.support.show_dispute(msgspec.structs.replace(DISPUTED, status="open", credited=None)))
    return to.support.show_dispute(DISPUTED)


EXAMPLES: dict[str, Example] = {
    "crm.tell_account": _tell_crm_account,
    "billing.send_reminder": _send_reminder,
    "billing.pause_collection": _pause_collection,
    "billing.resume_collection": _resume_collection,
    "erp.place_hold": _place_hold,
    "erp.release_hold": _release_hold,
    "crm.tell_standing": _tell_standing,
    "billing.open_customer": _bill_customer,
    "billing.start_subscription": _start_subscription,
    "billing.amend_subscription": _amend_subscription,
    "billing.revert_amendment": _revert_amendment,
    "billing.end_subscription": _end_subscription,
    "billing.grant_credit": _grant_credit,
    "billing.counter_credit": _counter_credit,
    "billing.refund_payment": _refund_payment,
    "billing.stop_collecting": _stop_collecting,
    "billing.collect_again": _collect_again,
    "billing.credit_invoice": _credit_invoice,
    "erp.open_customer": _book_customer,
    "erp.place_order": _place_order,
    "erp.amend_order": _amend_order,
    "erp.close_order": _close_order,
    "erp.post_credit_memo": _post_credit_memo,
    "erp.post_credit_note": _post_credit_note,
    "erp.post_invoice": _post_invoice,
    "erp.post_payment": _post_payment,
    "erp.post_refund": _post_refund,
    "support.open_customer": _support_customer,
    "support.set_entitlement": _entitle,
    "support.answer_case": _answer_case,
    "support.tell_account": _tell_support_account,
    "support.show_dispute": _show_dispute,
}
