"""An invoice in the matrix: finalized, told twice under two names, and paid, while the platform dies on the way."""

import msgspec
from sqlalchemy import select

from accordant.masterdata.crosswalk import crosswalk_table
from tests.kills.deals import WON
from tests.kills.outside import deliver
from tests.kills.shipped import Shipped, Stage
from tests.systems.stripe.test_invoices import a_record

LINE = {
    "id": "il_1",
    "amount": 5_000,
    "currency": "usd",
    "quantity": 1,
    "pricing": {"type": "price_details", "price_details": {"product": "LDG-START"}},
}
TAXED = [{"amount": 400, "tax_behavior": "exclusive"}]
DAY_S = 1_772_409_600
"""2026-03-02."""


async def billing_tells(stage: Stage) -> None:
    """Every delivery comes again in every life, as vendors repeat it."""
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "billing").order_by(c.canonical_id)
    customer = stage.rows(held)[0]["native_id"]
    passed = {"finalized_at": DAY_S, "paid_at": DAY_S + 60}
    amounts = {"total": 5_400, "amount_due": 5_400, "total_taxes": TAXED, "lines": {"data": [LINE]}}
    open_one = a_record(customer=customer, created=DAY_S, **amounts, amount_remaining=5_400, status="open")
    paid_one = {**open_one, "amount_remaining": 0, "amount_paid": 5_400, "status": "paid"}
    told = (
        ("evt_1", "invoice.finalized", open_one),
        ("evt_2", "invoice.finalized", open_one),
        ("evt_3", "invoice.paid", paid_one),
        ("evt_4", "invoice.payment_succeeded", paid_one),
    )
    for event_id, kind, record in told:
        body = {"id": event_id, "object": "event", "type": kind, "created": DAY_S + 61}
        body["data"] = {"object": {**record, "status_transitions": passed}}
        assert await deliver(stage, "stripe", msgspec.json.encode(body)) in {200, 202}


SCENES = (
    Shipped(name="invoiced", before=(WON,), ended_before=1, director=billing_tells, ended=3, is_sampled=True),
)  # fmt: skip
