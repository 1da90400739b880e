"""A part of the platform that ends by itself is said so, and ends the process: nothing stands still in silence."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from accordant.backbone.rows import cursor_table
from accordant.backbone.rows.arrivals import CursorRow
from accordant.kernel import failpoints
from accordant.kernel.database import Changes, StorageLost, Writer
from tests.backbone.conformance.rig import Rig


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


async def _steps(tx: Any, event: Any, *, vendor: Any) -> None:
    await tx.effect("write", vendor.operation(event.order))


@pytest.mark.parametrize("place", ["journal.refill:before", "journal.dispatch:before", "engine.wake:before"])
async def test_an_engine_whose_loop_crashed_says_so(place: str, url: str) -> None:
    rig = Rig("journal", url, steps=_steps)
    await rig.start()
    crashed = asyncio.Event()
    rig.engine.on_crashed = crashed.set
    failpoints.arm(failpoints.parse(f"{place}@1=fail"))
    if place.startswith("engine.wake"):
        rig.vendor.plan["o-1"] = ["down"] * 9
    await rig.tell("o-1")

    async def pass_time() -> None:
        while True:
            await asyncio.sleep(0.02)
            rig.clock.advance(30)

    passing = asyncio.create_task(pass_time())
    await asyncio.wait_for(crashed.wait(), 20)
    passing.cancel()
    await rig.stop()


async def test_a_writer_that_crashed_tells_whoever_waits(writer: Writer) -> None:
    lost: list[BaseException] = []
    writer.on_lost = lost.append
    failpoints.arm(failpoints.parse("writer.group:before@1=fail"))
    changes = Changes()
    changes.put(cursor_table, CursorRow(connection="c", stream="s", cursor="1", at_ms=1))
    with pytest.raises(StorageLost, match="InjectedFailure"):
        await asyncio.wait_for(writer.commit(changes, at="test"), 20)
    assert len(lost) == 1
    with pytest.raises(StorageLost):
        await writer.commit(changes, at="test")
