"""What is played on the whole platform: every shipped flow, and what people do at the desk and at the door."""

import asyncio
import random
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select, text

from accordant.backbone.rows import inbox_table, transaction_table
from accordant.connector.sandbox import Fault, FaultPlan
from accordant.operations.replay import ReplayParts, Replays, Selection
from tests.experience.company import deal
from tests.kills.company import Company
from tests.kills.deals import LOST, MISSPELT, WON
from tests.kills.flows import invoice_dispute, invoices, payment_status, refund, service_credit
from tests.kills.outside import deliver
from tests.kills.scene import Scene
from tests.kills.shipped import Shipped, Stage
from tests.kills.small import SMALL


def _upgrade(number: str, *, to: int) -> dict[str, Any]:
    """Deal 7 with so many units from May on."""
    return deal(
        number,
        Type="Existing Customer - Upgrade",
        TotalOpportunityQuantity=str(to),
        Amount=f"{to * 600}.00",
        Amends_Opportunity__c="7",
        CloseDate="2026-05-02",
    )


AMENDED: dict[str, Any] = {"Opportunity": [_upgrade("8", to=2)]}
AMENDED_TWICE: dict[str, Any] = {"Opportunity": [_upgrade("8", to=2), _upgrade("9", to=3)]}
TOO_LONG = deal(random.Random(8).randbytes(4_000).hex(), Id="006Kx0000000008IAA")
"""PostgreSQL cannot put such a number into an index."""
POSTGRESQL = {"postgresql": ("journal",)}


async def sales_corrects(stage: Stage) -> None:
    """Sales mends the word, and a person retries the deal."""
    await stage.crm_shows({"Opportunity": [deal("7")]})
    await stage.until(lambda: stage.is_so("deal_correction", "completed"))
    for item in stage.open("map.missing"):
        await stage.platform.desk.retry(item["exception_id"], actor="ops")


async def people_decide(stage: Stage) -> None:
    """Somebody says what the word means, releases its cause, and replays what has ended."""
    platform = stage.platform
    await platform.estates.set_reference("product", "Ledger Strat", target="Ledger Start", actor="ops")
    for item in stage.open("map.missing"):
        await platform.desk.release(item["cause_group"], actor="ops")
    await stage.until(lambda: stage.is_so("customer_onboarding", "completed") and stage.at_rest(1))
    await replay(stage, stage.rows(select(transaction_table.c.transaction_id.label("id"))))


async def replay(stage: Stage, rows: list[Any]) -> None:
    one = stage.platform
    parts = ReplayParts(
        database=one.database, writer=one.writer, clock=one.clock, engine=one.engine, reread=one.pump.nudge
    )
    selection = Selection(ids=tuple(row["id"] for row in rows))
    await Replays(parts).run(selection, tenant=stage.settings.tenant, actor="ops")


async def vendors_knock(stage: Stage) -> None:
    """A delivery, the same again, other content under its id, and one that nobody can read; the last is replayed."""
    noise = {"id": "evt_1", "object": "event", "type": "noise"}
    bodies = [msgspec.json.encode(noise), msgspec.json.encode(noise), msgspec.json.encode({**noise, "x": 1}), b"{no"]
    for body in bodies:
        assert await deliver(stage, "stripe", body) in {200, 202}
    held = inbox_table.c
    query = select(held.message_id.label("id")).where(held.state == "quarantined", held.note.like("json.%"))
    quarantined = await stage.until(lambda: stage.rows(query))
    await replay(stage, quarantined)
    await stage.until(lambda: stage.rows(query))


async def one_cannot_be_kept(stage: Stage) -> None:
    held = inbox_table.c
    query = select(held.message_id).where(held.state == "quarantined")
    await stage.until(lambda: stage.rows(query))


async def lock_is_dropped(stage: Stage) -> None:
    """The server drops the connection that holds the owner's lock; the owner takes it again."""
    holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
    query = text(f"{holders} WHERE datname = current_database())")
    (before,) = await stage.until(lambda: stage.rows(query))
    stage.rows(text(f"SELECT pg_terminate_backend({before['pid']})"))
    await stage.until(lambda: any(row["pid"] != before["pid"] for row in stage.rows(query)))
    await asyncio.sleep(2.1)


def compensating(folder: Path) -> None:
    _policies(folder, "contract_amendment: {on_failure: hold", "contract_amendment: {on_failure: compensate")


def in_haste(folder: Path) -> None:
    _policies(
        folder,
        "customer_onboarding: {on_failure: hold, sla_s: 3600",
        "customer_onboarding: {on_failure: hold, sla_s: 1",
    )


def _policies(folder: Path, was: str, shall: str) -> None:
    file = folder / "estate" / "policies.yaml"
    said = file.read_text(encoding="utf-8")
    assert was in said
    file.write_text(said.replace(was, shall), encoding="utf-8")


def books_refuse(company: Company) -> None:
    """The period in which the order was placed is closed, so that the order cannot be amended any more."""
    closed = {"starts_on": "2026-03-01", "ends_on": "2026-03-31", "closed": True}
    company.vendors["netsuite"].load({"periods": [closed]})


def answers_get_lost(company: Company) -> None:
    """Every first answer to a write is an error although the write was applied."""
    for one in company.vendors.values():
        one.kit.faults.set_plan(FaultPlan(faults=(Fault(kind="error_after_apply", max_per_key=1),)))


def books_are_slow(company: Company) -> None:
    slow = Fault(kind="slow", count=1, delay_s=1.6)
    company.vendors["netsuite"].kit.faults.set_plan(FaultPlan(faults=(slow,)))


SHIPPED = (
    Shipped(name="onboarding", is_sampled=True, shows=WON),
    Shipped(name="amendment", is_sampled=True, before=(WON,), ended_before=1, shows=AMENDED, ended=2),
    Shipped(name="correction", is_sampled=True, before=(MISSPELT,), ended_before=1, director=sales_corrects, ended=2),
    Shipped(
        name="countered",
        is_sampled=True,
        before=(WON,),
        ended_before=1,
        shows=AMENDED,
        ended=2,
        prepare=compensating,
        then=books_refuse,
    ),
    Shipped(name="rough", shows=WON, then=answers_get_lost, only=("effect.", "vendor.request")),
    Shipped(
        name="desk",
        before=(MISSPELT,),
        ended_before=1,
        director=people_decide,
        only=("estate.", "reference.", "desk.", "replay.", "owner.told", "owner.notice"),
    ),
    Shipped(name="stopped", shows=MISSPELT, only=("owner.notice", "owner.told", "drive.end", "effect.")),
    Shipped(
        name="doors",
        shows=LOST,
        director=vendors_knock,
        ended=0,
        only=("doors.", "hooks.", "inbox.", "pump.", "replay."),
    ),
    Shipped(name="birth", shows=LOST, ended=0, only=("schema.", "estate.", "database.", "owner.", "journal.start")),
    Shipped(name="late", shows=WON, prepare=in_haste, then=books_are_slow, only=("lateness.",)),
    Shipped(
        name="together",
        before=(WON,),
        ended_before=1,
        shows=AMENDED_TWICE,
        ended=3,
        read_back_every_s=1.0,
        only=("readback.",),
    ),
    Shipped(
        name="unstorable",
        before=(WON,),
        ended_before=1,
        shows={"Opportunity": [TOO_LONG]},
        director=one_cannot_be_kept,
        only=("pump.",),
        on=POSTGRESQL,
    ),
    Shipped(
        name="lock",
        shows=LOST,
        ended=0,
        director=lock_is_dropped,
        only=("owner.look", "owner.again", "owner.retake"),
        on=POSTGRESQL,
    ),
    Shipped(
        name="workers",
        before=(LOST,),
        shows=WON,
        on={"postgresql": ("dbos",)},
        only=("dbos.", "locks.", "database.turn", "effect.confirm", "drive.end"),
    ),
)
FLOWS = (
    *invoices.SCENES,
    *service_credit.SCENES,
    *payment_status.SCENES,
    *refund.SCENES,
    *invoice_dispute.SCENES,
)  # fmt: skip
"""The scenes of each flow that has a file of its own in `flows`."""
SCENES: dict[str, Scene] = {one.name: one for one in (*SHIPPED, *FLOWS, *SMALL)}
