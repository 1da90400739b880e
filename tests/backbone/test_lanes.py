"""Lanes against a model made of plain lists: one at a time, in the source's order, nobody forgotten."""

import asyncio
import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from accordant.backbone import lanes, waits
from accordant.backbone.engine.due import stranded
from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.rows import TransactionRow, transaction_table
from accordant.kernel.database import Changes, Database, Writer
from accordant.telemetry.audit import AuditChain

LANES = ("north", "south")
ACTIONS = ("complete", "park before", "park after", "release", "sleep", "wake")


def opened(name: str, lane: str, seq: int) -> TransactionRow:
    zero = dict.fromkeys(TransactionRow.__struct_fields__, "")
    numbers = dict.fromkeys(("flow_version", "turn", "drives", "effects", "estate_version", "changed_at_ms"), 0)
    absent = dict.fromkeys(("due_rank", "wake_at_ms", "amount_minor", "ended_at_ms"))
    fields = {**zero, **numbers, **absent, "transaction_id": name, "lane": lane, "lane_seq": seq}
    return msgspec.convert(
        {**fields, "priority": 2, "opened_at_ms": seq, "state": "waiting", "waiting_for": "lane"}, TransactionRow
    )


class Model:
    """What should be true, without a database."""

    def __init__(self) -> None:
        self.lane: dict[str, str] = {}
        self.seq: dict[str, int] = {}
        self.place: dict[str, str] = {}
        """queued, head, held (head in a person's hands), parked, asleep or gone."""

    def queue(self, name: str, lane: str, seq: int) -> None:
        self.lane[name], self.seq[name], self.place[name] = lane, seq, "queued"
        self.seat(lane)

    def move(self, name: str, place: str) -> None:
        self.place[name] = place
        self.seat(self.lane[name])

    def seat(self, lane: str) -> None:
        mine = [name for name, one in self.lane.items() if one == lane]
        if any(self.place[name] in {"head", "held"} for name in mine):
            return
        queued = [name for name in mine if self.place[name] == "queued"]
        if queued:
            self.place[min(queued, key=lambda name: (self.seq[name], name))] = "head"

    def at(self, *places: str) -> list[str]:
        return sorted(name for name, place in self.place.items() if place in places)


class Lanes:
    """The same, done as the driver and the desk do it."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self.database = database
        self.writer = writer
        self.model = Model()

    def row(self, name: str) -> TransactionRow:
        query = select(transaction_table).where(transaction_table.c.transaction_id == name)
        return self.database.read_now(lambda c: TransactionRow(**c.execute(query).mappings().one()))

    async def put(self, row: TransactionRow, **changed: object) -> None:
        changes = Changes()
        changes.put(transaction_table, msgspec.structs.replace(row, **changed))
        lanes.wake(changes, row.lane)
        await self.writer.commit(changes, at="test")

    async def route(self, name: str, lane: str, seq: int) -> None:
        changes = Changes()
        changes.add(transaction_table, opened(name, lane, seq))
        lanes.wake(changes, lane)
        await self.writer.commit(changes, at="test")
        self.model.queue(name, lane, seq)

    async def act(self, action: str, dice: random.Random) -> None:
        allowed = {"release": ("parked", "held"), "wake": ("asleep",)}.get(action, ("head",))
        candidates = self.model.at(*allowed)
        if not candidates:
            return
        name = dice.choice(candidates)
        row, left = self.row(name), {"turn": lanes.LEFT, "due_rank": None}
        if action == "complete":
            await self.put(row, **left, state="completed")
            self.model.move(name, "gone")
        elif action == "park before":
            await self.put(row, **left, state="exception")
            self.model.move(name, "parked")
        elif action == "park after":
            await self.put(row, state="exception", due_rank=None)
            self.model.move(name, "held")
        elif action == "sleep":
            await self.put(row, **left, state="waiting", waiting_for="timer", wake_at_ms=5)
            self.model.move(name, "asleep")
        elif action == "release":
            await self.release(row)
        else:
            await self.wake_all()

    async def release(self, row: TransactionRow) -> None:
        name = row.transaction_id
        if self.model.place[name] == "held":
            await self.put(row, state="running", due_rank=1)
            self.model.move(name, "head")
        else:
            seq = 1000 + row.lane_seq
            await self.put(row, state="waiting", waiting_for="lane", turn=lanes.WAITS, lane_seq=seq)
            self.model.seq[name] = seq
            self.model.move(name, "queued")

    async def wake_all(self) -> None:
        changes = Changes()
        waits.wake_sleepers(changes, 10)
        await self.writer.commit(changes, at="test")
        woken = self.model.at("asleep")
        for name in woken:
            self.model.place[name] = "queued"
        for name in woken:
            self.model.seat(self.model.lane[name])

    def check(self) -> None:
        names = {lanes.WAITS: ("queued",), lanes.HAS_TURN: ("head", "held"), lanes.LEFT: ("parked", "asleep", "gone")}
        tx = transaction_table.c
        rows = self.database.read_now(
            lambda c: c.execute(select(tx.transaction_id, tx.turn, tx.due_rank, tx.state)).all()
        )
        for turn, places in names.items():
            assert sorted(row.transaction_id for row in rows if row.turn == turn) == self.model.at(*places)
        for row in rows:
            assert (row.due_rank is not None) == (self.model.place[row.transaction_id] == "head")
            assert (row.state == "running") == (self.model.place[row.transaction_id] == "head")
        assert self.database.read_now(stranded) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("route"), st.sampled_from(LANES), st.integers(1, 9)),
        st.tuples(st.sampled_from(ACTIONS), st.just(""), st.integers(0, 99)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_lanes_do_what_the_model_does(database: Database, steps: list[tuple[str, str, int]]) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM business_transaction"))

    async def play() -> None:
        writer = Writer(database, chain=AuditChain("model"), follow_ups=FOLLOW_UPS)
        writer.start()
        here = Lanes(database, writer)
        for number, (action, lane, value) in enumerate(steps):
            if action == "route":
                await here.route(f"tx{number:02}", lane, value)
            else:
                await here.act(action, random.Random(value))
            here.check()
        await writer.stop()

    asyncio.run(play())


async def test_what_happens_in_one_group_ends_as_if_one_by_one(database: Database, writer: Writer) -> None:
    here = Lanes(database, writer)
    await asyncio.gather(*(here.route(f"tx{n}", "north", 9 - n) for n in range(5)))
    # All five were routed in the first groups; whoever was first in got the turn, the others follow by sequence.
    head = here.model.at("head")
    order = list(head)
    for _ in range(5):
        row = next(here.row(name) for name in here.model.place if here.row(name).turn == lanes.HAS_TURN)
        order.append(row.transaction_id)
        await here.put(row, turn=lanes.LEFT, state="completed", due_rank=None)
    later = order[2:]
    assert later == sorted(later, key=lambda name: 9 - int(name[2:]))
    assert database.read_now(stranded) == 0


async def test_the_database_itself_refuses_a_second_head(database: Database, writer: Writer) -> None:
    here = Lanes(database, writer)
    await here.route("a", "north", 1)
    await here.route("b", "north", 2)
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.execute(update(transaction_table).where(transaction_table.c.transaction_id == "b").values(turn=1))
