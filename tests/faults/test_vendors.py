"""A vendor's line is cut at every kind of place; what is said of the outcome is true, and nothing is applied twice."""

import asyncio
from pathlib import Path

import pytest

from accordant.kernel.errors import Unavailable, Unknown
from accordant.proving.proxy import Fault
from tests.faults.vendors import VENDORS, Bench, Broken, bench

each_vendor = pytest.mark.parametrize("one", VENDORS, ids=lambda one: one.name)


async def settled(running: Bench, *, applied_before: bool) -> None:
    """The network is well again: a look tells the truth, and sending again leaves it applied once."""
    running.proxy.heal()
    assert bool(running.applied(2)) is applied_before
    applied = await running.send(2)
    assert applied.receipt.business_id
    lines = running.applied(2)
    if running.one.creates:
        assert [line["change"] for line in lines].count("create") == 1
    assert len({line["native_id"] for line in lines}) == 1
    assert len({line["amount_minor"] for line in lines}) == 1


@each_vendor
@pytest.mark.parametrize("position", ["none of it", "one byte", "all but one byte"])
async def test_an_answer_cut_off_leaves_the_outcome_unknown(one: Broken, position: str, tmp_path: Path) -> None:
    async with bench(one, tmp_path / "measured") as measured:
        before = measured.answered()
        await measured.send(2)
        size = measured.answered() - before
    cut = {"none of it": 0, "one byte": 1, "all but one byte": size - 1}[position]
    async with bench(one, tmp_path / "cut") as running:
        running.proxy.arm(Fault(cut_response_after=cut, times=1))
        with pytest.raises(Unknown):
            await running.send(2)
        assert running.proxy.did["cut_response"] == 1
        await settled(running, applied_before=True)


@each_vendor
async def test_a_request_cut_off_in_the_middle_is_unknown_and_was_not_applied(one: Broken, tmp_path: Path) -> None:
    async with bench(one, tmp_path) as running:
        running.proxy.arm(Fault(cut_request_after=200, times=1))
        with pytest.raises(Unknown):
            await running.send(2)
        assert running.proxy.did["cut_request"] == 1
        await settled(running, applied_before=False)


@each_vendor
async def test_a_line_that_swallows_everything_is_unknown_after_the_time_limit(one: Broken, tmp_path: Path) -> None:
    async with bench(one, tmp_path, timeout_s=0.4) as running:
        running.proxy.arm(Fault(half_open=True))
        with pytest.raises(Unknown):
            await running.send(2)
        assert running.proxy.did["swallowed"] == 1
        await settled(running, applied_before=False)


@each_vendor
async def test_a_connection_ended_as_soon_as_it_was_made_is_never_a_refusal(one: Broken, tmp_path: Path) -> None:
    async with bench(one, tmp_path) as running:
        running.proxy.cut_all()
        running.proxy.arm(Fault(close_after_accept=True))
        for _ in range(2):  # the first may still meet the old connection
            with pytest.raises((Unknown, Unavailable)):
                await running.send(2)
        assert running.proxy.did["close_after_accept"] >= 1
        await settled(running, applied_before=False)


@each_vendor
async def test_a_port_that_nobody_listens_on_was_surely_not_sent_to(one: Broken, tmp_path: Path) -> None:
    async with bench(one, tmp_path) as running:
        await running.send(1)
        await running.proxy.refuse()
        outcomes: list[type[Exception]] = []
        for _ in range(2):  # the first may still meet the old connection
            with pytest.raises((Unknown, Unavailable)) as failed:
                await running.send(2)
            outcomes.append(failed.type)
        assert outcomes[-1] is Unavailable
        await running.proxy.open()
        await settled(running, applied_before=False)


@each_vendor
async def test_a_slow_line_delivers_all_the_same(one: Broken, tmp_path: Path) -> None:
    async with bench(one, tmp_path) as running:
        running.proxy.arm(Fault(latency_s=0.05, bytes_per_s=20_000))
        assert (await running.send(2)).receipt.business_id
        assert running.proxy.did["delayed"] >= 2
        assert len(running.applied(2)) == 1


async def test_a_vendor_that_is_slow_slows_no_other(tmp_path: Path) -> None:
    slow, quick = VENDORS[0], VENDORS[2]
    async with bench(slow, tmp_path / "slow") as late, bench(quick, tmp_path / "quick") as prompt:
        late.proxy.arm(Fault(latency_s=2.0))
        waiting = [asyncio.create_task(late.send(n)) for n in range(2, 12)]
        await asyncio.sleep(0.05)
        for n in range(2, 12):
            await prompt.send(n)
        assert not any(one.done() for one in waiting)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
