"""An expansion reaches billing, then the books, then support; support never runs ahead of the books.

Trigger       ContractAmended
Reads         reference product, currency, country, legal entity, service tier; the subscription and the contract
Writes        billing: subscription · erp: order · support: entitlement · crm: standing
Undo          the subscription goes back to what it was; the order is written as it was
Owner         revenue operations

A legal entity without a mapping stops it before anything is written. Where the books refuse after billing was
amended, billing stands and is shown, support is not raised, and finance operations owns what is open.
"""

import msgspec

from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.contract import Contract, ContractAmended, ContractAmendment, ContractLine
from accordant.canonical.operation import Operation, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.canonical.order import Order, OrderLine
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.canonical.subscription import Subscription, SubscriptionChange
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError, Terminal
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority
from accordant.masterdata import customers, keeping
from accordant.process.agreement import contract_id_of, with_changed_line
from accordant.process.customer_onboarding import blocked_standing, entitlement_for, subscription_id_of
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
    running = await customers.latest_record(tx, "subscription", canonical=line_id)
    change = await tx.check("change", change_of, running, amendment, terms)
    existing = await customers.known_receipt(tx, "subscription", canonical=line_id, system="billing")
    contract_now = await customers.latest_record(
        tx, "contract", canonical=contract_id_of(change.subscription.customer_id)
    )
    contract = await tx.check("contract", next_contract, contract_now, change, terms)

    amending = billing.amend_subscription(change, existing=_existing(existing, line_id))
    await tx.effect(
        "amend subscription",
        amending,
        undo=lambda receipt: billing.revert_amendment(change, existing=receipt),
        keeps=keeping.following(tx, amending, body=change.subscription, version=contract.version),
    )
    ordering = erp.amend_order(order_after(change, terms))
    await tx.effect("amend order", ordering, undo=lambda _: erp.amend_order(order_before(change, terms)))
    entitlement = await tx.check("entitlement", entitlement_for, contract)
    await tx.effect("raise entitlement", support.set_entitlement(entitlement))
    await keeping.version(tx, "contract", record_id=contract.contract_id, body=contract)
    await tx.effect("tell sales", crm.tell_standing(_in_step(amendment, tx.row.transaction_id)))


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


def order_after(change: SubscriptionChange, terms: Terms) -> Order:
    """The order as it shall be."""
    return _order(change.subscription, terms)


def order_before(change: SubscriptionChange, terms: Terms) -> Order:
    """The order as it was."""
    return _order(change.before, terms)


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
