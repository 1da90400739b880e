"""Signing in, each way a vendor may ask for it; one token refresh serves everybody who waits for it."""

import base64
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from oauthlib.oauth1.rfc5849 import parameters, signature

from accordant.connector.signin import Auth, Wire, attached, required
from accordant.connector.tokens import ClientCredentials, ClientCredentialsSpec, JwtBearer, JwtSpec

_oauth = cast("Any", signature)
_headers_of = cast("Any", parameters).prepare_headers
"""The library's annotations are partly missing and partly wrong (its functions take lists of pairs)."""

__all__ = [
    "Auth",
    "BasicAuth",
    "BearerToken",
    "ClientCredentials",
    "ClientCredentialsSpec",
    "JwtBearer",
    "JwtSpec",
    "OAuth1",
    "OAuth1Keys",
    "Wire",
]


class BearerToken:
    """A token that an administrator made, such as a Stripe secret key."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {required(token, 'token')}"}

    def attach(self, wire: Wire) -> None:
        """Nothing is needed."""

    async def headers(self, method: str, url: str, *, body: bytes) -> Mapping[str, str]:
        return self._headers

    async def refused(self, headers: Mapping[str, str]) -> bool:
        return False


class BasicAuth(BearerToken):
    """User and password, or what a vendor puts in their place (Zendesk: `email/token` and the API token)."""

    def __init__(self, user: str, password: str) -> None:
        pair = f"{required(user, 'user')}:{required(password, 'password')}"
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


class OAuth1Keys(msgspec.Struct, frozen=True, kw_only=True):
    """NetSuite token-based authentication: an integration's pair, a user's pair, and the account as realm."""

    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    realm: str

    def __repr__(self) -> str:
        return f"OAuth1Keys(realm={self.realm!r})"


class _Secrets(msgspec.Struct, frozen=True):
    """The two secrets under the names that oauthlib's signing looks for."""

    client_secret: str
    resource_owner_secret: str

    def __repr__(self) -> str:
        return "_Secrets()"


class OAuth1:
    """OAuth 1.0 (RFC 5849) with HMAC-SHA256 and a realm; every call is signed for itself.

    Built from oauthlib's steps instead of its `Client`, which costs twice as much per call and writes parameters and
    signature to the debug log. A form-encoded body, which would have to be signed, is not supported.
    """

    def __init__(self, keys: OAuth1Keys) -> None:
        self._realm = required(keys.realm, "realm")
        self._secrets = _Secrets(
            required(keys.consumer_secret, "consumer_secret"), required(keys.token_secret, "token_secret")
        )
        self._fixed = [
            ("oauth_consumer_key", required(keys.consumer_key, "consumer_key")),
            ("oauth_token", required(keys.token, "token")),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_version", "1.0"),
        ]
        self._wire: Wire | None = None

    def attach(self, wire: Wire) -> None:
        self._wire = wire

    async def headers(self, method: str, url: str, *, body: bytes) -> Mapping[str, str]:
        wire = attached(self._wire)
        stamped = [
            *self._fixed,
            ("oauth_nonce", f"{wire.rng.getrandbits(96):024x}"),
            ("oauth_timestamp", str(wire.clock.now_ms() // 1000)),
        ]
        place, _, query = url.partition("?")
        signed = [*_oauth.collect_parameters(uri_query=query), *stamped]
        text = _oauth.signature_base_string(method, _oauth.base_string_uri(place), _oauth.normalize_parameters(signed))
        proof = _oauth.sign_hmac_sha256_with_client(text, self._secrets)
        return _headers_of([*stamped, ("oauth_signature", proof)], realm=self._realm)

    async def refused(self, headers: Mapping[str, str]) -> bool:
        return False
