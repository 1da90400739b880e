"""A deal that sales changes after closing it is never changed silently downstream.

Trigger       OpportunityCorrected
Reads         where the deal's own transaction stands
Writes        nothing
Undo          nothing to undo
Owner         sales operations

A deal that is still blocked takes the corrected words when it is retried or its cause is released. One that has
reached other systems stays as it is there, and a person decides what the correction means.
"""

from accordant.backbone import standing
from accordant.backbone.flow import Describe, flow
from accordant.backbone.standing import Standing
from accordant.backbone.transaction import Transaction
from accordant.canonical.opportunity import Opportunity, OpportunityCorrected
from accordant.governance.estate import Estate
from accordant.kernel.errors import AccordantError, Terminal
from accordant.kernel.money import Money, parse_money
from accordant.kernel.priority import Priority


def _party(fact: OpportunityCorrected) -> str:
    return fact.opportunity.account.name


def _worth(fact: OpportunityCorrected) -> Money | None:
    try:
        return parse_money(fact.opportunity.amount_text, fact.opportunity.currency_word)
    except AccordantError:
        return None


@flow(
    on=OpportunityCorrected,
    owner="sales operations",
    describe=Describe(party=_party, worth=_worth),
    priority=Priority.BACKGROUND,
)
async def deal_correction(tx: Transaction, event: OpportunityCorrected, **_: object) -> None:
    """Either the blocked deal will take it up, or a person is asked."""
    deal = event.opportunity
    begun = await tx.recall(
        "where the deal stands",
        lambda ours: ours.read(
            lambda connection: standing.of_subject(
                connection, tx.row.tenant, subject=deal.opportunity_id, flow="customer_onboarding"
            )
        ),
        result_type=list[Standing],
    )
    await tx.check("taken up or asked", taken_up_or_asked, deal, begun)


def taken_up_or_asked(deal: Opportunity, begun: list[Standing], estate: Estate, /) -> str:
    """The blocked transaction that will take the correction up.

    Raises:
        Terminal: `deal.corrected`, when the deal has already reached other systems.
    """
    for one in begun:
        if one.untouched:
            return one.transaction_id
    raise Terminal(
        f"{deal.opportunity_id} was changed after it was closed, and other systems already hold it as it was",
        code="deal.corrected",
        hint="amend the contract through a deal of its own, or put the closed deal back as it was",
        detail={"record": deal.opportunity_id, "field": "opportunity", "value": deal.amount_text[:40]},
    )
