"""An invoice in the matrix: told twice under two names, paid, or voided before it is told, while the platform dies."""

import msgspec
from sqlalchemy import select

from accordant.backbone.rows import transaction_table
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
    await tell(stage, "evt_1", "invoice.finalized")
    await tell(stage, "evt_2", "invoice.finalized")
    await tell(stage, "evt_3", "invoice.paid", amount_remaining=0, amount_paid=5_400, status="paid")
    await tell(stage, "evt_4", "invoice.payment_succeeded", amount_remaining=0, amount_paid=5_400, status="paid")


async def billing_tells_the_end_first(stage: Stage) -> None:
    """That it was voided comes before the invoice, and waits for it."""
    await tell(stage, "evt_9", "invoice.voided", status="void")
    tx = transaction_table.c
    await stage.until(lambda: stage.rows(select(tx.state).where(tx.flow == "invoice_voiding", tx.drives > 0)))
    await tell(stage, "evt_1", "invoice.finalized")


async def tell(stage: Stage, event_id: str, kind: str, **changes: object) -> None:
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "billing").order_by(c.canonical_id)
    passed = {"finalized_at": DAY_S, "paid_at": DAY_S + 60, "voided_at": DAY_S + 60}
    amounts = {"total": 5_400, "amount_due": 5_400, "amount_remaining": 5_400, "total_taxes": TAXED}
    customer = stage.rows(held)[0]["native_id"]
    record = a_record(customer=customer, created=DAY_S, lines={"data": [LINE]}, status="open", **amounts)
    body = {"id": event_id, "object": "event", "type": kind, "created": DAY_S + 61}
    body["data"] = {"object": {**record, "status_transitions": passed, **changes}}
    assert await deliver(stage, "stripe", msgspec.json.encode(body)) in {200, 202}


SCENES = (
    Shipped(name="invoiced", before=(WON,), ended_before=1, director=billing_tells, ended=3, is_sampled=True),
    Shipped(
        name="voided early",
        before=(WON,),
        ended_before=1,
        director=billing_tells_the_end_first,
        ended=3,
        only=("effect.", "drive.", "flow.", "pump."),
    ),
)
