"""Every delivery is kept once; every fact is told once; what cannot be understood is parked and stops nobody."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from accordant.backbone.flow import Flows, flow
from accordant.backbone.inbox import WEBHOOK, Arrival, Inbox, counts_by_state
from accordant.backbone.pump import Pump, PumpParts, Source
from accordant.backbone.router import Router
from accordant.backbone.rows import event_table, exception_table, inbox_table, transaction_table, watermark_table
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Database, Writer
from tests.backbone.shop import DESCRIBE, Corrected, Ordered, body, estate, translate


@flow(on=Ordered, owner="sales", describe=DESCRIBE)
async def handle_order(*_: Any) -> None: ...


@flow(on=Corrected, owner="sales", describe=DESCRIBE)
async def handle_correction(*_: Any) -> None: ...


class Arrivals:
    def __init__(self, database: Database, writer: Writer, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.inbox = Inbox(tenant="t", database=database, writer=writer, clock=clock)
        self.published = 0
        parts = PumpParts(
            database=database,
            writer=writer,
            clock=clock,
            router=Router(Flows(handle_order, handle_correction), clock=clock),
            sources={"crm": Source(role="crm", translate=translate), "erp": Source(role="erp", translate=translate)},
            estate=estate,
        )
        self.pump = Pump(parts, on_published=lambda: None)

    async def told(self, *rows: bytes, connection: str = "crm") -> None:
        for one in rows:
            self.clock.advance(0.001)
            await self.inbox.keep([Arrival(connection=connection, stream="Order", delivery_id="1", body=one)])
        while await self.pump.step():
            pass

    def all(self, table: Any, *columns: str) -> list[Any]:
        query = select(*(table.c[name] for name in columns)).order_by(*columns)
        return self.database.read_now(lambda c: [tuple(row) for row in c.execute(query)])

    def states(self) -> dict[str, int]:
        return self.database.read_now(counts_by_state)


@pytest.fixture
def arrivals(database: Database, writer: Writer, clock: ManualClock) -> Arrivals:
    return Arrivals(database, writer, clock)


def hook(delivery_id: str, content: bytes = b"{}") -> Arrival:
    return Arrival(connection="crm", stream=WEBHOOK, delivery_id=delivery_id, body=content)


async def test_a_delivery_is_kept_once_however_often_it_comes(arrivals: Arrivals) -> None:
    first = await arrivals.inbox.keep([hook("d1")])
    again = await arrivals.inbox.keep([hook("d1"), hook("d2")])
    assert [one.new for one in [*first, *again]] == [True, False, True]
    assert not any(one.conflict for one in again)
    assert arrivals.states() == {"kept": 2}
    assert arrivals.inbox.duplicates == 1


async def test_one_delivery_id_with_other_content_is_a_conflict(arrivals: Arrivals) -> None:
    await arrivals.inbox.keep([hook("d1", b"one")])
    kept = await arrivals.inbox.keep([hook("d1", b"two")])
    assert (kept[0].new, kept[0].conflict) == (False, True)


async def test_the_other_content_of_a_delivery_id_is_kept_aside_with_an_open_item(arrivals: Arrivals) -> None:
    """The vendor was told that it arrived: nothing of it may be lost, and nothing is done about it by itself."""
    first, other = body(order="o1", amount=100), body(order="o1", amount=999)
    for content in (first, other, other, first):
        await arrivals.inbox.keep([hook("d1", content)])
    assert (arrivals.inbox.duplicates, arrivals.inbox.conflicts) == (1, 1)
    while await arrivals.pump.step():
        pass
    assert arrivals.states() == {"published": 1, "quarantined": 1}
    assert sorted(arrivals.all(inbox_table, "body", "note")) == sorted([(first, ""), (other, "event.id.conflict")])
    assert arrivals.all(exception_table, "code", "state") == [("event.id.conflict", "open")]
    assert len(arrivals.all(event_table, "type")) == 1


async def test_duplicates_at_the_same_moment_are_told_apart(arrivals: Arrivals) -> None:
    kept = await asyncio.gather(*(arrivals.inbox.keep([hook("d1", text)]) for text in (b"one", b"one", b"two")))
    assert [one[0].new for one in kept] == [True, False, False]
    assert [one[0].conflict for one in kept] == [False, False, True]
    together = await arrivals.inbox.keep([hook("d2", b"one"), hook("d2", b"two")])
    assert [(one.new, one.conflict) for one in together] == [(True, False), (False, True)]


async def test_a_polled_row_read_again_is_the_same_and_a_changed_one_is_not(arrivals: Arrivals) -> None:
    rows = [Arrival(connection="crm", stream="Order", delivery_id="1", body=text) for text in (b"a", b"a", b"b")]
    assert [one.new for one in await arrivals.inbox.keep(rows)] == [True, False, True]


async def test_a_fact_told_twice_is_one_event_and_one_transaction(arrivals: Arrivals) -> None:
    await arrivals.told(body(order="o1", seq="1"), body(order="o1", seq="2"))
    await arrivals.told(body(order="o1", seq="3"))
    assert arrivals.all(event_table, "type") == [("test.order.placed",)]
    assert len(arrivals.all(transaction_table, "transaction_id")) == 1
    assert arrivals.all(watermark_table, "sequence") == [("3",)]
    assert arrivals.states() == {"published": 1, "ignored": 2}


@pytest.mark.parametrize("together", [True, False])
async def test_an_older_version_that_comes_later_changes_nothing(arrivals: Arrivals, *, together: bool) -> None:
    newer, older = body(order="o1", seq="2", amount=200, at_ms=5), body(order="o1", seq="1", amount=100, at_ms=9)
    if together:
        await arrivals.told(newer, older)
    else:
        await arrivals.told(newer)
        await arrivals.told(older)
    assert arrivals.all(watermark_table, "sequence", "content") == [("2", "ordered:200")]
    assert arrivals.all(event_table, "type", "sequence") == [("test.order.placed", "2")]
    assert arrivals.states() == {"published": 1, "superseded": 1}


async def test_changed_content_is_a_correction_also_when_it_changes_back(arrivals: Arrivals) -> None:
    for number, amount in enumerate((100, 200, 100, 200)):
        await arrivals.told(body(order="o1", seq=str(number), amount=amount))
    kinds = [kind for (kind,) in arrivals.all(event_table, "type")]
    assert kinds == ["test.order.corrected"] * 3 + ["test.order.placed"]
    assert len(arrivals.all(transaction_table, "transaction_id")) == 4


async def test_what_nobody_understands_is_parked_with_its_reason_and_stops_nobody(arrivals: Arrivals) -> None:
    await arrivals.told(b"not json", b"crash", body(order="o1"), body(order="o2", kind="noise"))
    assert arrivals.states() == {"quarantined": 2, "published": 1, "ignored": 1}
    assert arrivals.all(exception_table, "code", "owner") == [
        ("mapping.crashed", "operations"),
        ("value.malformed", "operations"),
    ]


async def test_only_the_authoritative_producer_may_tell(arrivals: Arrivals) -> None:
    await arrivals.told(body(order="o1"), connection="erp")
    assert arrivals.all(exception_table, "code") == [("event.not_authoritative",)]
    assert arrivals.all(event_table, "type") == []


async def test_a_value_the_database_cannot_hold_parks_its_own_message_only(arrivals: Arrivals) -> None:
    await arrivals.told(body(order="o1"), body(order="a\0b"), body(order="o3"))
    expected = {"published": 3} if arrivals.database.is_sqlite else {"published": 2, "quarantined": 1}
    assert arrivals.states() == expected
    if not arrivals.database.is_sqlite:
        assert arrivals.all(exception_table, "code") == [("storage.refused",)]


async def test_a_flow_that_cannot_describe_a_fact_parks_its_message_only(
    arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    router: Router = arrivals.pump._parts.router
    real = router.route

    def route(changes: Any, event: Any, **more: Any) -> Any:
        opened = real(changes, event, **more)
        if event.subject == "odd":
            raise ValueError("worth of an odd order")
        return opened

    monkeypatch.setattr(router, "route", route)
    await arrivals.told(body(order="odd"), body(order="o2"))
    assert arrivals.states() == {"published": 1, "quarantined": 1}
    assert [subject for (subject,) in arrivals.all(event_table, "subject")] == ["o2"]
