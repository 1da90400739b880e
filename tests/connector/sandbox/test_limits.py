"""Limits refuse what the vendor would refuse, name the time to wait, and are counted."""

import asyncio
from typing import Any


async def test_the_rate_refuses_the_fourth_call_and_refills(acme: Any) -> None:
    async with acme(limits="real") as caller:
        assert [await caller.create(f"C-{number}") for number in range(3)] == [201, 201, 201]
        status, body, headers = await caller.ask("POST", "/customers", body={"ref": "C-3"})
        assert (status, body["limit"], headers["Retry-After"]) == (429, "rate", "20")
        await caller.admin("POST", "clock", {"advance_s": 19.9})
        assert await caller.create("C-3") == 429
        await caller.admin("POST", "clock", {"advance_s": 0.2})
        assert await caller.create("C-3") == 201
        await caller.admin("POST", "clock", {"advance_s": 1})
        assert await caller.create("C-4") == 429  # what was refilled is spent
        limits = (await caller.admin("GET", "counters"))["limits"]
        assert limits["by_limit"]["rate"] == {"allowed": 3, "window_s": 60.0, "used": 4, "refused": 3}
        assert (limits["used"], limits["refused"]) == (4, 3)
        assert len(caller.ledger()) == 4


async def test_a_refused_call_uses_up_no_other_limit(acme: Any) -> None:
    async with acme(limits="real") as caller:
        for number in range(20):
            await caller.create(f"C-{number}")
        assert (await caller.admin("GET", "counters"))["limits"]["by_limit"]["daily"]["used"] == 3


async def test_the_daily_quota_ends(acme: Any) -> None:
    async with acme(limits="real") as caller:
        answers = [(await caller.ask("GET", "/customers"))[0] for _ in range(9)]
        assert answers == [200] * 8 + [429]


async def test_calls_at_the_same_time_are_capped_and_released(acme: Any) -> None:
    async with acme(limits="real") as caller:
        await caller.fault("slow", operation="customer.list", delay_s=0.2)
        together = await asyncio.gather(*(caller.ask("GET", "/customers") for _ in range(3)))
        assert sorted(status for status, _, _ in together) == [200, 429, 429]
        assert (await caller.ask("GET", "/customers"))[0] == 200


async def test_a_limit_per_subject_counts_each_alone(acme: Any) -> None:
    async with acme(limits="real") as caller:
        answers = [(await caller.ask("GET", f"/customers/{name}"))[0] for name in ("a", "b", "a")]
        assert answers == [404, 404, 429]


async def test_limits_off_count_but_never_refuse(acme: Any) -> None:
    async with acme() as caller:
        assert {await caller.create(f"C-{number}") for number in range(20)} == {201}
        limits = (await caller.admin("GET", "counters"))["limits"]
        assert (limits["enforced"], limits["used"], limits["refused"]) == (False, 20, 0)
