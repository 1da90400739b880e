"""Signatures, with Stripe's own library as the oracle, and the sandbox's deliveries from end to end."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import stripe
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from accordant.kernel.errors import Unverified
from accordant.systems.stripe.sandbox.books import RETRIES
from accordant.systems.stripe.webhooks import verify
from tests.systems.stripe.account import CUSTOMER, Running, terms

SECRET = "whsec_of_the_test"
BODY = json.dumps({"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {}}}).encode()
NOW = 1_700_000_000


def _signature(body: bytes, *, secret: str = SECRET, at: int | str = NOW) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def _header(body: bytes = BODY, *, secret: str = SECRET, at: int = NOW) -> dict[str, str]:
    return {"stripe-signature": f"t={at},v1={_signature(body, secret=secret, at=at)}"}


def _accepted(
    headers: dict[str, str], body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), at: int = NOW
) -> bool:
    try:
        return bool(verify(headers, body, secrets, at).delivery_id)
    except Unverified:
        return False


def test_a_signed_delivery_is_known_by_its_event() -> None:
    assert verify(_header(), BODY, (SECRET,), NOW).delivery_id == "evt_1"


@pytest.mark.parametrize(("age_s", "accepted"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)])
def test_the_tolerance_is_five_minutes(age_s: int, accepted: bool) -> None:
    assert _accepted(_header(), at=NOW + age_s) is accepted


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), ("", " \t")])
def test_no_secret_refuses_even_what_is_signed_with_none(secrets: tuple[str, ...]) -> None:
    for secret in ("", " ", *secrets):
        assert not _accepted(_header(secret=secret), secrets=secrets)


def test_any_of_several_secrets_and_signatures_is_enough() -> None:
    good = _signature(BODY)
    wrong = _signature(BODY, secret="whsec_old")
    for secrets in (("whsec_new", SECRET), (SECRET, "whsec_old")):
        assert _accepted(_header(), secrets=secrets)
    for first, second in ((wrong, good), (good, wrong)):
        assert _accepted({"stripe-signature": f"t={NOW},v1={first},v0=x,v1={second}"})
    assert not _accepted({"stripe-signature": f"t={NOW},v1={wrong}"})
    assert not _accepted({"stripe-signature": f"t={NOW},v0={good}"})


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        f"v1={_signature(BODY)}",
        f"t={NOW}",
        f"t={NOW},v1=é" + "0" * 63,
        f"t={NOW}é,v1={_signature(BODY)}",
        f"t=٣{NOW},v1={_signature(BODY)}",
        f"t={NOW},t={NOW + 1},v1={_signature(BODY)}",
        f"t=-{NOW},v1={_signature(BODY)}",
        "t=1e9,v1=" + "0" * 64,
        "t=" + "9" * 5000 + ",v1=" + "0" * 64,
        ",".join([f"t={NOW}"] + ["v1=" + "0" * 64] * 100_000),
        "\x00" * 100,
        "\ud800",
        f"t={NOW},v1={_signature(BODY).upper()}",
    ],
)
def test_a_strange_header_is_unverified_and_nothing_else(header: str) -> None:
    with pytest.raises(Unverified):
        verify({"stripe-signature": header}, BODY, (SECRET,), NOW)
    with pytest.raises(Unverified):
        verify({}, BODY, (SECRET,), NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"id":1}', b'{"id":""}', b'{"id":"' + b"x" * 300 + b'"}']
)
def test_a_signed_body_that_is_no_event_is_known_by_its_bytes(body: bytes) -> None:
    """It is authentic: it is kept and shown to an owner, not sent back to come again."""
    name = verify(_header(body), body, (SECRET,), NOW).delivery_id
    assert name.startswith("body-")
    assert verify(_header(body), body, (SECRET,), NOW).delivery_id == name
    with pytest.raises(Unverified):
        verify(_header(body), body + b" ", (SECRET,), NOW)


@given(
    flip=st.integers(min_value=0, max_value=len(BODY) - 1),
    secret=st.sampled_from([SECRET, "whsec_other", SECRET + "x"]),
    age_s=st.integers(min_value=0, max_value=600),
    tamper=st.booleans(),
    scheme=st.sampled_from(["v1", "v0", "V1"]),
)
def test_the_verdict_is_that_of_the_official_library(
    flip: int, secret: str, age_s: int, tamper: bool, scheme: str
) -> None:
    """For everything signed in the past; a time in the future is refused by us alone."""
    now = int(time.time())
    if 295 <= age_s <= 305:
        age_s = 290  # the oracle reads the clock itself
    header = f"t={now - age_s},{scheme}={_signature(BODY, secret=secret, at=now - age_s)}"
    body = bytearray(BODY)
    if tamper:
        body[flip] = ord("~")
    try:
        stripe.Webhook.construct_event(bytes(body), header, SECRET)
        official = True
    except (stripe.SignatureVerificationError, ValueError):
        official = False
    assert _accepted({"stripe-signature": header}, bytes(body), at=now) is official


class Receiver:
    """An endpoint that remembers what it got and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    one = Receiver()
    app = web.Application()
    app.router.add_post("/hook", one.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield one
    await runner.cleanup()


async def test_deliveries_are_signed_so_that_both_libraries_accept_them(running: Running, receiver: Receiver) -> None:
    def story(client: Any) -> str:
        hook = client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        assert hook.secret.startswith("whsec_")
        assert "secret" not in client.v1.webhook_endpoints.retrieve(hook.id)
        customer = client.v1.customers.create(CUSTOMER)
        client.v1.subscriptions.create(terms(customer.id))
        return hook.secret

    secret = await running.ask(story)
    await receiver.until(3)
    kinds: set[str] = set()
    for headers, body in receiver.got:
        event: Any = stripe.Webhook.construct_event(body, headers["stripe-signature"], secret)
        assert verify(headers, body, (secret,), int(time.time())).delivery_id == event.id
        kinds.add(event.type)
    assert kinds == {"customer.created", "customer.subscription.created", "invoice.created"}


async def test_an_endpoint_gets_what_it_asked_for_with_the_secret_it_was_loaded_with(
    running: Running, receiver: Receiver
) -> None:
    hook = {"url": receiver.url, "secret": SECRET, "enabled_events": ["customer.updated"]}
    await running.admin("POST", "load", {"webhook_endpoints": [hook]})

    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        client.v1.customers.update(customer.id, {"name": "Other"})

    await running.ask(story)
    await receiver.until(1)
    headers, body = receiver.got[0]
    assert json.loads(body)["type"] == "customer.updated"
    assert _accepted(headers, body, at=int(time.time()))


async def test_refused_deliveries_come_again_for_three_days(running: Running, receiver: Receiver) -> None:
    assert sum(RETRIES.delays_s) <= 3 * 86_400
    assert all(later >= earlier for earlier, later in zip(RETRIES.delays_s, RETRIES.delays_s[1:], strict=False))
    await running.admin("POST", "load", {"webhook_endpoints": [{"url": receiver.url, "secret": SECRET}]})
    receiver.answers = [500, 302]
    await running.ask(lambda client: client.v1.customers.create(CUSTOMER))
    for count, delay_s in enumerate(RETRIES.delays_s[:2], start=1):
        await receiver.until(count)
        await asyncio.sleep(0.05)
        assert len(receiver.got) == count
        await running.admin("POST", "clock", {"advance_s": delay_s + 1})
    await receiver.until(3)
    assert len({body for _, body in receiver.got}) == 1
    assert len({headers["stripe-signature"] for headers, _ in receiver.got}) == 3
