"""Each fault fails the way it says, and applies the write or not as it says."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest

CUT = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError)


@pytest.mark.parametrize(
    ("kind", "status", "problem"),
    [
        ("rate_limited", 429, "rate_limited"),
        ("error_before_apply", 503, "unavailable"),
        ("token_expired", 401, "token_expired"),
    ],
)
async def test_a_fault_before_applies_nothing(acme: Any, kind: str, status: int, problem: str) -> None:
    async with acme() as caller:
        await caller.fault(kind, operation="customer.create", count=1)
        answered, body, _ = await caller.ask("POST", "/customers", body={"ref": "C-1"})
        assert (answered, body["acme_error"]) == (status, problem)
        assert await caller.refs() == []
        assert caller.ledger() == []
        assert await caller.create("C-1") == 201
        assert await caller.refs() == ["C-1"]
        assert (await caller.admin("GET", "counters"))["faults"] == {kind: 1}


async def test_an_error_after_apply_has_applied(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("error_after_apply", count=1)
        assert await caller.create("C-1", key="k") == 500
        assert await caller.refs() == ["C-1"]
        assert len(caller.ledger()) == 1
        assert await caller.create("C-1", key="k") == 201
        assert len(caller.ledger()) == 1


@pytest.mark.parametrize("kind", ["reset_after_apply", "timeout_after_apply", "truncated_answer"])
async def test_a_cut_answer_has_applied(acme: Any, kind: str) -> None:
    async with acme() as caller:
        await caller.fault(kind, count=1, delay_s=0.05)
        with pytest.raises(CUT):
            await caller.create("C-1", key="k")
        assert await caller.refs() == ["C-1"]
        assert len(caller.ledger()) == 1
        assert await caller.create("C-1", key="k") == 201
        assert len(caller.ledger()) == 1


async def test_a_timeout_hangs_before_the_connection_ends_and_the_write_is_there_meanwhile(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("timeout_after_apply", count=1, delay_s=0.4)
        hanging = asyncio.create_task(caller.create("C-1"))
        await asyncio.sleep(0.2)
        assert not hanging.done()
        assert len(caller.ledger()) == 1
        with pytest.raises(CUT):
            await hanging


async def test_a_truncated_answer_sends_the_promised_status_and_half_the_body(acme: Any) -> None:
    async with acme() as caller:
        await caller.create("C-1")
        await caller.fault("truncated_answer", operation="customer.list", count=1)
        async with caller.session.get(caller.url + "/customers", headers=caller.headers) as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()


async def test_a_lying_ok_stores_nothing_unless_the_vendor_opts_out(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("ok_without_apply")
        status, body, _ = await caller.ask("POST", "/customers", body={"ref": "C-1"}, headers={"Idempotency-Key": "k"})
        assert (status, body["ref"]) == (201, "C-1")
        assert await caller.refs() == []
        assert caller.ledger() == []
        assert (await caller.ask("POST", "/honest", body={"ref": "C-2"}))[0] == 201
        assert await caller.refs() == ["C-2"]
        await caller.admin("DELETE", "faults")
        assert await caller.create("C-1", key="k") == 201  # the lie was not saved under the key
        assert await caller.refs() == ["C-1", "C-2"]


async def test_slow_is_slow_and_still_answers(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("slow", operation="customer.*", delay_s=0.2)
        began_s = time.monotonic()
        assert await caller.create("C-1") == 201
        assert time.monotonic() - began_s >= 0.2
        began_s = time.monotonic()
        assert (await caller.ask("POST", "/token"))[0] == 200
        assert time.monotonic() - began_s < 0.2


async def test_down_refuses_everything_for_its_time(acme: Any) -> None:
    async with acme() as caller:
        await caller.admin("POST", "down", {"seconds": 20})
        for path in ("/customers", "/nowhere"):
            with pytest.raises(CUT):
                await caller.ask("GET", path)
        await caller.admin("POST", "clock", {"advance_s": 19.9})
        with pytest.raises(CUT):
            await caller.create("C-1")
        await caller.admin("POST", "clock", {"advance_s": 0.2})
        assert await caller.create("C-1") == 201
        await caller.admin("POST", "down", {"seconds": 20, "status": 503})
        assert await caller.create("C-2") == 503
        assert await caller.refs() == ["C-1"]


async def test_a_fault_keeps_to_its_operation_window_and_count(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("rate_limited", operation="customer.create", starts_in_s=10, lasts_s=10, count=2)
        seen: list[int] = []
        for advance_s in (0, 10, 0, 0, 10):
            await caller.admin("POST", "clock", {"advance_s": advance_s})
            assert (await caller.ask("GET", "/customers"))[0] == 200
            seen.append(await caller.create("C"))
        assert seen == [201, 429, 429, 201, 201]


async def test_a_retried_request_gets_through(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("rate_limited", max_per_key=2)
        assert [await caller.create("C-1", key="k-1") for _ in range(3)] == [429, 429, 201]
        assert [await caller.create("C-2") for _ in range(3)] == [429, 429, 201]  # without a key: the same request
        assert await caller.create("C-3", key="k-3") == 429


async def test_probability_is_about_kept_and_repeats_with_the_seed(acme: Any) -> None:
    runs: list[list[int]] = []
    for _ in range(2):
        async with acme() as caller:
            await caller.fault("rate_limited", operation="token.create", probability=0.2)
            runs.append([(await caller.ask("POST", "/token"))[0] for _ in range(300)])
    assert runs[0] == runs[1]
    assert 35 <= runs[0].count(429) <= 90


async def _poll(caller: Any, limit: int) -> list[list[str]]:
    pages: list[list[str]] = []
    start: int | None = 0
    while start is not None:
        _, body, _ = await caller.ask("GET", f"/customers?start={start}&limit={limit}")
        pages.append([row["ref"] for row in body["rows"]])
        start = body["next"]
        assert len(pages) < 50
    return pages


@pytest.mark.parametrize("kind", ["page_repeated", "page_overlap", "page_reordered"])
async def test_disturbed_pages_lose_no_row_and_end(acme: Any, kind: str) -> None:
    expected = [f"C-{number:02}" for number in range(25)]
    async with acme() as caller:
        await caller.admin("POST", "load", {"customer": [{"id": ref, "ref": ref} for ref in expected]})
        clean = await _poll(caller, 10)
        await caller.fault(kind)
        disturbed = await _poll(caller, 10)
    rows = [ref for page in disturbed for ref in page]
    assert [ref for page in clean for ref in page] == expected
    assert set(rows) == set(expected)
    assert max(len(page) for page in disturbed) == 10
    if kind == "page_reordered":
        assert rows != expected
        assert sorted(rows) == expected
        assert [page[-1] for page in disturbed] == [page[-1] for page in clean]
    else:
        assert len(rows) > len(expected)
    if kind == "page_repeated":
        assert disturbed == [clean[0], clean[0], clean[0], clean[1], clean[1], clean[2]]


async def test_month_end_lets_every_retried_write_through_once(acme: Any) -> None:
    async with acme() as caller:
        await caller.admin("PUT", "faults", {"preset": "month_end"})
        short = {"kind": "timeout_after_apply", "probability": 0.01, "delay_s": 0.01}
        plan = (await caller.admin("GET", "faults"))["faults"]
        plan = [fault for fault in plan if fault["kind"] != "timeout_after_apply"] + [short]
        await caller.admin("PUT", "faults", {"faults": plan})
        expected = [f"C-{number:03}" for number in range(300)]
        for ref in expected:
            for _ in range(10):
                try:
                    if await caller.create(ref, key=ref) == 201:
                        break
                except CUT:
                    continue
            else:
                pytest.fail(f"{ref} never got through")
        assert await caller.refs() == expected
        assert [line["business_id"] for line in caller.ledger()] == expected
        injected = (await caller.admin("GET", "counters"))["faults"]
    assert {"rate_limited", "error_after_apply", "timeout_after_apply"} <= set(injected)


async def test_an_unknown_fault_is_refused_and_changes_nothing(acme: Any) -> None:
    async with acme() as caller:
        await caller.fault("rate_limited")
        headers = {"X-Sandbox-Token": "open sesame"}
        for plan in ({"faults": [{"kind": "sloth"}]}, {"faults": [{"kind": "slow", "dealy_s": 1}]}, [], "x"):
            status, _, _ = await caller.ask("PUT", "/__sandbox__/faults", body=plan, headers=headers)
            assert status == 400
        assert await caller.create("C-1") == 429
