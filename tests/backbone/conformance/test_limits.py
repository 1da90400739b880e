"""The most urgent first, never too many at once, memory that does not grow with the backlog, one owner."""

import asyncio
import gc
from typing import Any

import pytest

from accordant.backbone.engine.port import Due
from accordant.kernel.errors import Refused
from accordant.kernel.priority import Priority
from tests.backbone.conformance.conftest import Rigs
from tests.backbone.conformance.vendor import Vendor


async def write(tx: Any, event: Any, *, vendor: Vendor) -> None:
    await tx.effect("write", vendor.operation(event.order))


async def test_never_more_at_once_than_allowed(rigs: Rigs) -> None:
    rig = rigs(write)
    rig.in_flight_max = 4
    await rig.start()
    for n in range(40):
        await rig.tell(f"o{n}")
    await rig.settled()
    assert rig.vendor.at_once_max <= 4
    assert len(rig.vendor.applied) == 40


@pytest.mark.parametrize("engine", ["dbos"])
async def test_what_is_handed_out_above_the_limit_waits(rigs: Rigs, engine: str) -> None:
    rig = rigs(write)
    rig.in_flight_max = 2
    await rig.start()
    ids = [await rig.tell(f"o{n}") for n in range(8)]
    await asyncio.gather(*(rig.engine.drive_one(one) for one in ids))
    await rig.settled()
    assert rig.vendor.at_once_max <= 2
    assert len(rig.vendor.applied) == 8


async def test_stopping_lets_what_runs_end_and_begins_nothing(rigs: Rigs) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        entered.set()
        await go_on.wait()
        await tx.effect("write", vendor.operation(event.order))

    rig = rigs(steps)
    rig.in_flight_max = 1
    await rig.start()
    await rig.tell("running")
    await asyncio.wait_for(entered.wait(), 10)
    await rig.tell("waiting")
    stopping = asyncio.create_task(rig.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    go_on.set()
    await asyncio.wait_for(stopping, 20)
    await rig.start()
    assert rig.vendor.times("running") == 1
    await rig.settled()
    assert [row.state for row in rig.transactions()] == ["completed"] * 2
    rig.check()


async def test_a_command_runs_while_nobody_drives_its_transactions(rigs: Rigs) -> None:
    running = list[str]()

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        running.append(event.order)
        await asyncio.sleep(0.1)
        await tx.effect("write", vendor.operation(event.order))
        running.remove(event.order)

    rig = rigs(steps)
    await rig.start()
    ids = [await rig.tell(f"o{n}") for n in range(4)]
    await rig.until(lambda: bool(running))
    seen = list[list[str]]()

    async def act() -> None:
        for _ in range(10):
            seen.append(list(running))
            await asyncio.sleep(0.01)

    await rig.engine.alone(ids, act)
    assert seen == [[]] * 10
    await rig.settled()
    assert len(rig.vendor.applied) == 4


@pytest.mark.parametrize("engine", ["journal"])
async def test_memory_does_not_grow_with_the_backlog(rigs: Rigs, engine: str) -> None:
    most = 0

    async def steps(tx: Any, event: Any, *, vendor: Vendor) -> None:
        nonlocal most
        await tx.effect("write", vendor.operation(event.order))
        if len(rig.vendor.calls) % 250 == 0:
            most = max(most, sum(type(one) is Due for one in gc.get_objects()))

    rig = rigs(steps)
    rig.in_flight_max, rig.window = 32, 64
    await rig.start()
    rig.engine._reserved = _Everything()
    backlog = 5000 if rig.database.is_sqlite else 1500
    for start in range(0, backlog, 500):
        await asyncio.gather(*(rig.tell(f"o{n}") for n in range(start, start + 500)))
    rig.engine._reserved = set()
    rig.engine.nudge()
    await rig.settled(within_s=90)
    assert len(rig.vendor.applied) == backlog
    assert 0 < most <= 64 + 64 + 32, "a page in hand, a page being read, and what is being driven"


class _Everything(set[str]):
    """Holds every id: nothing may be driven yet."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.parametrize("engine", ["journal"])
async def test_urgent_work_goes_first_and_age_beats_class(rigs: Rigs, engine: str) -> None:
    rig = rigs(write, priority=Priority.FINANCE)
    rig.in_flight_max = 1
    rig.ticking = False
    await rig.start()
    hold = asyncio.Event()
    rig.engine._drive, drive = (lambda due: hold.wait()), rig.engine._drive
    await rig.tell("blocker")
    await rig.until(lambda: rig.engine.driving == 1)
    for name, priority, at_s in (
        ("old background", Priority.BACKGROUND, 0),
        ("customer", Priority.CUSTOMER, 591),
        ("finance", Priority.FINANCE, 10),
        ("late finance", Priority.FINANCE, 30),
    ):
        rig.flow = _with(rig.flow, priority)
        rig.flows._by_type[rig.flow.on.type] = [rig.flow]
        rig.clock.advance(at_s)
        await rig.tell(name)
    rig.engine._drive = drive
    hold.set()
    await rig.until(lambda: len(rig.vendor.applied) == 5)
    # Background came 601 s before finance: by then its age has made it the more urgent of the two.
    assert [one for one, _ in rig.vendor.applied][1:] == ["old background", "finance", "late finance", "customer"]


def _with(flow: Any, priority: Priority) -> Any:
    import msgspec

    return msgspec.structs.replace(flow, priority=priority)


@pytest.mark.parametrize("engine", ["journal"])
async def test_a_second_owner_is_refused(rigs: Rigs, engine: str) -> None:
    rig = rigs(write)
    await rig.start()
    from tests.backbone.conformance.rig import Rig

    second = Rig("journal", rig.url, steps=write)
    with pytest.raises(Refused) as refusal:
        await second.start()
    assert refusal.value.code == "engine.owned"
    await second.writer.stop()
    second.database.close()
    await rig.stop()
    await second.start()
    await second.stop()
    rig.lives = 0
