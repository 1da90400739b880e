"""A connection is asked no more than it allows, finance first, and nobody for ever last."""

import asyncio
import time

import pytest

from accordant.connector.budget import Budget, Limits, Quota
from accordant.kernel.clock import ManualClock, SystemClock
from accordant.kernel.errors import RateLimited
from accordant.kernel.priority import Priority


async def test_no_more_calls_at_once_than_there_are_places() -> None:
    budget = Budget(Limits(concurrency=3), clock=SystemClock())
    at_once = most = 0

    async def call() -> None:
        nonlocal at_once, most
        if not budget.try_enter():
            await budget.enter(Priority.CUSTOMER)
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        budget.leave()

    await asyncio.gather(*(call() for _ in range(50)))
    assert most == 3
    assert budget.snapshot().in_flight == 0
    assert budget.snapshot().admitted_total == 50


async def served(budget: Budget, asked: list[tuple[str, Priority, float]], clock: ManualClock) -> list[str]:
    """Names in the order served, one place being busy while all of them ask."""
    order: list[str] = []
    assert budget.try_enter()

    async def call(name: str, priority: Priority) -> None:
        await budget.enter(priority)
        order.append(name)
        budget.leave()

    calls: list[asyncio.Task[None]] = []
    for name, priority, later_s in asked:
        clock.advance(later_s)
        calls.append(asyncio.create_task(call(name, priority)))
        await asyncio.sleep(0)
    assert budget.snapshot().waiting == len(asked)
    budget.leave()
    await asyncio.gather(*calls)
    return order


async def test_finance_goes_first_and_equals_in_the_order_they_came() -> None:
    clock = ManualClock()
    asked = [
        ("poll", Priority.BACKGROUND, 0.0),
        ("ticket", Priority.CUSTOMER, 0.001),
        ("ticket 2", Priority.CUSTOMER, 0.0),
        ("invoice", Priority.FINANCE, 0.001),
        ("invoice 2", Priority.FINANCE, 0.0),
    ]
    order = await served(Budget(Limits(concurrency=1), clock=clock), asked, clock)
    assert order == ["invoice", "invoice 2", "ticket", "ticket 2", "poll"]


async def test_waiting_makes_work_older_and_age_beats_class() -> None:
    clock = ManualClock()
    asked = [
        ("poll", Priority.BACKGROUND, 0.0),
        ("ticket", Priority.CUSTOMER, 0.0),
        ("finance at 59 s", Priority.FINANCE, 59.0),
        ("finance at 61 s", Priority.FINANCE, 2.0),
        ("finance at 601 s", Priority.FINANCE, 540.0),
    ]
    order = await served(Budget(Limits(concurrency=1), clock=clock), asked, clock)
    assert order == ["finance at 59 s", "ticket", "finance at 61 s", "poll", "finance at 601 s"]


async def test_nobody_overtakes_those_who_wait() -> None:
    budget = Budget(Limits(concurrency=1), clock=SystemClock())
    assert budget.try_enter()
    waiting = asyncio.create_task(budget.enter(Priority.BACKGROUND))
    await asyncio.sleep(0)
    budget.leave()
    assert not budget.try_enter()
    await waiting
    budget.leave()
    assert budget.try_enter()


async def test_nobody_overtakes_when_a_pause_is_just_over() -> None:
    clock = ManualClock()
    budget = Budget(Limits(), clock=clock)
    budget.pause(0.05)
    waiting = asyncio.create_task(budget.enter(Priority.BACKGROUND))
    await asyncio.sleep(0)
    clock.advance(1)
    assert not budget.try_enter()
    await waiting
    assert budget.try_enter()


async def test_the_rate_is_kept_and_nearly_used_up() -> None:
    budget = Budget(Limits(concurrency=8, rate_per_s=200), clock=SystemClock())
    began = time.monotonic()

    async def call() -> None:
        if not budget.try_enter():
            await budget.enter(Priority.CUSTOMER)
        budget.leave()

    await asyncio.gather(*(call() for _ in range(220)))
    took_s = time.monotonic() - began
    assert 0.95 <= took_s < 1.3, "220 calls at 200 a second, of which a tenth of a second was saved up"


async def test_an_idle_hour_saves_up_a_tenth_of_a_second() -> None:
    clock = ManualClock()
    budget = Budget(Limits(rate_per_s=50), clock=clock)
    clock.advance(3600)
    assert [budget.try_enter() for _ in range(6)] == [True] * 5 + [False]


async def test_a_pause_stops_everybody_and_saves_nothing_up() -> None:
    clock = ManualClock()
    budget = Budget(Limits(rate_per_s=50), clock=clock)
    budget.pause(3)
    budget.pause(1)
    clock.advance(2.9)
    assert not budget.try_enter()
    assert budget.snapshot().paused_for_s == pytest.approx(0.1)
    clock.advance(0.2)
    assert [budget.try_enter(), budget.try_enter()] == [True, False]


async def test_a_short_pause_is_waited_out_in_order() -> None:
    budget = Budget(Limits(), clock=SystemClock())
    budget.pause(0.1)
    order: list[Priority] = []

    async def call(priority: Priority) -> None:
        await budget.enter(priority)
        order.append(priority)

    began = time.monotonic()
    await asyncio.gather(*(call(priority) for priority in (Priority.BACKGROUND, Priority.FINANCE)))
    assert order == [Priority.FINANCE, Priority.BACKGROUND]
    assert time.monotonic() - began >= 0.1


async def test_a_long_pause_sends_everybody_away_with_its_length() -> None:
    budget = Budget(Limits(concurrency=1), clock=SystemClock(), name="acme")
    assert budget.try_enter()
    waiting = [asyncio.create_task(budget.enter(Priority.FINANCE)) for _ in range(3)]
    await asyncio.sleep(0)
    budget.pause(60)
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, RateLimited)
        assert outcome.retry_after_s is not None
        assert 59 < outcome.retry_after_s <= 60
    with pytest.raises(RateLimited, match="acme"):
        await budget.enter(Priority.FINANCE)


async def test_the_daily_quota_ends_at_midnight() -> None:
    clock = ManualClock(1_700_006_390_000)  # ten seconds before 00:00 UTC
    budget = Budget(Limits(daily_quota=2), clock=clock)
    assert [budget.try_enter(), budget.try_enter(), budget.try_enter()] == [True, True, False]
    with pytest.raises(RateLimited) as caught:
        await budget.enter(Priority.FINANCE)
    assert caught.value.retry_after_s == 10
    assert budget.snapshot().share_used_pct == 100
    clock.advance(10)
    assert budget.try_enter()


async def test_those_who_wait_when_the_quota_ends_are_told() -> None:
    budget = Budget(Limits(concurrency=1, daily_quota=1), clock=ManualClock())
    assert budget.try_enter()
    with pytest.raises(RateLimited):
        await budget.enter(Priority.FINANCE)


async def test_the_vendors_last_word_counts() -> None:
    clock = ManualClock()
    budget = Budget(Limits(), clock=clock)
    budget.learn(Quota(limit=15_000, remaining=3_000))
    assert budget.snapshot().share_used_pct == 80
    assert budget.try_enter()
    budget.learn(Quota(limit=15_000, remaining=0))
    assert not budget.try_enter()
    clock.advance(901)
    assert budget.try_enter(), "a rolling day frees calls before midnight, so it is asked again"


@pytest.mark.parametrize("granted_first", [True, False])
async def test_a_caller_who_gives_up_takes_no_place_along(granted_first: bool) -> None:
    budget = Budget(Limits(concurrency=1), clock=SystemClock())
    assert budget.try_enter()
    waiting = asyncio.create_task(budget.enter(Priority.FINANCE))
    await asyncio.sleep(0)
    if granted_first:
        budget.leave()
        waiting.cancel()
    else:
        waiting.cancel()
        await asyncio.sleep(0)
        budget.leave()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert budget.snapshot().in_flight == 0
    assert budget.snapshot().waiting == 0
    assert budget.try_enter()


async def test_share_used_is_measured_over_ten_seconds() -> None:
    clock = ManualClock()
    budget = Budget(Limits(concurrency=4, rate_per_s=10), clock=clock)
    for _ in range(50):
        assert budget.try_enter()
        clock.advance(0.2)
        budget.leave()
    assert budget.snapshot().share_used_pct == 50
    assert budget.snapshot().busy_place_s == pytest.approx(10)


async def test_a_place_costs_microseconds_when_nobody_waits() -> None:
    budget = Budget(Limits(), clock=SystemClock())
    began = time.perf_counter()
    for _ in range(20_000):
        budget.try_enter()
        budget.leave()
    assert (time.perf_counter() - began) / 20_000 < 20e-6
