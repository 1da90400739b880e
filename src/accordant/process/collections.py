"""An overdue invoice is reminded of step by step, until it is paid, or the customer is held and then suspended.

Trigger       InvoiceOverdue
Reads         billing: open invoices now · erp: credit hold now · collections.yaml · the customer's contract
Writes        billing: reminder, collection · erp: credit hold · support: entitlement · crm: how the account stands
Undo          nothing to undo: a reminder was sent, and the rest follows what is so
Owner         revenue operations

The ladder of collections.yaml says when each step is due, on the calendar of the legal entity that sold. Before each
step billing is asked whether the invoice still waits for money; where it does not, the ladder ends, and while it is
disputed no step is taken. Each reminder is sent once; of several that are due at the same time only the last.
"""

import msgspec

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.contract import Contract
from accordant.canonical.customer import Customer
from accordant.canonical.invoice import InvoiceOverdue, OpenInvoice, Reminder
from accordant.canonical.payment import PaymentReceived
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.governance.collections import Due, steps_of
from accordant.governance.estate import Estate
from accordant.kernel.priority import Priority
from accordant.masterdata import records
from accordant.process.account import Holder, Systems, bring_in_line, whose
from accordant.process.agreement import contract_id_of


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What billing said of the invoice, and when."""

    invoice: OpenInvoice | None
    """None where it waits for money no more."""
    at_ms: int


@flow(
    on=InvoiceOverdue,
    owner="revenue operations",
    describe=Describe(party=lambda fact: f"invoice {fact.invoice.number}", worth=lambda fact: fact.invoice.remaining),
    priority=Priority.FINANCE,
)
async def collections(
    tx: Transaction, event: InvoiceOverdue, *, crm: Crm, billing: Billing, erp: Erp, support: Support
) -> None:
    """Step after step, each at its instant, as long as the invoice is open."""
    invoice = event.invoice
    holder = await whose(tx, invoice.customer_source_id, system="billing")
    owed = await _owed(tx, billing, holder, invoice_id=invoice.source_id, at="the beginning")
    ladder = await _ladder(tx, holder, owed=owed)
    systems = Systems(crm=crm, billing=billing, erp=erp, support=support)
    for place, step in enumerate(ladder):
        if not await tx.until(f"{step.name} is due", step.at_ms, unless=PaymentReceived, about=invoice.number):
            paid = await _owed(tx, billing, holder, invoice_id=invoice.source_id, at=f"a payment before {step.name}")
            if paid.invoice is None:
                return
            await tx.until(f"{step.name} is due all the same", step.at_ms)
        owed = await _owed(tx, billing, holder, invoice_id=invoice.source_id, at=step.name)
        if owed.invoice is None:
            return
        if owed.invoice.is_disputed:
            continue
        if step.remind and not _is_overtaken(ladder[place + 1 :], owed.at_ms):
            reminder = _reminder(holder, owed.invoice, step=step.name)
            await tx.effect(f"send {step.name}", billing.send_reminder(reminder))
        if step.standing is not None:
            await bring_in_line(tx, holder, systems=systems, at=step.name)


async def _owed(tx: Transaction, billing: Billing, holder: Holder, /, invoice_id: str, *, at: str) -> Owed:
    async def ask(_: object) -> Owed:
        at_ms = tx.now_ms()
        found = await billing.open_invoices(holder.held_in("billing"), currency=holder.customer.currency)
        return Owed(invoice=next((one for one in found if one.source_id == invoice_id), None), at_ms=at_ms)

    return await tx.recall(f"what is owed at {at}", ask, result_type=Owed)


async def _ladder(tx: Transaction, holder: Holder, *, owed: Owed) -> list[Due]:
    customer = holder.customer
    wanted = records.latest_body(tx.row.tenant, "contract", canonical_id=contract_id_of(customer.customer_id))
    contract = await tx.recall("contract", lambda ours: ours.find(wanted), result_type=str)
    return await tx.check("ladder", ladder_of, owed, customer, contract)


def ladder_of(owed: Owed, customer: Customer, contract: str, estate: Estate, /) -> list[Due]:
    """The steps for this customer and invoice, with their instants; none where it is paid already or never due."""
    if owed.invoice is None or owed.invoice.due_at_ms is None:
        return []
    tier = msgspec.json.decode(contract.encode(), type=Contract).service_tier if contract else ""
    rules = estate.collections
    ladder, calendar = rules.ladder_of(customer.legal_entity, tier), rules.calendar_of(customer.legal_entity)
    return steps_of(ladder, calendar, due_at_ms=owed.invoice.due_at_ms)


def _is_overtaken(later: list[Due], now_ms: int) -> bool:
    """Whether the next reminder is due as well."""
    return any(one.remind and one.at_ms <= now_ms for one in later)


def _reminder(holder: Holder, invoice: OpenInvoice, *, step: str) -> Reminder:
    return Reminder(
        customer_id=holder.customer.customer_id,
        invoice_source_id=invoice.source_id,
        number=invoice.number,
        step=step,
    )
