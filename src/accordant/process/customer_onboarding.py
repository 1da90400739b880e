"""A won deal reaches the books, billing and support, once, and sales sees that it did.

Trigger       OpportunityWon
Reads         reference product, currency, country, legal entity, service tier; the customer's contract
Writes        erp: customer, order · billing: customer, subscription · support: customer, entitlement · crm: standing
Undo          the subscription is ended, the order closed; customers stay
Owner         revenue operations

Where the account is not a customer yet, it becomes one, a missing parent first and as customer only. Where it is,
the deal adds to its contract. Nothing is written anywhere until every word of the deal has a meaning.
"""

from accordant.backbone.flow import Describe, Stop, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.contract import Contract, ContractLine
from accordant.canonical.operation import Operation
from accordant.canonical.opportunity import DealStanding, Opportunity, OpportunityCorrected, OpportunityWon
from accordant.canonical.order import Order, OrderLine
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.canonical.subscription import Subscription
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority
from accordant.masterdata import customers, keeping
from accordant.masterdata.standing import agreed_with
from accordant.process.agreement import contract_id_of, with_line
from accordant.process.support_level import raise_support
from accordant.process.terms import Terms, agree_terms

WonOrCorrected = OpportunityWon | OpportunityCorrected


def _party(fact: WonOrCorrected) -> str:
    return fact.opportunity.account.name


def _worth(fact: WonOrCorrected) -> Money | None:
    try:
        return parse_money(fact.opportunity.amount_text, fact.opportunity.currency_word)
    except AccordantError:
        return None


def tell_sales(fact: WonOrCorrected, stop: Stop, *, crm: Crm, **_: object) -> Operation:
    """Show on the deal that it is blocked, and who is asked."""
    return crm.tell_standing(blocked_standing(fact.opportunity.opportunity_id, fact.opportunity.source_id, stop=stop))


def blocked_standing(opportunity_id: str, source_id: str, *, stop: Stop) -> DealStanding:
    """The standing of a deal that stopped for a person."""
    return DealStanding(
        opportunity_id=opportunity_id,
        source_id=source_id,
        status="blocked",
        reason=f"{stop.reason} (owner: {stop.owner})"[:255],
        transaction_id=stop.transaction_id,
    )


@flow(
    on=OpportunityWon,
    owner="revenue operations",
    describe=Describe(party=_party, worth=_worth),
    priority=Priority.CUSTOMER,
    blocked=tell_sales,
    corrected_by=OpportunityCorrected,
)
async def customer_onboarding(
    tx: Transaction, event: WonOrCorrected, *, crm: Crm, billing: Billing, erp: Erp, support: Support
) -> None:
    """The books first, then billing, then support; support never runs ahead of the books."""
    deal = event.opportunity
    terms = await tx.check("terms", agree_terms, deal)
    family = await customers.recognise(tx, terms.parties)
    systems = customers.Systems(erp=erp, billing=billing, support=support)
    accounts = await customers.open_everywhere(tx, terms.parties, customers=family, systems=systems)

    subscription = subscription_of(deal, terms, customer_id=accounts.customer.customer_id)
    order = order_of(deal, terms, subscription=subscription)
    starting = billing.start_subscription(subscription, account=accounts.billing)
    await tx.effect(
        "start subscription",
        starting,
        undo=lambda receipt: billing.end_subscription(subscription, existing=receipt),
        keeps=keeping.first(tx, starting, body=subscription),
    )
    placing = erp.place_order(order)
    await tx.effect(
        "place order", placing, undo=lambda _: erp.close_order(order), keeps=keeping.first(tx, placing, body=order)
    )

    agreed = await agreed_with(tx, subscription.customer_id, contract_id=contract_id_of(subscription.customer_id))
    contract = await tx.check("contract", next_contract, agreed.contract, subscription, terms)
    await raise_support(tx, contract, support, left=agreed.support)
    await tx.effect("tell sales", crm.tell_standing(in_step(deal, tx.row.transaction_id)))


def subscription_of(deal: Opportunity, terms: Terms, *, customer_id: str) -> Subscription:
    """What billing charges for the deal."""
    return Subscription(
        subscription_id=subscription_id_of(deal.opportunity_id),
        customer_id=customer_id,
        opportunity_id=deal.opportunity_id,
        product_id=terms.product.product_id,
        quantity=terms.quantity,
        total=terms.total,
        starts_on=terms.starts_on,
        ends_on=terms.ends_on,
    )


def subscription_id_of(opportunity_id: str) -> str:
    """Canonical id of the subscription that a deal sold."""
    return canonical_id("subscription", opportunity_id)


def order_of(deal: Opportunity, terms: Terms, *, subscription: Subscription) -> Order:
    """What the books are told about the deal."""
    buyer = terms.parties[-1]
    return Order(
        order_id=canonical_id("order", deal.opportunity_id),
        customer_id=subscription.customer_id,
        legal_entity=buyer.legal_entity,
        erp_entity=buyer.erp_entity,
        opportunity_id=deal.opportunity_id,
        subscription_id=subscription.subscription_id,
        ordered_on=terms.starts_on,
        lines=(OrderLine(product_id=terms.product.product_id, quantity=terms.quantity, total=terms.total),),
        total=terms.total,
    )


def next_contract(current: str, subscription: Subscription, terms: Terms, estate: Estate, /) -> Contract:
    """The customer's contract with this deal in it."""
    line = ContractLine(
        line_id=subscription.subscription_id,
        product_id=subscription.product_id,
        quantity=subscription.quantity,
        total=subscription.total,
        service_tier=terms.product.service_tier,
        starts_on=subscription.starts_on,
        ends_on=subscription.ends_on,
    )
    return with_line(
        current, line, customer_id=subscription.customer_id, agreed_in=subscription.opportunity_id, estate=estate
    )


def in_step(deal: Opportunity, transaction_id: str) -> DealStanding:
    """The standing of a deal that every system agrees on."""
    return DealStanding(
        opportunity_id=deal.opportunity_id,
        source_id=deal.source_id,
        status="in step",
        transaction_id=transaction_id,
    )
