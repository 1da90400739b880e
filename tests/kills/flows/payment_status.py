"""A charge fails for the third time, and the platform dies at every boundary between that and four systems in line."""

import asyncio
from typing import Any

import aiohttp
import msgspec

from accordant.systems.stripe.sandbox import SECRET_KEY
from tests.kills.company import Company
from tests.kills.deals import WON
from tests.kills.outside import deliver
from tests.kills.shipped import Shipped, Stage


def a_charge_has_failed(company: Company) -> None:
    """Three times."""
    sandbox: Any = company.vendors["stripe"]
    (customer,) = [one["metadata"]["customer_id"] for one in sandbox.books.customers.values() if _is_the_child(one)]
    lines = [{"description": "Set-up", "amount": 5_000}]
    owed = {"customer_id": customer, "currency": "usd", "number": "F-1", "lines": lines}
    sandbox.load({"invoices": [owed]})
    (invoice,) = [one["id"] for one in sandbox.books.invoices.values() if one["number"] == "F-1"]
    sandbox.load({"happenings": [{"invoice": invoice, "what": "payment_failed"}] * 3})


def _is_the_child(customer: dict[str, Any]) -> bool:
    return bool(customer["metadata"].get("parent_id"))


async def billing_tells(stage: Stage) -> None:
    """The delivery comes again in every life, as vendors repeat it."""
    base = msgspec.json.decode((stage.settings.state / "sandboxes.json").read_bytes())["stripe"]
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        found: list[Any] = []
        while not found:
            async with session.get(f"{base}/v1/invoices?status=open") as answer:
                found = [one for one in (await answer.json()).get("data", ()) if one["number"] == "F-1"]
            await asyncio.sleep(0.02)
    event = {
        "id": "evt_failed_3",
        "object": "event",
        "type": "invoice.payment_failed",
        "created": found[0]["created"],
        "data": {"object": found[0]},
    }
    assert await deliver(stage, "stripe", msgspec.json.encode(event)) in {200, 202}


SCENES = (
    Shipped(
        name="unpaid",
        before=(WON,),
        ended_before=1,
        then=a_charge_has_failed,
        director=billing_tells,
        ended=2,
        is_sampled=True,
    ),
)
