"""A service credit in the matrix: support asks, finance agrees, and the platform dies at every boundary on the way."""

from pathlib import Path

import msgspec
from sqlalchemy import select

from accordant.masterdata.crosswalk import crosswalk_table
from tests.kills.company import Company
from tests.kills.deals import WON
from tests.kills.outside import decide_until, deliver
from tests.kills.shipped import Shipped, Stage
from tests.systems.zendesk.test_credit_requests import event


def a_case_is_open(company: Company) -> None:
    company.vendors["zendesk"].load({"tickets": [{"subject": "Cannot log in", "comment": {"body": "It burns"}}]})


def at_once(folder: Path) -> None:
    """Whoever does not decide at once is too late."""
    file = folder / "estate" / "approvals.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("expire_after_h: 72", "expire_after_h: 0"))


async def support_asks(stage: Stage) -> None:
    """The delivery comes again in every life, as vendors repeat it."""
    c = crosswalk_table.c
    held = select(c.native_id).where(c.noun == "customer", c.system == "support").order_by(c.canonical_id)
    organization = stage.rows(held)[0]["native_id"]
    asked = event("120.00 outage", time="2026-11-21T10:00:00Z", id="1", organization_id=organization)
    assert await deliver(stage, "zendesk", msgspec.json.encode(asked)) in {200, 202}


async def finance_agrees(stage: Stage) -> None:
    await support_asks(stage)
    await decide_until(stage, "service_credit", "completed")


SCENES = (
    Shipped(
        name="credited",
        before=(WON,),
        ended_before=1,
        then=a_case_is_open,
        director=finance_agrees,
        ended=2,
        is_sampled=True,
    ),
    Shipped(
        name="undecided",
        before=(WON,),
        ended_before=1,
        prepare=at_once,
        then=a_case_is_open,
        director=support_asks,
        ended=2,
        only=("approval.",),
    ),
)
