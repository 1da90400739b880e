"""Access tokens: who may have one, how long it lives, and the day everybody's expires.

Source: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_client_credentials_flow.htm
and https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_jwt_flow.htm
"""

import base64
import hmac
from collections.abc import Mapping

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from accordant.connector.sandbox import Call, Kit, Reply
from accordant.systems.salesforce.sandbox import AUDIENCE, CLIENT_ID, CLIENT_SECRET, USERNAME

TOKEN_LIFE_S = 7200.0
ASSERTION_LIFE_S = 180
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Tokens:
    """Settings: `token_life_s`, and `jwt_public_key` (PEM) without which the JWT bearer flow is refused."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._life_s = float(kit.settings.get("token_life_s", TOKEN_LIFE_S))
        self._public_key = kit.settings.get("jwt_public_key", "")
        self._until_s: dict[str, float] = {}

    def admits(self, header: str) -> bool:
        """Whether `Bearer …` names a token that lives."""
        scheme, _, token = header.partition(" ")
        return scheme in ("Bearer", "OAuth") and self._until_s.get(token, 0.0) > self._kit.clock.now_s()

    def expire_all(self) -> None:
        self._until_s.clear()

    async def issue(self, call: Call) -> Reply:
        """`POST /services/oauth2/token`; the answer names no lifetime, as the vendor's does not."""
        form = dict(call.form())
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            refusal = self._client_refusal(form, call.headers.get("Authorization", ""))
        elif grant == JWT_BEARER:
            refusal = self._assertion_refusal(form.get("assertion", ""))
        else:
            refusal = _refusal("unsupported_grant_type", "grant type not supported")
        return refusal or self._granted(call)

    def _granted(self, call: Call) -> Reply:
        url = f"{call.request.scheme}://{call.request.host}"
        now_s = self._kit.clock.now_s()
        token = f"00DKx0000000001!AQ{self._kit.rng.getrandbits(256):064x}"
        self._until_s = {old: until_s for old, until_s in self._until_s.items() if until_s > now_s}
        self._until_s[token] = now_s + self._life_s
        body = {
            "access_token": token,
            "scope": "api",
            "instance_url": url,
            "id": f"{url}/id/00DKx0000000001MAA/005Kx0000000001IAA",
            "token_type": "Bearer",
            "issued_at": str(self._kit.clock.now_ms()),
        }
        return Reply(200, body)

    def _client_refusal(self, form: Mapping[str, str], authorization: str) -> Reply | None:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            client_id, _, secret = _basic(authorization).partition(":")
        if client_id != CLIENT_ID:
            return _refusal("invalid_client_id", "client identifier invalid")
        if not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
            return _refusal("invalid_client", "invalid client credentials")
        return None

    def _assertion_refusal(self, assertion: str) -> Reply | None:
        if not self._public_key:
            return _refusal("invalid_grant", "no certificate is registered for this app")
        try:
            claims = jwt.decode(assertion, RSAKey.import_key(self._public_key), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return _refusal("invalid_grant", "invalid assertion")
        now_s = self._kit.clock.now_s()
        expires_s = claims.get("exp", 0)
        if not isinstance(expires_s, int | float) or not now_s < expires_s <= now_s + ASSERTION_LIFE_S + 60:
            return _refusal("invalid_grant", "expired authorization code")
        if claims.get("aud") != AUDIENCE:
            return _refusal("invalid_grant", "audience is invalid")
        if claims.get("iss") != CLIENT_ID:
            return _refusal("invalid_client_id", "client identifier invalid")
        return (
            None if claims.get("sub") == USERNAME else _refusal("invalid_grant", "user hasn't approved this consumer")
        )


def _basic(authorization: str) -> str:
    try:
        return base64.b64decode(authorization.removeprefix("Basic "), validate=True).decode()
    except (ValueError, UnicodeDecodeError):
        return ""


def _refusal(error: str, description: str) -> Reply:
    return Reply(400, {"error": error, "error_description": description})
