"""A refund in the matrix: support asks, finance agrees, and the platform dies at every boundary on the way."""

import msgspec
from sqlalchemy import select

from accordant.masterdata.crosswalk import crosswalk_table
from tests.kills.company import Company
from tests.kills.deals import WON
from tests.kills.flows.service_credit import a_case_is_open
from tests.kills.outside import decide_until, deliver
from tests.kills.shipped import Shipped, Stage
from tests.systems.zendesk.test_credit_requests import event


def an_invoice_is_paid(company: Company) -> None:
    """By card, of every customer; each customer's own is looked for."""
    a_case_is_open(company)
    billing = company.vendors["stripe"]
    owners = [row["business_id"] for row in billing.dump()["customer"]]
    paid = {"number": "R-1", "total": 20_000, "currency": "usd", "status": "paid", "paid_on": "2026-11-01"}
    billing.load({"invoices": [{**paid, "customer_id": owner} for owner in owners]})


async def finance_agrees(stage: Stage) -> None:
    """The delivery comes again in every life, as vendors repeat it."""
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "support").order_by(c.canonical_id)
    organization = stage.rows(held)[0]["native_id"]
    asked = event("refund 120.00 R-1 overcharge", time="2026-11-21T10:00:00Z", id="1", organization_id=organization)
    assert await deliver(stage, "zendesk", msgspec.json.encode(asked)) in {200, 202}
    await decide_until(stage, "refund", "completed")


SCENES = (
    Shipped(
        name="refunded",
        before=(WON,),
        ended_before=1,
        then=an_invoice_is_paid,
        director=finance_agrees,
        ended=2,
        is_sampled=True,
    ),
)
