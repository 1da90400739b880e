"""Replay shows first what would happen, refuses to replay everything, and writes nothing a second time."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import select

from accordant.backbone.rows import exception_table, inbox_table, transaction_table
from accordant.kernel.clock import ManualClock
from accordant.kernel.errors import Refused
from accordant.operations.replay import Planned, ReplayParts, Replays, Selection, preview
from accordant.telemetry.audit import audit_table
from tests.operations import stored
from tests.operations.stored import TENANT, Storage


class Idle:
    """An engine that drives nothing, and notes whom it left alone."""

    driving = 0

    def __init__(self) -> None:
        self.left_alone: list[str] = []
        self.on_crashed: Callable[[], None] = lambda: None

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def nudge(self) -> None: ...

    async def alone(self, transaction_ids: Sequence[str], act: Callable[[], Awaitable[None]]) -> None:
        self.left_alone += transaction_ids
        await act()


def shown(storage: Storage, selection: Selection) -> dict[str, bool]:
    planned = storage.database.read_now(lambda c: preview(c, selection, tenant=TENANT))
    return {one.id: one.will for one in planned}


async def run(storage: Storage, selection: Selection, *, engine: Idle | None = None) -> tuple[list[Planned], list[str]]:
    nudges: list[str] = []
    parts = ReplayParts(
        database=storage.database,
        writer=storage.writer,
        clock=ManualClock(stored.NOW_MS + 10_000),
        engine=engine or Idle(),
        reread=lambda: nudges.append("pump"),
    )
    return await Replays(parts).run(selection, tenant=TENANT, actor="jo"), nudges


def states(storage: Storage) -> dict[str, str]:
    query = select(inbox_table.c.message_id, inbox_table.c.state)
    return dict(storage.database.read_now(lambda c: c.execute(query).all()))


@pytest.fixture
async def messages(storage: Storage) -> Storage:
    await storage.put(
        stored.message(1),
        stored.message(2, state="quarantined", note="date.malformed"),
        stored.message(3, state="quarantined", connection="stripe"),
        stored.message(4, state="kept"),
        stored.message(5, state="quarantined", tenant="other"),
    )
    return storage


@pytest.mark.parametrize("selection", [Selection(), Selection(all=True)])
async def test_everything_without_a_filter_is_refused(messages: Storage, selection: Selection) -> None:
    with pytest.raises(Refused, match="nothing narrows it"):
        shown(messages, selection)
    with pytest.raises(Refused, match="nothing narrows it"):
        await run(messages, selection)


async def test_a_thousand_ids_are_enough(messages: Storage) -> None:
    assert len(shown(messages, Selection(ids=tuple(f"msg-{n}" for n in range(1000))))) == 1000
    with pytest.raises(Refused, match="at most 1000"):
        shown(messages, Selection(ids=tuple(f"msg-{n}" for n in range(1001))))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(quarantined=True), {"msg-0002": True, "msg-0003": True}),
        (Selection(connection="stripe"), {"msg-0003": True}),
        (Selection(connection="salesforce", all=True), {"msg-0001": True, "msg-0002": True, "msg-0004": False}),
        (Selection(since_ms=stored.NOW_MS + 3), {"msg-0003": True}),
        (Selection(until_ms=stored.NOW_MS + 3), {"msg-0002": True}),
        (Selection(ids=("msg-0001", "nobody", "msg-0005")), {"msg-0001": True, "nobody": False, "msg-0005": False}),
    ],
)
async def test_what_a_selection_means(messages: Storage, selection: Selection, expected: dict[str, bool]) -> None:
    before = states(messages)
    assert shown(messages, selection) == expected
    assert states(messages) == before


async def test_a_quarantined_message_is_offered_again_and_its_open_item_released(messages: Storage) -> None:
    await messages.put(stored.item(1, transaction_id="", message_id="msg-0002"))
    done, nudges = await run(messages, Selection(ids=("msg-0002",)))
    assert [one.will for one in done] == [True]
    assert states(messages)["msg-0002"] == "kept"
    assert states(messages)["msg-0003"] == "quarantined"
    item = messages.database.read_now(lambda c: c.execute(select(exception_table)).one())
    assert (item.state, item.closed_by) == ("released", "jo")
    audit = messages.database.read_now(lambda c: c.execute(select(audit_table.c.action, audit_table.c.actor)).all())
    assert [tuple(one) for one in audit] == [("message.replayed", "jo"), ("exception.released", "jo")]
    assert nudges == ["pump"]


async def test_more_messages_than_one_commit_holds_are_all_replayed(storage: Storage) -> None:
    await storage.put(*(stored.message(n, state="quarantined") for n in range(1, 452)))
    done, _ = await run(storage, Selection(quarantined=True))
    assert len(done) == 451
    assert set(states(storage).values()) == {"kept"}


@pytest.mark.parametrize(
    ("changed", "will"),
    [
        ({"state": "completed", "turn": 2}, True),
        ({"state": "waiting", "waiting_for": "vendor", "turn": 1}, True),
        ({"state": "waiting", "waiting_for": "lane", "turn": 0}, False),
        ({"state": "running", "turn": 1, "due_rank": 5}, False),
        ({"state": "exception"}, False),
        ({"state": "compensated"}, False),
        ({"state": "cancelled"}, False),
    ],
)
async def test_which_transactions_can_be_driven_again(
    storage: Storage, changed: dict[str, object], *, will: bool
) -> None:
    row = stored.transaction(1, **changed)
    await storage.put(row)
    engine = Idle()
    await run(storage, Selection(ids=(row.transaction_id,)), engine=engine)
    after = storage.database.read_now(lambda c: c.execute(select(transaction_table)).one())
    assert shown(storage, Selection(ids=(row.transaction_id,))) == {row.transaction_id: False}
    assert (after.changed_at_ms != row.changed_at_ms) is will
    assert (after.due_rank is not None) is (will or "due_rank" in changed)
    assert engine.left_alone == ([row.transaction_id] if will else [])


async def test_a_completed_transaction_waits_until_its_lane_is_free(storage: Storage) -> None:
    await storage.put(stored.transaction(1, lane="one"), stored.transaction(2, lane="one", state="running", turn=1))
    await run(storage, Selection(ids=(f"tx-{1:024x}",)))
    query = select(transaction_table).order_by(transaction_table.c.transaction_id)
    first, second = storage.database.read_now(lambda c: c.execute(query).all())
    assert (first.state, first.waiting_for, first.due_rank) == ("waiting", "lane", None)
    assert second.turn == 1
