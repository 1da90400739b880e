"""A read may be repeated, so trouble that passes is not the caller's trouble."""

import asyncio
import time
from email.utils import formatdate

import pytest
from tests.connector.scripted import SECRET, Kit, Say, Vendor, say, say_late, say_raw

from accordant.connector.budget import Quota
from accordant.connector.http import Request
from accordant.kernel.errors import Misconfigured, RateLimited, Rejected, Retryable, Unavailable
from accordant.kernel.priority import Priority

ORDERS = Request("GET", "/v1/orders", (("limit", "100"),))


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(say(500), id="500"),
        pytest.param(say(503, "<html>"), id="503 page"),
        pytest.param(say_raw(b""), id="cut"),
        pytest.param(say_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[1"), id="truncated"),
        pytest.param(say_late(3), id="late"),
        pytest.param(say(429, headers={"Retry-After": "0"}), id="429"),
    ],
)
async def test_passing_trouble_is_retried(vendor: Vendor, kit: Kit, trouble: Say) -> None:
    vendor.will(trouble, trouble, say(200, "[1]"))
    answer = await kit.http(timeout_s=0.3).read(ORDERS, priority=Priority.FINANCE)
    assert answer.json() == [1]
    assert len(vendor.seen) == 3
    assert len(kit.naps.waits_s) == 2


async def test_lasting_trouble_is_told_after_four_tries(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(500, SECRET))
    with pytest.raises(Unavailable) as caught:
        await kit.http().read(ORDERS)
    assert len(vendor.seen) == 4
    assert SECRET not in repr(caught.value.as_dict())


async def test_a_wait_beyond_the_total_time_is_not_begun(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(503, headers={"Retry-After": "31"}))
    with pytest.raises(Unavailable) as caught:
        await kit.http().read(ORDERS)
    assert caught.value.retry_after_s == 31
    assert len(vendor.seen) == 1


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        pytest.param("2", 2, 2, id="seconds"),
        pytest.param("0.5", 0.5, 0.5, id="part of a second"),
        pytest.param("-1", 0, 0.2, id="negative"),
        pytest.param("soon", 0, 0.2, id="garbage"),
        pytest.param("nan", 0, 0.2, id="not a number"),
        pytest.param("", 0, 0.2, id="empty"),
        pytest.param("\xd9\xa3", 0, 0.2, id="not ASCII"),
        pytest.param(formatdate(time.time() - 60, usegmt=True), 0, 0.2, id="a date gone by"),
    ],
)
async def test_retry_after_is_honoured_where_it_says_something(
    vendor: Vendor, kit: Kit, retry_after: str, least_s: float, most_s: float
) -> None:
    vendor.will(say(503, headers={"Retry-After": retry_after}), say(200))
    await kit.http().read(ORDERS)
    assert least_s <= kit.naps.waits_s[0] <= most_s


async def test_retry_after_may_be_a_date(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(503, headers={"Retry-After": formatdate(time.time() + 10, usegmt=True)}), say(200))
    await kit.http().read(ORDERS)
    assert 8 < kit.naps.waits_s[0] <= 10


async def test_a_page_that_is_not_json_is_no_answer(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(200, f"<html>Your token {SECRET}"))
    answer = await kit.http().read(ORDERS)
    with pytest.raises(Unavailable) as caught:
        answer.json()
    assert caught.value.code == "vendor.not_json"
    assert SECRET not in repr(caught.value.as_dict())
    assert "<html>" not in repr(answer)


async def test_an_empty_body_is_none(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(204, b""))
    assert (await kit.http().read(ORDERS)).json() is None


async def test_refusals_are_not_retried(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(400, '{"error":"no such field"}'))
    with pytest.raises(Rejected, match="no such field"):
        await kit.http().read(ORDERS)
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307])
async def test_redirects_are_never_followed(vendor: Vendor, kit: Kit, status: int) -> None:
    vendor.will(say(status, headers={"Location": "http://169.254.169.254/latest/meta-data"}))
    with pytest.raises(Misconfigured):
        await kit.http().read(ORDERS)
    assert len(vendor.seen) == 1


async def test_refused_credentials_park_the_work_with_an_owner(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(401, f'{{"error":"invalid token {SECRET}"}}'))
    with pytest.raises(Retryable) as caught:
        await kit.http().read(ORDERS)
    assert caught.value.code == "vendor.credentials_refused"
    assert "owner" in caught.value.hint
    assert SECRET not in repr(caught.value.as_dict())
    assert len(vendor.seen) == 1


async def test_what_the_vendor_says_is_left_is_believed(vendor: Vendor, kit: Kit) -> None:
    def remaining(headers: "dict[str, str]") -> Quota:
        return Quota(limit=700, remaining=int(headers["ratelimit-remaining"]), resets_in_s=40)

    vendor.will(say(200, headers={"ratelimit-remaining": "70"}), say(200, headers={"ratelimit-remaining": "0"}))
    http = kit.http(rate_headers=remaining)
    await http.read(ORDERS)
    assert http.budget.snapshot().share_used_pct == 90
    await http.read(ORDERS)
    with pytest.raises(RateLimited) as caught:
        await http.read(ORDERS)
    assert caught.value.retry_after_s is not None
    assert 39 < caught.value.retry_after_s <= 40
    assert len(vendor.seen) == 2


# --- Breaker ----------------------------------------------------------------------------------------------------------


async def test_a_vendor_that_is_down_is_left_alone_then_probed_once(vendor: Vendor, kit: Kit) -> None:
    vendor.will(say(500))
    http = kit.http()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await http.read(ORDERS)
    assert len(vendor.seen) == 5
    assert http.breaker.state == "open"
    with pytest.raises(Unavailable) as caught:
        await http.read(ORDERS)
    assert caught.value.code == "vendor.breaker_open"
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 1
    vendor.will(say(200))
    await asyncio.sleep(1.01)
    await http.read(ORDERS)
    assert http.breaker.state == "closed"
    assert len(vendor.seen) == 6


async def test_refusals_do_not_open_the_breaker(vendor: Vendor, kit: Kit) -> None:
    http = kit.http()
    for _ in range(10):
        vendor.will(say(400))
        with pytest.raises(Rejected):
            await http.read(ORDERS)
    assert http.breaker.state == "closed"
