"""Who the offline account lets in, driven by oauthlib's own signer."""

import time

import pytest
from oauthlib.oauth1 import Client
from oauthlib.oauth1.rfc5849 import SIGNATURE_HMAC_SHA1

from accordant.systems.netsuite.sandbox import ACCESS
from tests.systems.netsuite.account import Account

ITEM = "/record/v1/serviceSaleItem/eid:SKU-1"


async def test_a_request_signed_by_oauthlib_is_let_in(account: Account) -> None:
    said = await account.call("GET", ITEM)
    assert (said.status, said.body["itemId"]) == (200, "SKU-1")


async def test_the_query_string_is_part_of_what_is_signed(account: Account) -> None:
    said = await account.call("GET", f"{ITEM}?expandSubResources=true&fields=a%20b%2Bc")
    assert said.status == 200
    url = f"{account.url}/services/rest{ITEM}"
    _, headers, _ = account.signer().sign(url, "GET")
    assert (await account.send("GET", f"{url}?expandSubResources=true", None, headers)).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"client_key": "x" * 64},
        {"client_secret": "x"},
        {"client_secret": ""},
        {"resource_owner_key": "x" * 64},
        {"resource_owner_secret": ""},
        {"realm": "OTHER"},
    ],
)
async def test_any_wrong_part_is_refused_in_netsuites_words(account: Account, changes: dict[str, str]) -> None:
    said = await account.call("GET", ITEM, signer=account.signer(**changes))
    assert (said.status, said.code) == (401, "INVALID_LOGIN")
    assert said.headers["Content-Type"] == "application/vnd.oracle.resource+json; type=error"


async def test_no_header_and_other_schemes_are_refused(account: Account) -> None:
    url = f"{account.url}/services/rest{ITEM}"
    for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "OAuth"}, {"Authorization": "Bearer x"}):
        assert (await account.send("GET", url, None, headers)).status == 401


async def test_sha1_is_refused_although_the_signature_is_right(account: Account) -> None:
    signer = Client(
        ACCESS.consumer_key,
        client_secret=ACCESS.consumer_secret,
        resource_owner_key=ACCESS.token_id,
        resource_owner_secret=ACCESS.token_secret,
        realm=ACCESS.account,
        signature_method=SIGNATURE_HMAC_SHA1,
    )
    assert (await account.call("GET", ITEM, signer=signer)).status == 401


async def test_the_same_signed_request_is_taken_once(account: Account) -> None:
    url = f"{account.url}/services/rest{ITEM}"
    _, headers, _ = account.signer().sign(url, "GET")
    assert (await account.send("GET", url, None, headers)).status == 200
    assert (await account.send("GET", url, None, headers)).status == 401


async def test_a_forger_cannot_burn_the_nonce_of_somebody_else(account: Account) -> None:
    url = f"{account.url}/services/rest{ITEM}"
    nonce, now = "n" * 20, str(int(time.time()))
    _, forged, _ = account.signer(client_secret="x", nonce=nonce, timestamp=now).sign(url, "GET")
    assert (await account.send("GET", url, None, forged)).status == 401
    _, honest, _ = account.signer(nonce=nonce, timestamp=now).sign(url, "GET")
    assert (await account.send("GET", url, None, honest)).status == 200


@pytest.mark.parametrize(("age_s", "status"), [(295, 200), (305, 401), (-295, 200), (-305, 401)])
async def test_the_timestamp_may_be_five_minutes_off(account: Account, age_s: int, status: int) -> None:
    signer = account.signer(timestamp=str(int(time.time()) - age_s))
    assert (await account.call("GET", ITEM, signer=signer)).status == status


async def test_a_short_nonce_is_refused(account: Account) -> None:
    assert (await account.call("GET", ITEM, signer=account.signer(nonce="abcde"))).status == 401
