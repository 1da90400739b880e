"""Every OAuth 1 signature holds at the other end, and is the one that oauthlib makes."""

import random
import re
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import Client, RequestValidator, ResourceEndpoint
from oauthlib.oauth1.rfc5849 import SIGNATURE_HMAC_SHA256
from tests.connector.scripted import Kit, Vendor

from accordant.connector.auth import OAuth1, OAuth1Keys
from accordant.connector.http import Request
from accordant.kernel.clock import ManualClock

KEYS = OAuth1Keys(consumer_key="ck", consumer_secret="c&s=", token="tk", token_secret="t%s", realm="TSTDRV_1")


class Books(RequestValidator):
    """The other end: knows one integration and one user, and remembers what was signed before."""

    enforce_ssl: Any = False
    dummy_client: Any = "none"
    dummy_access_token: Any = "none"

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def check_client_key(self, client_key: str) -> bool:
        return client_key == "ck"

    def check_access_token(self, request_token: str) -> bool:
        return request_token == "tk"

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == "ck"

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == "tk"

    def validate_realms(self, client_key: str, token: str, request: Any, uri: Any = None, realms: Any = None) -> bool:
        return True

    def validate_timestamp_and_nonce(
        self, client_key: str, timestamp: str, nonce: str, *rest: Any, **more: Any
    ) -> bool:
        fresh = (timestamp, nonce) not in self.seen
        self.seen.add((timestamp, nonce))
        return fresh

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return KEYS.consumer_secret

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return KEYS.token_secret


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/services/rest/record/v1/salesOrder/eid%3Aacc-1", (("expandSubResources", "true"),)),
        Request("PATCH", "/services/rest/record/v1/customer/7", (("replace", "item"),), body=b'{"a":1}'),
        Request("POST", "/services/rest/query/v1/suiteql", (("limit", "5"), ("offset", "0")), body=b'{"q":"SELECT 1"}'),
        Request("GET", "/x", (("q", "name IS \"Ä & B\" + 'c'~*()"), ("q", ""), ("a", "1=2"))),
        Request("POST", "/plain"),
    ],
)
async def test_each_call_is_signed_so_that_a_server_accepts_it(vendor: Vendor, kit: Kit, request_: Request) -> None:
    http = kit.http(auth=OAuth1(KEYS))
    endpoint = ResourceEndpoint(Books())
    for _ in range(2):
        await http.read(request_)
        seen = vendor.seen[-1]
        assert seen.headers["Authorization"].startswith('OAuth realm="TSTDRV_1", ')
        assert 'oauth_signature_method="HMAC-SHA256"' in seen.headers["Authorization"]
        headers = {"Authorization": seen.headers["Authorization"]}
        valid, _ = endpoint.validate_protected_resource_request(vendor.url + seen.raw_path, seen.method, None, headers)
        assert valid, "the second time too: another nonce"
    tampered, _ = endpoint.validate_protected_resource_request(vendor.url + "/other", "GET", None, headers)
    assert not tampered


class _Wire:
    rng = random.Random(1)
    clock = ManualClock()


_text = st.text(max_size=12)


@given(
    st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    st.lists(st.tuples(st.text(min_size=1, max_size=8), _text), max_size=4),
    st.lists(st.text("abc&=% +/ü~", min_size=1, max_size=8), min_size=4, max_size=4),
)
async def test_a_signature_is_the_one_that_oauthlib_makes(
    method: str, query: list[tuple[str, str]], words: list[str]
) -> None:
    pairs = dict(zip(("consumer_key", "consumer_secret", "token", "token_secret"), words, strict=True))
    auth = OAuth1(OAuth1Keys(**pairs, realm="R_1"))
    auth.attach(cast("Any", _Wire()))
    url = "https://1.example.com/services/rest/eid%3Aacc-1" + ("?" + urlencode(query, quote_via=quote) if query else "")
    told = (await auth.headers(method, url, body=b""))["Authorization"]
    stamps = dict(re.findall(r'(\w+)="([^"]*)"', told))
    client = Client(
        pairs["consumer_key"],
        client_secret=pairs["consumer_secret"],
        resource_owner_key=pairs["token"],
        resource_owner_secret=pairs["token_secret"],
        realm="R_1",
        signature_method=SIGNATURE_HMAC_SHA256,
        nonce=stamps["oauth_nonce"],
        timestamp=stamps["oauth_timestamp"],
    )
    _, headers, _ = client.sign(url, http_method=cast("Any", method))
    assert stamps == dict(re.findall(r'(\w+)="([^"]*)"', headers["Authorization"]))


def test_keys_do_not_show_their_secrets() -> None:
    assert KEYS.consumer_secret not in repr(KEYS)
    assert KEYS.token_secret not in repr(KEYS)
