"""An account that sales calls a customer exists in every system, before anything was sold to it.

Trigger       CustomerIntroduced
Reads         reference country, currency, legal entity
Writes        erp: customer · billing: customer · support: customer
Undo          none: customers stay
Owner         sales operations

A customer that a won deal made already is recognised, and nothing is written. Parents are opened before their
subsidiaries. What is billed later, for a deal or without one, finds its customer in every system.
"""

from datetime import date

from accordant.backbone.flow import Describe, flow
from accordant.backbone.transaction import Transaction
from accordant.canonical.customer import CustomerIntroduced, SourceAccount
from accordant.canonical.ports import Billing, Erp, Support
from accordant.governance.estate import Estate
from accordant.kernel.priority import Priority
from accordant.masterdata import customers
from accordant.masterdata.customers import Party
from accordant.masterdata.reference import resolve
from accordant.process.terms import party_of


@flow(
    on=CustomerIntroduced,
    owner="sales operations",
    describe=Describe(party=lambda fact: fact.account.name, worth=lambda _: None),
    priority=Priority.BACKGROUND,
)
async def customer_opening(
    tx: Transaction, event: CustomerIntroduced, *, billing: Billing, erp: Erp, support: Support, **_: object
) -> None:
    """Recognised before it is created, once in every system."""
    parties = await tx.check("parties", parties_of, event.account, event.currency_word, event.introduced_on)
    family = await customers.recognise(tx, parties)
    systems = customers.Systems(erp=erp, billing=billing, support=support)
    await customers.open_everywhere(tx, parties, customers=family, systems=systems)


def parties_of(account: SourceAccount, currency_word: str, on: date, estate: Estate, /) -> tuple[Party, ...]:
    """The account and its ancestors, the oldest first, once every word has a meaning.

    Raises:
        Unmapped: a currency, country or legal entity without a row in its reference table.
        Malformed: a hierarchy that bites its tail.
    """
    currency = resolve(estate, "currency", value=currency_word, on=on).target
    return tuple(party_of(estate, one, currency=currency, on=on) for one in customers.family(account))
