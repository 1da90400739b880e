"""A dispute in the matrix: an invoice is disputed, an agent rules, finance agrees, and the platform dies on the way."""

import msgspec
from sqlalchemy import select

from accordant.masterdata.crosswalk import crosswalk_table
from accordant.systems.zendesk.mapping.nouns import DISPUTED, RULING
from tests.kills.company import Company
from tests.kills.deals import WON
from tests.kills.flows.service_credit import a_case_is_open
from tests.kills.outside import decide_until, deliver
from tests.kills.shipped import Shipped, Stage
from tests.systems.zendesk.test_credit_requests import event


def an_invoice_is_sent(company: Company) -> None:
    """To every customer; each customer's own is looked for."""
    a_case_is_open(company)
    billing = company.vendors["stripe"]
    owners = [row["business_id"] for row in billing.dump()["customer"]]
    sent = {"number": "D-1", "total": 50_000, "currency": "usd", "due_on": "2026-12-31"}
    billing.load({"invoices": [{**sent, "customer_id": owner} for owner in owners]})


async def an_agent_says(stage: Stage, title: str, words: str, *, at: str) -> None:
    """The delivery comes again in every life, as vendors repeat it."""
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "support").order_by(c.canonical_id)
    organization = stage.rows(held)[0]["native_id"]
    said = event(words, title=title, time=at, id="1", organization_id=organization)
    said["id"] = f"{said['id'][:-1]}{len(title) % 10}"
    assert await deliver(stage, "zendesk", msgspec.json.encode(said)) in {200, 202}


async def it_is_credited(stage: Stage) -> None:
    await an_agent_says(stage, DISPUTED.title, "D-1", at="2026-11-21T10:00:00Z")
    await an_agent_says(stage, RULING.title, "credit 300.00", at="2026-11-21T11:00:00Z")
    await decide_until(stage, "invoice_dispute", "completed")


SCENES = (
    Shipped(
        name="disputed",
        before=(WON,),
        ended_before=1,
        then=an_invoice_is_sent,
        director=it_is_credited,
        ended=2,
        is_sampled=True,
    ),
)
