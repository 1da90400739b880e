"""The line to PostgreSQL is cut at every kind of place; groups are written once, reads are refused, then answered."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import make_url, text

from accordant.backbone.engine.ownership import ownership_of
from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.rows import memo_table
from accordant.canonical.operation import EffectClass
from accordant.kernel import failpoints
from accordant.kernel.clock import SystemClock
from accordant.kernel.database import Database, NotRead, Writer
from accordant.kernel.errors import Refused
from accordant.proving.proxy import Fault
from accordant.telemetry.audit import continue_chain, verify_chain
from tests.backbone.conformance.rig import Rig
from tests.faults.aside import Aside, aside
from tests.faults.cluster import Cluster
from tests.kernel.database.rows import add, audit_of, audited, memos

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]


@pytest.fixture
def proxy(mortal: Cluster) -> Iterator[Aside]:
    with aside(mortal.port, seed=2) as one:
        yield one


@pytest.fixture
def far_url(mortal_url: str, proxy: Aside) -> str:
    """The database, as seen through the proxy."""
    return make_url(mortal_url).set(port=proxy.port).render_as_string(hide_password=False)


@pytest.fixture
async def far(far_url: str) -> AsyncIterator[Database]:
    database = Database(far_url)
    yield database
    await asyncio.to_thread(database.close)


@pytest.fixture
async def far_writer(far: Database) -> AsyncIterator[Writer]:
    chain = await far.read(lambda c: continue_chain(c, "main"))
    one = Writer(far, chain=chain, follow_ups=FOLLOW_UPS)
    one.start()
    yield one
    await one.stop()


@contextmanager
def at(place: str, act: Callable[[], None]) -> Iterator[list[str]]:
    """Do something the first time that a place is reached."""
    reached: list[str] = []

    def reach(here: str) -> None:
        if here == place and not reached:
            reached.append(here)
            act()

    failpoints.arm(reach)
    try:
        yield reached
    finally:
        failpoints.arm(None)


FAULTS = {
    "the request never arrives": Fault(cut_request_after=0, times=1),
    "half of the request arrives": Fault(cut_request_after=7, times=1),
    "the answer never arrives": Fault(cut_response_after=0, times=1),
    "half of the answer arrives": Fault(cut_response_after=5, times=1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("place", ["database.begin:before", "database.begin:after", "database.commit:before"])
async def test_a_cut_line_neither_loses_nor_doubles_a_group(
    far: Database, far_writer: Writer, proxy: Aside, *, place: str, fault: str
) -> None:
    """BEGIN, the statement that follows it, COMMIT: the request or its answer is cut off."""
    await far_writer.commit(audited(add("before"), "before"), at="test")
    with at(place, lambda: proxy.arm(FAULTS[fault])) as reached:
        told = await asyncio.wait_for(
            asyncio.gather(*(far_writer.commit(audited(add(f"tx{n}"), f"tx{n}"), at="test") for n in range(3))), 20
        )
    assert reached
    assert proxy.did["cut_request"] + proxy.did["cut_response"] == 1
    assert all(one.is_new(memo_table, f"tx{n}") for n, one in enumerate(told))
    await far_writer.commit(audited(add("after"), "after"), at="test")
    assert sorted(await far.read(lambda c: list(c.execute(text("SELECT transaction_id FROM memo")).scalars()))) == [
        "after",
        "before",
        "tx0",
        "tx1",
        "tx2",
    ]
    assert [n for n, _ in await asyncio.to_thread(audit_of, far)] == [1, 2, 3, 4, 5]


async def test_a_read_is_refused_while_the_line_is_down_and_answered_afterwards(
    far: Database, far_writer: Writer, proxy: Aside
) -> None:
    await far_writer.commit(add("tx"), at="test")
    proxy.refuse()
    with pytest.raises(NotRead):
        await far.read(lambda c: c.execute(text("SELECT 1")).scalar())
    proxy.open()
    assert list(await asyncio.to_thread(memos, far)) == ["tx"]


async def test_lines_that_break_all_the_time_lose_and_double_nothing(
    far: Database, far_writer: Writer, proxy: Aside
) -> None:
    """A seeded swarm: each new connection is cut after some bytes, in one direction or the other."""
    cuts: list[Callable[[random.Random], Fault]] = [
        lambda rng: Fault(cut_request_after=rng.randrange(200, 9_000)),
        lambda rng: Fault(cut_response_after=rng.randrange(400, 4_000)),
        lambda rng: Fault(latency_s=0.002),
    ]
    proxy.swarm(lambda rng: rng.choice(cuts)(rng))
    proxy.cut_all()
    for start in range(0, 400, 40):
        told = await asyncio.wait_for(
            asyncio.gather(
                *(far_writer.commit(audited(add(f"tx{n}"), f"tx{n}"), at="test") for n in range(start, start + 40))
            ),
            60,
        )
        assert all(one.is_new(memo_table, f"tx{start + n}") for n, one in enumerate(told))
    proxy.heal()
    proxy.cut_all()
    assert proxy.did["cut_request"] + proxy.did["cut_response"] >= 5
    assert len(await asyncio.to_thread(memos, far)) == 400
    verdict = await asyncio.to_thread(far.read_now, verify_chain)
    assert (verdict.valid, verdict.entries) == (True, 400)


async def test_the_owner_takes_its_lock_again_unless_somebody_else_has_it(
    far: Database, mortal_url: str, proxy: Aside
) -> None:
    """The line breaks for longer than one try; whoever comes meanwhile is owner, and we learn it."""
    lost = threading.Event()
    near = Database(mortal_url)
    ours, theirs = ownership_of(far, on_lost=lost.set), ownership_of(near, on_lost=lambda: None)
    await ours.take()
    proxy.refuse()
    await asyncio.sleep(4)
    proxy.open()
    for _ in range(100):
        await asyncio.sleep(0.1)
        try:
            await theirs.take()
        except Refused:
            break  # we have it again
        await theirs.release()
    assert not lost.is_set()
    proxy.refuse()
    for _ in range(50):
        await asyncio.sleep(0.1)
        try:
            await theirs.take()
            break
        except Refused:
            continue
    proxy.open()
    assert await asyncio.to_thread(lost.wait, 10)
    await ours.release()
    await theirs.release()
    near.close()


async def test_a_lock_that_the_server_holds_for_our_dead_session_is_taken_back(far: Database, proxy: Aside) -> None:
    """Only our side of the line broke: the server knows nothing of it, and would hold the lock for nobody."""
    lost = threading.Event()
    ours = ownership_of(far, on_lost=lost.set)
    await ours.take()
    held: Any = ours
    held._connection.connection.driver_connection.close = lambda: None  # the server is not told
    ghost = held._connection.connection.driver_connection
    assert await asyncio.to_thread(held._retake)
    assert ghost is not held._connection.connection.driver_connection
    assert not lost.is_set()
    await ours.release()


@pytest.mark.parametrize("fault", [pytest.param("cut", marks=pytest.mark.campaign), "half_open"])
async def test_a_worker_cut_off_from_its_database_while_a_vendor_works(
    far_url: str, proxy: Aside, *, fault: str
) -> None:
    """What was sent is settled when the line is back, and sent no second time where that would double it."""

    async def steps(tx: object, event: object, *, vendor: object) -> None:
        for kind in (EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP):
            operation = rig.vendor.operation(f"{event.order}/{kind.name}", kind)  # pyright: ignore[reportAttributeAccessIssue]
            await tx.effect(kind.name, operation)  # pyright: ignore[reportAttributeAccessIssue]

    rig = Rig("journal", far_url, steps=steps)
    rig.clock = SystemClock()  # pyright: ignore[reportAttributeAccessIssue]
    rig.sleep = asyncio.sleep
    rig.ticking = False
    await rig.start()
    real, calls = rig.vendor._send, [0]

    async def cut_off(*arguments: object) -> object:
        answer = await real(*arguments)  # pyright: ignore[reportArgumentType]
        calls[0] += 1
        if calls[0] in (2, 6, 11):  # the vendor has done it; its answer finds us without a database
            if fault == "cut":
                proxy.refuse()
            else:
                proxy.arm(Fault(half_open=True))
            threading.Timer(1.0, back).start()
        return answer

    def back() -> None:
        proxy.heal()
        if fault == "cut":
            proxy.open()

    rig.vendor._send = cut_off  # pyright: ignore[reportAttributeAccessIssue]
    for n in range(6):
        await rig.tell(f"o{n}")
    await until(lambda: done(rig) == 6, within_s=40)
    applied = [business_id for business_id, _ in rig.vendor.applied]
    assert sorted(applied) == sorted(f"o{n}/{kind}" for n in range(6) for kind in ("NATIVE_KEY", "UPSERT", "LOOKUP"))
    assert proxy.did["refused"] + proxy.did["swallowed"] >= 3
    rig.check()
    await rig.stop()


def done(rig: Rig) -> int:
    try:
        return sum(row.state == "completed" for row in rig.transactions())
    except NotRead:
        return 0


async def until(holds: Callable[[], bool], *, within_s: float) -> None:
    give_up_at = asyncio.get_running_loop().time() + within_s
    while not await asyncio.to_thread(holds):
        assert asyncio.get_running_loop().time() < give_up_at
        await asyncio.sleep(0.1)
