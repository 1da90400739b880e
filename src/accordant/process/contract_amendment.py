"""An expansion reaches billing, then the books, then support; support never runs ahead of the books.

Trigger       ContractAmended
Reads         reference product, currency, country, legal entity, service tier; the subscription, the order and the
              contract; billing: the running period, and what it would invoice
Writes        billing: subscription, and an invoice for what is left of the period · erp: order · support: entitlement ·
              crm: standing · ours: revenue schedule
Undo          the subscription goes back to what it was, a second invoice counters the first; the order is as it was
Owner         revenue operations

An effective day that has come and lies inside the running period is prorated by days: billing's own figure must be ours
to the cent, before the change and after it, and the order grows by exactly that. Any other day changes the price from
the next period on. How the rest of the period is earned is kept month by month.

A legal entity without a mapping stops it before anything is written. Where the books refuse after billing was
amended, billing stands and is shown, support is not raised, and finance operations owns what is open.
"""

from datetime import UTC, date, datetime

import msgspec

from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.contract import Contract, ContractAmended, ContractAmendment, ContractLine
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order, OrderLine
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.canonical.subscription import RunningPeriod, Subscription, SubscriptionChange
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority
from accordant.kernel.proration import Delta
from accordant.masterdata import customers, keeping
from accordant.masterdata.standing import agreed_with
from accordant.process.agreement import contract_id_of, with_changed_line
from accordant.process.customer_onboarding import blocked_standing, subscription_id_of
from accordant.process.proration import (
    Share,
    adjusted,
    prorated_since,
    same_as_billing,
    same_as_invoiced,
    schedule_after,
    share_of,
)
from accordant.process.support_level import raise_support
from accordant.process.terms import Terms, agree_amendment


def _party(fact: ContractAmended) -> str:
    return fact.amendment.account.name


def _worth(fact: ContractAmended) -> Money | None:
    try:
        return parse_money(fact.amendment.amount_text, fact.amendment.currency_word)
    except AccordantError:
        return None


def tell_sales(fact: ContractAmended, stop: Stop, *, crm: Crm, **_: object) -> Operation:
    """Show on the deal that it is blocked, and who is asked."""
    return crm.tell_standing(blocked_standing(fact.amendment.opportunity_id, fact.amendment.source_id, stop=stop))


class Changing(msgspec.Struct, frozen=True, kw_only=True):
    """A change, what it costs within the running period, and how that was earned so far."""

    change: SubscriptionChange
    share: Share
    schedule: str


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it was and as it shall be."""

    before: Order
    after: Order


@flow(
    on=ContractAmended,
    owner="revenue operations",
    describe=Describe(party=_party, worth=_worth),
    priority=Priority.CUSTOMER,
    blocked=tell_sales,
)
async def contract_amendment(
    tx: Transaction, event: ContractAmended, *, crm: Crm, billing: Billing, erp: Erp, support: Support
) -> None:
    """Billing first; the books may refuse, and then support stays as it was."""
    amendment = event.amendment
    terms = await tx.check("terms", agree_amendment, amendment)
    line_id = subscription_id_of(amendment.amends_opportunity_id)
    running = await customers.record_before(tx, "subscription", canonical=line_id)
    sold = await tx.check("change", change_of, running, amendment, terms)
    existing = await customers.known_receipt(tx, "subscription", canonical=line_id, system="billing")
    held = _existing(existing, line_id)
    changing = await _prorated(tx, billing, held=held, change=sold, effective_on=amendment.effective_on)
    change = changing.change
    agreed = await agreed_with(
        tx, change.subscription.customer_id, contract_id=contract_id_of(change.subscription.customer_id)
    )
    contract = await tx.check("contract", next_contract, agreed.contract, change, terms)

    amended = await tx.effect(
        "amend subscription",
        billing.amend_subscription(change, existing=held),
        undo=lambda receipt: billing.revert_amendment(change, existing=receipt),
    )
    owed = await tx.check("invoiced", same_as_invoiced, changing.share, amended.facts)
    orders = await _orders(tx, change, terms=terms, by=owed)
    await tx.effect("amend order", erp.amend_order(orders.after), undo=lambda _: erp.amend_order(orders.before))
    await raise_support(tx, contract, support, left=agreed.support)
    await _keep(tx, changing, order=orders.after, version=contract.version)
    await tx.effect("tell sales", crm.tell_standing(_in_step(amendment, tx.row.transaction_id)))


async def _prorated(
    tx: Transaction, billing: Billing, *, held: Receipt, change: SubscriptionChange, effective_on: date
) -> Changing:
    """The change with its first day in the running period, and what that costs, to the cent as billing has it."""
    currency = change.subscription.total.currency
    running = await tx.recall(
        "running period", lambda _: billing.running_period(held, currency=currency), result_type=RunningPeriod
    )
    schedule = await customers.record_before(tx, "revenue_schedule", canonical=change.subscription.subscription_id)
    today = datetime.fromtimestamp(tx.row.opened_at_ms / 1000, UTC).date()
    since = await tx.check("prorated since", prorated_since, effective_on, today, running, schedule)
    change = msgspec.structs.replace(change, since=since)
    share = await tx.check("share", share_of, change, running)
    if since is not None and not tx.is_confirmed("amend subscription"):
        preview = await tx.recall(
            "billing's preview", lambda _: billing.preview_change(change, existing=held), result_type=Delta
        )
        await tx.check("preview", same_as_billing, share, preview)
    return Changing(change=change, share=share, schedule=schedule)


async def _orders(tx: Transaction, change: SubscriptionChange, *, terms: Terms, by: Delta) -> Orders:
    """The order as it was and as it shall be: adjusted by what billing invoiced, or else written anew."""
    sold = _order(change.before, terms)
    known = await customers.record_before(tx, "order", canonical=sold.order_id)
    before = msgspec.json.decode(known.encode(), type=Order) if known else sold
    after = _order(change.subscription, terms) if change.since is None else adjusted(before, change, by=by)
    return Orders(before=before, after=after)


async def _keep(tx: Transaction, changing: Changing, *, order: Order, version: int) -> None:
    """What is agreed from now on, once every system holds it: an amendment that was taken back leaves nothing here."""
    change, after = changing.change, changing.change.subscription
    await keeping.numbered(tx, "subscription", record_id=after.subscription_id, body=after, version=version)
    await keeping.numbered(tx, "order", record_id=order.order_id, body=order, version=version)
    if change.since is not None:
        revenue = await tx.check("revenue", schedule_after, changing.schedule, change, changing.share, version)
        await keeping.version(tx, "revenue_schedule", record_id=after.subscription_id, body=revenue)


def change_of(running: str, amendment: ContractAmendment, terms: Terms, estate: Estate, /) -> SubscriptionChange:
    """What the subscription is, and what it shall be.

    Raises:
        Terminal: `contract.line_missing`, when the deal that first sold the line has not reached billing.
    """
    if not running:
        raise Terminal(
            f"{amendment.opportunity_id} changes what {amendment.amends_opportunity_id} sold, "
            "but that deal has no subscription yet",
            code="contract.line_missing",
            hint=f"complete {amendment.amends_opportunity_id} first, then retry this one",
            detail={"field": "amends", "value": amendment.amends_opportunity_id, "record": amendment.opportunity_id},
        )
    before = msgspec.json.decode(running.encode(), type=Subscription)
    after = msgspec.structs.replace(
        before, product_id=terms.product.product_id, quantity=terms.quantity, total=terms.total
    )
    return SubscriptionChange(subscription=after, before=before)


def next_contract(current: str, change: SubscriptionChange, terms: Terms, estate: Estate, /) -> Contract:
    """The contract with the changed line."""
    after = change.subscription
    line = ContractLine(
        line_id=after.subscription_id,
        product_id=after.product_id,
        quantity=after.quantity,
        total=after.total,
        service_tier=terms.product.service_tier,
        starts_on=terms.starts_on,
        ends_on=after.ends_on,
    )
    return with_changed_line(current, line, before=change.before.total, agreed_in=after.opportunity_id, estate=estate)


def _order(subscription: Subscription, terms: Terms) -> Order:
    buyer = terms.parties[-1]
    line = OrderLine(product_id=subscription.product_id, quantity=subscription.quantity, total=subscription.total)
    return Order(
        order_id=canonical_id("order", subscription.opportunity_id),
        customer_id=subscription.customer_id,
        legal_entity=buyer.legal_entity,
        erp_entity=buyer.erp_entity,
        opportunity_id=subscription.opportunity_id,
        subscription_id=subscription.subscription_id,
        ordered_on=subscription.starts_on,
        lines=(line,),
        total=subscription.total,
    )


def _existing(known: Receipt | None, line_id: str) -> Receipt:
    if known is None:
        raise Terminal(
            f"subscription {line_id} is agreed but billing does not hold it",
            code="contract.line_missing",
            hint="complete the deal that first sold it, then retry",
            detail={"field": "subscription", "value": line_id},
        )
    return known


def _in_step(amendment: ContractAmendment, transaction_id: str) -> DealStanding:
    return DealStanding(
        opportunity_id=amendment.opportunity_id,
        source_id=amendment.source_id,
        status="in step",
        transaction_id=transaction_id,
    )
