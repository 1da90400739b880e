"""The token endpoint of the offline account: which signed assertions buy a token, and for how long."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.systems.netsuite.account import Account, Said

KEY = RSAKey.generate_key(2048)
ITEM = "/record/v1/serviceSaleItem/eid:SKU-1"
KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def buy(account: Account, *, key: RSAKey = KEY, header: Any = None, form: Any = None, **claims: Any) -> Said:
    public = KEY.as_pem(private=False).decode()
    certificate = {"certificate_id": "cert-1", "client_id": "client-1", "public_key": public}
    await account.admin("POST", "load", {"certificates": [certificate]})
    url, now = f"{account.url}/services/rest/auth/oauth2/v1/token", int(time.time())
    right = {"iss": "client-1", "aud": url, "scope": ["rest_webservices"], "iat": now, "exp": now + 300}
    signed_as = {"alg": "PS256", "typ": "JWT", "kid": "cert-1", **(header or {})}
    assertion = jwt.encode(signed_as, {**right, **claims}, key, algorithms=[signed_as["alg"]])
    fields = {"grant_type": "client_credentials", "client_assertion_type": KIND, "client_assertion": assertion}
    async with account.session.post(url, data={**fields, **(form or {})}) as answer:
        return Said(answer.status, answer.headers, await answer.json())


async def get(account: Account, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await account.send("GET", f"{account.url}/services/rest{ITEM}", None, headers)).status


async def test_a_right_assertion_buys_a_token_for_an_hour(account: Account) -> None:
    said = await buy(account)
    assert (said.status, said.body["token_type"], said.body["expires_in"]) == (200, "Bearer", "3600")
    assert await get(account, said.body["access_token"]) == 200
    await account.admin("POST", "clock", {"advance_s": 3599 - 30})
    assert await get(account, said.body["access_token"]) == 200
    await account.admin("POST", "clock", {"advance_s": 31})
    assert await get(account, said.body["access_token"]) == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "somebody"},
        {"aud": "https://elsewhere.example/token"},
        {"scope": ["restlets"]},
        {"exp": int(time.time()) - 1},
        {"iat": int(time.time()) - 5000, "exp": int(time.time()) + 90_000},
        {"iat": int(time.time()) + 90_000, "exp": int(time.time()) + 90_100},
        {"iat": None},
        {"header": {"kid": "cert-2"}},
        {"header": {"alg": "RS256"}},
        {"key": RSAKey.generate_key(2048)},
    ],
)
async def test_any_wrong_claim_buys_nothing(account: Account, wrong: dict[str, Any]) -> None:
    said = await buy(account, **wrong)
    assert (said.status, said.body) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize("form", [{"grant_type": "password"}, {"client_assertion_type": "x"}, {"client_assertion": ""}])
async def test_another_grant_is_no_grant(account: Account, form: dict[str, str]) -> None:
    assert (await buy(account, form=form)).status == 400
