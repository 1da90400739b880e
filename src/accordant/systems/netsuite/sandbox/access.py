"""Who may call: token-based authentication (OAuth 1.0a) or a bearer token bought with a signed assertion.

Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162755359851.html (token request)
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_162790605110.html (assertion)
Source: https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/subsect_156934879823.html (timestamp ± 5 minutes)
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from oauthlib.common import Request
from oauthlib.oauth1.rfc5849 import signature

from accordant.connector.sandbox import Call, Kit, Reply
from accordant.systems.netsuite.sandbox import TokenAccess

CLOCK_TOLERANCE_S = 300
NONCE_LENGTH = range(6, 65)
TOKEN_LIFE_S = 3600
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S = 3600
ALGORITHMS = ["PS256", "PS384", "PS512"]
"""NetSuite takes elliptic curves as well; the sandbox knows RSA certificates only."""


_verify = cast("Callable[[Any, str, str], bool]", signature.verify_hmac_sha256)  # pyright: ignore[reportUnknownMemberType]


class _Certificate(msgspec.Struct, frozen=True, kw_only=True):
    client_id: str
    key: Any


class Gate:
    """Admits signed requests, each once, and bearer tokens that have not run out."""

    def __init__(self, kit: Kit, access: TokenAccess) -> None:
        self._kit = kit
        self._access = access
        self._nonces: set[tuple[str, str]] = set()
        self._nonce_order: deque[tuple[int, tuple[str, str]]] = deque()
        self._bearers: dict[str, float] = {}
        self._certificates: dict[str, _Certificate] = {}

    def admits(self, call: Call) -> bool:
        scheme, _, rest = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._bearers.get(rest, 0.0) > self._kit.clock.now_s()
        return scheme.lower() == "oauth" and self._signed(call)

    def add_certificate(self, certificate_id: str, *, client_id: str, public_key: str) -> None:
        """Map the RSA public key (PEM) of a certificate to an integration, as an administrator does in Setup."""
        self._certificates[certificate_id] = _Certificate(client_id=client_id, key=import_key(public_key, "RSA"))

    def expire(self) -> None:
        self._bearers.clear()

    def sell_token(self, call: Call) -> Reply:
        """The token endpoint of the client credentials flow."""
        form = dict(call.form())
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            return Reply(400, {"error": "invalid_request"})
        if not self._proves(form.get("client_assertion", ""), audience=_address(call)):
            return Reply(400, {"error": "invalid_grant"})
        token = f"eyJ.{self._kit.rng.getrandbits(256):064x}"
        self._bearers[token] = self._kit.clock.now_s() + TOKEN_LIFE_S
        return Reply(200, {"access_token": token, "expires_in": str(TOKEN_LIFE_S), "token_type": "Bearer"})

    def _proves(self, assertion: str, *, audience: str) -> bool:
        try:
            token = jwt.decode(assertion, lambda header: self._certificates[_key_id(header)].key, ALGORITHMS)
            claims = token.claims
            issued_s, expires_s = int(claims["iat"]), int(claims["exp"])
            known = claims["iss"] == self._certificates[str(token.header["kid"])].client_id
        except (KeyError, TypeError, ValueError, JoseError):
            return False
        now_s = self._kit.clock.now_s()
        scope = claims.get("scope", "")
        return (
            known
            and claims.get("aud") == audience
            and "rest_webservices" in (scope.split(",") if isinstance(scope, str) else scope)
            and now_s < expires_s <= issued_s + ASSERTION_LIFE_S
            and issued_s <= now_s + CLOCK_TOLERANCE_S
        )

    def _signed(self, call: Call) -> bool:
        access = self._access
        header = {"Authorization": call.headers["Authorization"]}
        try:
            params = signature.collect_parameters(headers=header, exclude_oauth_signature=False, with_realm=True)
        except ValueError:
            return False
        given: Mapping[str, str] = dict(params)
        known = (
            given.get("realm", "").upper() == access.account
            and given.get("oauth_consumer_key") == access.consumer_key
            and given.get("oauth_token") == access.token_id
            and given.get("oauth_signature_method") == "HMAC-SHA256"
        )
        if not known or not self._fresh(given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")):
            return False
        query = parse_qsl(call.request.rel_url.raw_query_string, keep_blank_values=True)
        signed: Any = Request(_address(call), cast("Any", call.method))
        signed.params = [(k, v) for k, v in params if k not in ("realm", "oauth_signature")] + query
        signed.signature = given.get("oauth_signature", "")
        if not _verify(signed, access.consumer_secret, access.token_secret):
            return False
        self._remember(given["oauth_timestamp"], given["oauth_nonce"])
        return True

    def _fresh(self, timestamp: str, nonce: str) -> bool:
        if not timestamp.isdecimal() or len(timestamp) > 12 or len(nonce) not in NONCE_LENGTH:
            return False
        in_time = abs(int(timestamp) - self._kit.clock.now_s()) <= CLOCK_TOLERANCE_S
        return in_time and (timestamp, nonce) not in self._nonces

    def _remember(self, timestamp: str, nonce: str) -> None:
        now_s = int(self._kit.clock.now_s())
        self._nonces.add((timestamp, nonce))
        self._nonce_order.append((now_s, (timestamp, nonce)))
        while self._nonce_order[0][0] < now_s - 2 * CLOCK_TOLERANCE_S - 1:
            self._nonces.discard(self._nonce_order.popleft()[1])


def _address(call: Call) -> str:
    """The address as the caller signed it, without its query."""
    request = call.request
    path, _, _ = request.raw_path.partition("?")
    return f"{request.scheme}://{request.host}{path}"


def _key_id(header: Any) -> str:
    return str(header.headers().get("kid"))
