"""Webhooks arrive as a vendor sends them: late, twice, shuffled, not at all, and again after a refusal."""

import asyncio
from collections import Counter
from typing import Any


async def _drained(caller: Any) -> dict[str, int]:
    for _ in range(200):
        report = await caller.admin("GET", "webhooks")
        if report["pending"] == 0:
            return report
        await asyncio.sleep(0.01)
    raise AssertionError("webhooks never drained")


async def _attempted(caller: Any, attempts: int) -> dict[str, int]:
    for _ in range(200):
        report = await caller.admin("GET", "webhooks")
        if report["attempts"] == attempts and not caller.sandbox.sender._running:
            return report
        await asyncio.sleep(0.01)
    raise AssertionError(f"never saw {attempts} attempts")


async def test_each_event_arrives_once(acme: Any, inbox: Any) -> None:
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        for number in range(20):
            await caller.create(f"C-{number}")
        report = await _drained(caller)
    assert Counter(inbox.events) == Counter(f"evt_C-{number}" for number in range(20))
    assert report == {"pending": 0, "delivered": 20, "failed": 0, "dropped": 0, "attempts": 20}


async def test_duplicates_come_between_one_and_five_times(acme: Any, inbox: Any) -> None:
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.fault("webhook_duplicate")
        for number in range(40):
            await caller.create(f"C-{number}")
        await _drained(caller)
    times = Counter(inbox.events)
    assert len(times) == 40
    assert set(times.values()) == {1, 2, 3, 4, 5}


async def test_shuffled_events_all_arrive_in_another_order(acme: Any, inbox: Any) -> None:
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.fault("webhook_shuffle", delay_s=60)
        for number in range(20):
            await caller.create(f"C-{number:02}")
        for _ in range(60):
            await caller.admin("POST", "clock", {"advance_s": 1})
            await asyncio.sleep(0.005)
        await _drained(caller)
    assert sorted(inbox.events) == [f"evt_C-{number:02}" for number in range(20)]
    assert inbox.events != sorted(inbox.events)


async def test_a_dropped_event_never_leaves(acme: Any, inbox: Any) -> None:
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.fault("webhook_drop", operation="customer.*", count=1)
        await caller.create("C-1")
        await caller.create("C-2")
        report = await _drained(caller)
    assert inbox.events == ["evt_C-2"]
    assert report["dropped"] == 1


async def test_a_delayed_event_waits_for_its_time(acme: Any, inbox: Any) -> None:
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.fault("webhook_delay", delay_s=100)
        await caller.create("C-1")
        await asyncio.sleep(0.05)
        assert inbox.events == []
        assert (await caller.admin("GET", "webhooks"))["pending"] == 1
        await caller.admin("POST", "clock", {"advance_s": 101})
        await _drained(caller)
    assert inbox.events == ["evt_C-1"]


async def test_a_refused_event_is_sent_again_on_schedule_and_signed_anew(acme: Any, inbox: Any) -> None:
    inbox.answers = [500, 500]
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.create("C-1")
        await _attempted(caller, 1)
        await caller.admin("POST", "clock", {"advance_s": 59})
        await asyncio.sleep(0.05)
        assert inbox.attempts == ["1"]
        await caller.admin("POST", "clock", {"advance_s": 2})
        await _attempted(caller, 2)
        await caller.admin("POST", "clock", {"advance_s": 3601})
        report = await _drained(caller)
    assert inbox.attempts == ["1", "2", "3"]
    assert (report["delivered"], report["failed"]) == (1, 0)


async def test_it_gives_up_after_the_last_retry(acme: Any, inbox: Any) -> None:
    inbox.answers = [500] * 10
    async with acme(settings={"webhook_url": inbox.url}) as caller:
        await caller.create("C-1")
        for attempt in (1, 2):
            await _attempted(caller, attempt)
            await caller.admin("POST", "clock", {"advance_s": 4000})
        report = await _drained(caller)
    assert inbox.attempts == ["1", "2", "3"]
    assert (report["delivered"], report["failed"]) == (0, 1)


async def test_a_receiver_that_is_away_never_blocks_a_request(acme: Any) -> None:
    async with acme(settings={"webhook_url": "http://127.0.0.1:9/hook"}) as caller:
        assert await caller.create("C-1") == 201
        report = await _attempted(caller, 1)
        assert (report["pending"], report["delivered"]) == (1, 0)
