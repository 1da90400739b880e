"""Signing in, each way a vendor may ask for it; one token refresh serves everybody who waits for it."""

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

import msgspec

from accordant.connector.signin import Auth, Wire, attached, required
from accordant.connector.tokens import ClientCredentials, ClientCredentialsSpec

__all__ = [
    "Auth",
    "BasicAuth",
    "BearerToken",
    "ClientCredentials",
    "ClientCredentialsSpec",
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


class OAuth1:
    """OAuth 1.0 (RFC 5849) with HMAC-SHA256 and a realm; every call is signed for itself.

    Of our own, since oauthlib's general steps cost two and a half times as much; the tests hold every signature
    against oauthlib's. A form-encoded body, which would have to be signed, is not supported.
    """

    def __init__(self, keys: OAuth1Keys) -> None:
        self._realm = required(keys.realm, "realm")
        secrets = required(keys.consumer_secret, "consumer_secret"), required(keys.token_secret, "token_secret")
        self._key = "&".join(map(_escaped, secrets)).encode()
        self._fixed = [
            ("oauth_consumer_key", _escaped(required(keys.consumer_key, "consumer_key"))),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_token", _escaped(required(keys.token, "token"))),
            ("oauth_version", "1.0"),
        ]
        self._wire: Wire | None = None

    def attach(self, wire: Wire) -> None:
        self._wire = wire

    async def headers(self, method: str, url: str, *, body: bytes) -> Mapping[str, str]:
        """`url` has a lower-case scheme and host and no default port, as `Line.target` makes it."""
        wire = attached(self._wire)
        place, _, query = url.partition("?")
        stamped = [
            *self._fixed,
            ("oauth_nonce", f"{wire.rng.getrandbits(96):024x}"),
            ("oauth_timestamp", str(wire.clock.now_ms() // 1000)),
        ]
        asked = [(_escaped(name), _escaped(value)) for name, value in parse_qsl(query, keep_blank_values=True)]
        # Names and values are escaped already: escaping the whole of them once more can meet only `%`, `=` and `&`.
        pairs = (f"{name}={value}" for name, value in sorted([*asked, *stamped]))
        normal = "%26".join(pair.replace("%", "%25").replace("=", "%3D") for pair in pairs)
        text = f"{method}&{_escaped(place)}&{normal}"
        proof = base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()
        told = ", ".join(f'{name}="{value}"' for name, value in [*stamped, ("oauth_signature", _escaped(proof))])
        return {"Authorization": f'OAuth realm="{self._realm}", {told}'}

    async def refused(self, headers: Mapping[str, str]) -> bool:
        return False


def _escaped(text: str) -> str:
    """Percent-encoded as RFC 5849, section 3.6, wants it: all but letters, digits and `-._~`."""
    return quote(text, safe="~")
