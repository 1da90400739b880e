"""Retry and release: what stopped goes on, what differs is read again, and whatever is left is said with its reason."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from accordant.backbone import lanes
from accordant.backbone.flow import Describe, Flows, flow
from accordant.backbone.router import lane_of
from accordant.backbone.rows import (
    EffectRow,
    ExceptionRow,
    TransactionRow,
    effect_table,
    exception_table,
    inbox_table,
    memo_table,
    transaction_table,
)
from accordant.kernel.clock import ManualClock
from accordant.kernel.database import Database, Writer
from accordant.kernel.errors import Refused
from accordant.kernel.money import Money
from accordant.operations.exceptions import Desk, DeskParts
from accordant.telemetry.audit import audit_table
from tests.backbone.shop import Corrected, Ordered, estate
from tests.operations import stored
from tests.operations.stored import TENANT, Storage

NOW_MS = stored.NOW_MS + 1_000_000


async def _run(tx: Any, event: Any) -> None: ...


_run.__name__ = "customer_onboarding"
FLOW = flow(
    on=Ordered,
    owner="sales",
    describe=Describe(party=lambda fact: f"party of {fact.order}", worth=lambda fact: Money(777, "EUR")),
    corrected_by=Corrected,
)(_run)


class Idle:
    """An engine that drives nothing; what it runs before a command stands for a drive that ends just then."""

    driving = 0

    def __init__(self) -> None:
        self.left_alone: list[str] = []
        self.on_crashed: Callable[[], None] = lambda: None
        self.first: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def nudge(self) -> None: ...

    async def alone(self, transaction_ids: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        self.left_alone += transaction_ids
        if self.first:
            await self.first()
        await act()


class Office:
    """A desk over a database, and eyes for what it leaves."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.engine = Idle()
        self.rereads = 0
        parts = DeskParts(
            tenant=TENANT,
            database=storage.database,
            writer=storage.writer,
            clock=ManualClock(NOW_MS),
            engine=self.engine,
            flows=Flows(FLOW),
        )
        self.desk = Desk(parts, estate=lambda: estate(7), reread=self._reread)

    def _reread(self) -> None:
        self.rereads += 1

    async def stopped(self, n: int = 1, **changed: Any) -> None:
        """A transaction that a check stopped, its event and its open item."""
        fields: dict[str, Any] = {"state": "exception", "turn": lanes.LEFT, "ended_at_ms": None, "lane": "lane"}
        fact = msgspec.json.encode(Ordered(order=f"O{n}")).decode()
        await self.storage.put(
            stored.transaction(n, **{**fields, **changed}),
            stored.event(n, type=Ordered.type, data=fact),
            stored.item(n),
            stored.memo(tx=n),
        )

    async def different(self, **changed: Any) -> None:
        """A completed transaction with an effect that was found different."""
        fields: dict[str, Any] = {"code": "readback.different", "step": "start subscription", "cause_group": "cause-rb"}
        await self.storage.put(
            stored.transaction(1),
            stored.effect(checked="different", check_note="amount: should be 1, is 2"),
            stored.item(1, **{**fields, **changed}),
        )

    def row(self, n: int = 1) -> TransactionRow:
        query = select(transaction_table).where(transaction_table.c.transaction_id == f"tx-{n:024x}")
        return TransactionRow(**self._all(query)[0])

    def item(self, n: int = 1) -> ExceptionRow:
        query = select(exception_table).where(exception_table.c.exception_id == item_id(n))
        return ExceptionRow(**self._all(query)[0])

    def effect(self) -> EffectRow:
        return EffectRow(**self._all(select(effect_table))[0])

    def audit(self, action: str) -> list[str]:
        return [row["detail"] for row in self._all(select(audit_table).where(audit_table.c.action == action))]

    def queue(self) -> list[str]:
        tx = transaction_table.c
        query = select(tx.subject).where(tx.turn == lanes.WAITS).order_by(tx.lane_seq, tx.transaction_id)
        return [row["subject"] for row in self._all(query)]

    def _all(self, query: Any) -> list[Any]:
        return self.storage.database.read_now(lambda c: list(c.execute(query).mappings()))


def item_id(n: int = 1) -> str:
    return stored.item(n).exception_id


@pytest.fixture
async def office(database: Database, writer: Writer) -> Office:
    return Office(Storage(database, writer))


async def test_what_differs_is_read_again_and_its_transaction_left_as_it_is(office: Office) -> None:
    await office.different()
    before = office.row()
    assert await office.desk.retry(item_id(), actor="jo") == 1
    effect, item = office.effect(), office.item()
    assert (effect.checked, effect.checked_at_ms, effect.check_note) == ("", None, "")
    assert (item.state, item.closed_by) == ("released", "jo")
    assert office.row() == before
    assert len(office.audit("exception.released")) == 1


async def test_releasing_the_cause_reads_again_too(office: Office) -> None:
    await office.different()
    assert await office.desk.release("cause-rb", actor="jo") == 1
    assert office.effect().checked == ""


async def test_what_differs_is_read_again_also_while_its_transaction_is_stopped(office: Office) -> None:
    await office.different()
    await office.storage.put(stored.transaction(1, state="exception", turn=lanes.HAS_TURN))
    await office.desk.retry(item_id(), actor="jo")
    assert office.effect().checked == ""
    assert office.row().state == "exception"


async def test_an_effect_that_is_not_there_is_refused_with_a_sentence(office: Office) -> None:
    await office.different(step="another step")
    with pytest.raises(Refused, match="no such confirmed effect") as refused:
        await office.desk.retry(item_id(), actor="jo")
    assert refused.value.code == "exception.not_retryable"
    assert office.item().state == "open"
    assert office.effect().checked == "different"


@pytest.mark.parametrize("state", ["running", "completed", "compensated"])
async def test_an_item_whose_transaction_is_not_stopped_is_refused_with_a_sentence(office: Office, state: str) -> None:
    await office.stopped(state=state)
    with pytest.raises(Refused, match=f"its transaction is {state}, not stopped"):
        await office.desk.retry(item_id(), actor="jo")
    assert office.item().state == "open"
    assert office.row().state == state


async def test_an_item_without_its_transaction_is_refused(office: Office) -> None:
    await office.storage.put(stored.item(1))
    with pytest.raises(Refused, match="no such transaction"):
        await office.desk.retry(item_id(), actor="jo")


async def test_a_message_is_offered_to_its_mapping_again_or_refused(office: Office) -> None:
    for n, state in ((1, "quarantined"), (2, "published")):
        await office.storage.put(stored.message(n, state=state, note="x"))
        await office.storage.put(stored.item(n, transaction_id="", message_id=f"msg-{n:04}"))
    assert await office.desk.retry(item_id(1), actor="jo") == 1
    with pytest.raises(Refused, match="its message is published, not quarantined"):
        await office.desk.retry(item_id(2), actor="jo")
    query = select(inbox_table.c.message_id, inbox_table.c.state)
    states = dict(office.storage.database.read_now(lambda c: c.execute(query).all()))
    assert states == {"msg-0001": "kept", "msg-0002": "published"}
    assert office.rereads


async def test_a_release_does_what_can_be_done_and_names_what_was_left(office: Office) -> None:
    await office.stopped(1)
    await office.stopped(2, state="running", turn=lanes.HAS_TURN)
    with pytest.raises(Refused, match="1 released, 1 left open") as refused:
        await office.desk.release("cause-gtx", actor="jo")
    assert item_id(2) in refused.value.message
    assert (office.item(1).state, office.item(2).state) == ("released", "open")


@pytest.mark.parametrize("state", ["released", "resolved"])
async def test_a_closed_item_is_refused(office: Office, state: str) -> None:
    await office.stopped()
    await office.storage.put(stored.item(1, state=state))
    with pytest.raises(Refused, match="not an open exception"):
        await office.desk.retry(item_id(), actor="jo")
    with pytest.raises(Refused, match="no open exception"):
        await office.desk.release("cause-gtx", actor="jo")


async def test_nobody_touches_what_is_another_tenants(office: Office) -> None:
    await office.stopped(tenant="other")
    await office.storage.put(stored.item(1, tenant="other"))
    with pytest.raises(Refused, match="not an open exception"):
        await office.desk.retry(item_id(), actor="jo")
    with pytest.raises(Refused, match="no open exception"):
        await office.desk.release("cause-gtx", actor="jo")
    await office.storage.put(stored.item(1))
    with pytest.raises(Refused, match="no such transaction"):
        await office.desk.retry(item_id(), actor="jo")


async def test_two_who_retry_the_same_item_move_it_once(office: Office) -> None:
    """The second was decided while the first was being carried out."""
    await office.stopped()

    async def somebody_else() -> None:
        office.engine.first = None
        await office.desk.retry(item_id(), actor="jo")

    office.engine.first = somebody_else
    with pytest.raises(Refused, match="not an open exception"):
        await office.desk.retry(item_id(), actor="al")
    assert office.item().closed_by == "jo"
    assert len(office.audit("transaction.repinned")) == 1


async def test_the_drive_in_hand_is_waited_for(office: Office) -> None:
    await office.stopped(turn=lanes.HAS_TURN)
    ended = asyncio.Event()

    async def drive() -> None:
        await asyncio.wait_for(ended.wait(), 10)
        await office.storage.put(stored.transaction(1, state="exception", turn=lanes.HAS_TURN, drives=9))

    office.engine.first = drive
    retrying = asyncio.create_task(office.desk.retry(item_id(), actor="jo"))
    await asyncio.sleep(0.05)
    assert office.item().state == "open"
    ended.set()
    await retrying
    assert office.engine.left_alone == [office.row().transaction_id]
    assert office.row().drives == 9


async def test_one_that_holds_its_lane_goes_on_under_the_present_estate(office: Office) -> None:
    await office.stopped(turn=lanes.HAS_TURN, lane_seq=5)
    await office.desk.retry(item_id(), actor="jo")
    row = office.row()
    assert (row.state, row.waiting_for, row.turn, row.lane_seq) == ("running", "", lanes.HAS_TURN, 5)
    assert row.due_rank is not None
    assert row.estate_version == 7
    memos = office.storage.database.read_now(lambda c: c.execute(select(memo_table.c.name, memo_table.c.kind)).all())
    assert dict(memos) == {"terms": "discarded", "(re-pinned)": "discarded"}
    assert '"estate_before":1' in office.audit("transaction.repinned")[0]


async def test_those_that_left_their_lane_queue_at_its_end_in_their_old_order(office: Office) -> None:
    """The one at the end of the lane comes from a source whose clock is ahead of ours."""
    ahead = (NOW_MS + 60_000) * 1000
    await office.storage.put(
        stored.transaction(8, lane="lane", state="running", turn=lanes.HAS_TURN, due_rank=1),
        stored.transaction(9, lane="lane", state="waiting", turn=lanes.WAITS, lane_seq=ahead),
    )
    for n, seq in ((1, 30), (2, 10), (3, 20)):
        await office.stopped(n, lane_seq=seq)
    assert await office.desk.release("cause-gtx", actor="jo") == 3
    assert office.queue() == ["DEAL-9", "DEAL-2", "DEAL-3", "DEAL-1"]
    assert {office.row(n).due_rank for n in (1, 2, 3)} == {None}


async def test_one_that_left_a_lane_that_is_free_now_gets_the_turn(office: Office) -> None:
    await office.stopped()
    await office.desk.retry(item_id(), actor="jo")
    assert (office.row().state, office.row().turn) == ("running", lanes.HAS_TURN)


async def _corrected(office: Office) -> str:
    """The deal of transaction 1 was changed at its source: another account, another price."""
    fact = msgspec.json.encode(Corrected(order="mended")).decode()
    source = stored.event(1).source
    event = stored.event(5, source=source, type=Corrected.type, sequence="2", data=fact, ordering_key="B2")
    await office.storage.put(event, stored.event(6, source=source, type="unrelated", sequence="3"))
    return lane_of(event)


async def test_a_correction_is_taken_up_while_nothing_is_in_any_system(office: Office) -> None:
    await office.stopped()
    await office.storage.put(
        stored.effect("start subscription", state="rejected"), stored.effect("tell it stopped (a)", system="crm")
    )
    lane = await _corrected(office)
    await office.desk.retry(item_id(), actor="jo")
    row = office.row()
    assert (row.event_id, row.party, row.amount_minor, row.currency) == ("evt-0005", "party of mended", 777, "EUR")
    assert (row.lane, row.turn) == (lane, lanes.HAS_TURN)
    assert '"event_before":"evt-0001","event_now":"evt-0005"' in office.audit("transaction.repinned")[0]


@pytest.mark.parametrize("state", ["sent", "unknown", "confirmed"])
async def test_a_correction_is_not_taken_up_once_something_may_be_in_a_system(office: Office, state: str) -> None:
    await office.stopped(turn=lanes.HAS_TURN)
    await office.storage.put(stored.effect("start subscription", state=state))
    await _corrected(office)
    await office.desk.retry(item_id(), actor="jo")
    assert (office.row().event_id, office.row().lane) == ("evt-0001", "lane")


async def test_an_untouched_one_that_held_its_lane_lets_it_go_when_the_account_was_corrected(office: Office) -> None:
    await office.stopped(turn=lanes.HAS_TURN)
    await office.storage.put(stored.transaction(9, lane="lane", state="waiting", turn=lanes.WAITS, ended_at_ms=None))
    lane = await _corrected(office)
    await office.desk.retry(item_id(), actor="jo")
    assert (office.row().lane, office.row().turn) == (lane, lanes.HAS_TURN)
    assert office.row(9).turn == lanes.HAS_TURN


async def test_a_flow_that_was_removed_does_not_hold_up_the_others_of_its_cause(office: Office) -> None:
    await office.stopped(1)
    await office.stopped(2, flow="removed")
    assert await office.desk.release("cause-gtx", actor="jo") == 2
