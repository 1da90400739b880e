"""Whoever signs in does it once for everybody, and every signature holds at the other end."""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.connector.scripted import Kit, Say, Vendor, say, say_late

from accordant.canonical.operation import Attempt
from accordant.connector.auth import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    ClientCredentialsSpec,
    OAuth1,
    OAuth1Keys,
)
from accordant.connector.exchange import Answer
from accordant.connector.http import Request
from accordant.connector.jwt_bearer import JwtBearer, JwtSpec
from accordant.kernel.clock import ManualClock
from accordant.kernel.errors import AccordantError, Misconfigured, RateLimited, Retryable, Unavailable

SPEC = ClientCredentialsSpec(token_path="/oauth/token", client_id="id", client_secret="s3cret-of-ours")
ORDERS = Request("GET", "/v1/orders")


class Desk:
    """A vendor with a token endpoint; a token is good until `revoke`."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.issued = 0
        self.good = ""
        self.refusing = False
        self.calls = 0
        vendor.will(self.answer)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/oauth/token":
            await asyncio.sleep(0.02)
            self.issued += 1
            self.good = f"token-{self.issued}"
            return web.json_response({"access_token": self.good, "expires_in": "3600"})
        self.calls += 1
        await asyncio.sleep(0.01)
        held = request.headers.get("Authorization") == f"Bearer {self.good}"
        return web.json_response({}, status=200 if held and not self.refusing else 401)

    def revoke(self) -> None:
        self.good = ""


async def test_twenty_workers_share_one_refresh(vendor: Vendor, kit: Kit) -> None:
    desk = Desk(vendor)
    http = kit.http(auth=ClientCredentials(SPEC))
    await asyncio.gather(*(http.read(ORDERS) for _ in range(20)))
    assert (desk.issued, desk.calls) == (1, 20)
    desk.revoke()
    await asyncio.gather(*(http.write(Request("POST", "/v1/orders"), attempt=Attempt(key="k")) for _ in range(20)))
    assert (desk.issued, desk.calls) == (2, 60)


async def test_a_late_401_for_an_old_token_does_not_throw_away_the_new_one(vendor: Vendor, kit: Kit) -> None:
    desk = Desk(vendor)
    auth = ClientCredentials(SPEC)
    http = kit.http(auth=auth)
    await http.read(ORDERS)
    old = await auth.headers("GET", "", body=b"")
    await auth.refused(old)
    new = await auth.headers("GET", "", body=b"")
    await auth.refused(old)
    assert await auth.headers("GET", "", body=b"") is new
    assert desk.issued == 2


async def test_revoked_credentials_park_the_work_after_one_refresh(vendor: Vendor, kit: Kit) -> None:
    desk = Desk(vendor)
    desk.refusing = True
    with pytest.raises(Retryable) as caught:
        await kit.http(auth=ClientCredentials(SPEC)).write(Request("POST", "/v1/orders"), attempt=Attempt(key="k"))
    assert caught.value.code == "vendor.credentials_refused"
    assert (desk.issued, desk.calls) == (2, 2)


@pytest.mark.parametrize(
    ("line", "error", "code"),
    [
        (
            say(400, '{"error":"invalid_client","error_description":"s3cret-of-ours"}'),
            Retryable,
            "vendor.credentials_refused",
        ),
        (say(401, "<html>"), Retryable, "vendor.credentials_refused"),
        (say(429, headers={"Retry-After": "9"}), RateLimited, "vendor.rate_limited"),
        (say(500), Unavailable, "vendor.no_token"),
        (say(200, "<html>"), Unavailable, "vendor.no_token"),
        (say(200, '{"access_token":"a\\r\\nb"}'), Unavailable, "vendor.no_token"),
        (say(200, '{"access_token":7}'), Unavailable, "vendor.no_token"),
        (say(302, headers={"Location": "http://127.0.0.1:1/"}), Unavailable, "vendor.no_token"),
        (say_late(3), Unavailable, "vendor.unavailable"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_nothing_is_unknown(
    vendor: Vendor, kit: Kit, line: Say, error: type[AccordantError], code: str
) -> None:
    vendor.will(line)
    http = kit.http(auth=ClientCredentials(SPEC), timeout_s=0.3)
    with pytest.raises(error) as caught:
        await http.write(Request("POST", "/v1/orders"), attempt=Attempt(key="k"))
    assert caught.value.code == code
    assert {request.path for request in vendor.seen} == {"/oauth/token"}
    assert "s3cret" not in repr(caught.value.as_dict())
    assert http.budget.snapshot().in_flight == 0


class Paper:
    """A wire without a network: counts the tokens it hands out."""

    connection = "acme"

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.rng = random.Random(3)
        self.sent: list[Sequence[tuple[str, str]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.answer: dict[str, Any] = {"expires_in": 100}
        self.status = 200

    async def post_form(
        self, path: str, fields: Sequence[tuple[str, str]], *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        await asyncio.sleep(0)
        self.sent.append(fields)
        self.headers.append(headers or {})
        body = json.dumps({"access_token": f"t{len(self.sent)}", **self.answer}).encode()
        return Answer(status=self.status, headers={}, body=body)


async def bearer(auth: ClientCredentials | JwtBearer) -> str:
    return (await auth.headers("GET", "", body=b""))["Authorization"]


async def test_a_token_is_renewed_beside_the_work_before_it_ends() -> None:
    paper = Paper()
    auth = ClientCredentials(SPEC)
    auth.attach(paper)
    assert await bearer(auth) == "Bearer t1"
    paper.clock.advance(79)
    assert await bearer(auth) == "Bearer t1"
    paper.clock.advance(2)
    assert await bearer(auth) == "Bearer t1", "the old one is still good; nobody waits"
    await asyncio.sleep(0.01)
    assert await bearer(auth) == "Bearer t2"
    assert len(paper.sent) == 2


async def test_an_ended_token_is_never_used() -> None:
    paper = Paper()
    auth = ClientCredentials(SPEC)
    auth.attach(paper)
    await bearer(auth)
    paper.clock.advance(96)
    assert await bearer(auth) == "Bearer t2"


async def test_a_failed_renewal_leaves_the_good_token_and_is_not_hammered() -> None:
    paper = Paper()
    auth = ClientCredentials(SPEC)
    auth.attach(paper)
    await bearer(auth)
    paper.status = 500
    paper.clock.advance(85)
    for _ in range(20):
        assert await bearer(auth) == "Bearer t1"
        await asyncio.sleep(0.001)
    assert len(paper.sent) == 2
    paper.clock.advance(15)
    with pytest.raises(Unavailable):
        await bearer(auth)


async def test_a_caller_who_gives_up_does_not_take_the_token_from_the_others() -> None:
    paper = Paper()
    auth = ClientCredentials(SPEC)
    auth.attach(paper)
    first = asyncio.ensure_future(bearer(auth))
    second = asyncio.ensure_future(bearer(auth))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "Bearer t1"
    assert len(paper.sent) == 1


@pytest.mark.parametrize("said", [None, "soon", -5, 0, 1e999])
async def test_a_life_that_is_not_said_lasts_until_it_is_refused(said: object) -> None:
    paper = Paper()
    paper.answer = {"expires_in": said} if said is not None else {}
    auth = ClientCredentials(SPEC)
    auth.attach(paper)
    if said == 1e999:
        paper.answer = {"expires_in": "inf"}
    await bearer(auth)
    paper.clock.advance(10_000_000)
    assert await bearer(auth) == "Bearer t1"


async def test_credentials_go_into_the_body_or_the_header() -> None:
    paper = Paper()
    for in_body in (True, False):
        auth = ClientCredentials(
            ClientCredentialsSpec(token_path="/t", client_id="i:d", client_secret="s%", scope="all", in_body=in_body)
        )
        auth.attach(paper)
        await bearer(auth)
    assert dict(paper.sent[0]) == {
        "grant_type": "client_credentials",
        "client_id": "i:d",
        "client_secret": "s%",
        "scope": "all",
    }
    assert dict(paper.sent[1]) == {"grant_type": "client_credentials", "scope": "all"}
    assert paper.headers[1] == {"Authorization": "Basic aSUzQWQ6cyUyNQ=="}


# --- JWT --------------------------------------------------------------------------------------------------------------


def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


async def test_an_assertion_holds_at_the_other_end() -> None:
    paper = Paper()
    key = pem()
    auth = JwtBearer(
        JwtSpec(token_path="/t", private_key_pem=key, issuer="app", audience="https://login.x", subject="me@x")
    )
    auth.attach(paper)
    await bearer(auth)
    sent = dict(paper.sent[0])
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    token = jwt.decode(sent["assertion"], RSAKey.import_key(key), algorithms=["RS256"])
    now_s = paper.clock.now_ms() // 1000
    assert token.header == {"alg": "RS256", "typ": "JWT"}
    jti = token.claims.pop("jti")
    assert len(jti) == 32
    assert token.claims == {"iss": "app", "aud": "https://login.x", "sub": "me@x", "iat": now_s, "exp": now_s + 180}


async def test_an_assertion_may_stand_for_the_client() -> None:
    paper = Paper()
    key = pem()
    spec = JwtSpec(
        token_path="/t",
        private_key_pem=key,
        issuer="app",
        audience="https://x/token",
        algorithm="PS256",
        key_id="k1",
        scope=("rest_webservices",),
        as_client=True,
    )
    auth = JwtBearer(spec)
    auth.attach(paper)
    await bearer(auth)
    sent = dict(paper.sent[0])
    assert sent["grant_type"] == "client_credentials"
    assert sent["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    token = jwt.decode(sent["client_assertion"], RSAKey.import_key(key), algorithms=["PS256"])
    assert token.header["kid"] == "k1"
    assert token.claims["scope"] == ["rest_webservices"]
    assert key not in repr(spec)


# --- Fixed credentials ------------------------------------------------------------------------------------------------


async def test_basic_credentials_are_encoded(vendor: Vendor, kit: Kit) -> None:
    await kit.http(auth=BasicAuth("agent@x.example/token", "pä:ss")).read(ORDERS)
    assert dict(parse_qsl("a=" + vendor.seen[0].headers["Authorization"])) == {
        "a": "Basic YWdlbnRAeC5leGFtcGxlL3Rva2VuOnDDpDpzcw=="
    }


@pytest.mark.parametrize("bad", ["", "a\r\nb", "a\0"])
def test_an_empty_or_broken_credential_is_refused_before_any_call(bad: str) -> None:
    with pytest.raises(Misconfigured):
        BearerToken(bad)
    with pytest.raises(Misconfigured):
        BasicAuth("user", bad)
    with pytest.raises(Misconfigured):
        OAuth1(OAuth1Keys(consumer_key="a", consumer_secret="b", token="c", token_secret="d", realm=bad))
    with pytest.raises(Misconfigured):
        ClientCredentials(ClientCredentialsSpec(token_path="/t", client_id="id", client_secret=bad))
    with pytest.raises(Misconfigured):
        JwtBearer(JwtSpec(token_path="/t", private_key_pem=bad, issuer="i", audience="a"))


def test_specs_do_not_show_their_secrets() -> None:
    shown = repr(SPEC)
    assert "s3cret" not in shown
