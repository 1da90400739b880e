"""OAuth 2 with a signed assertion (RFC 7523). Loads the signing library: import it where a connection asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from accordant.connector.signin import Wire
from accordant.connector.tokens import TokenAuth
from accordant.kernel.errors import Misconfigured


class JwtSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A signed assertion that is exchanged for a token (RFC 7523)."""

    token_path: str
    private_key_pem: str
    issuer: str
    audience: str
    subject: str = ""
    algorithm: Literal["RS256", "PS256"] = "RS256"
    key_id: str = ""
    scope: tuple[str, ...] = ()
    as_client: bool = False
    """False: the assertion is the grant (Salesforce JWT bearer). True: it authenticates the client (NetSuite)."""
    assertion_life_s: int = 180
    lifetime_s: float | None = None

    def __repr__(self) -> str:
        return f"JwtSpec(token_path={self.token_path!r}, issuer={self.issuer!r}, key_id={self.key_id!r})"


class JwtBearer(TokenAuth):
    """OAuth 2 with a signed assertion instead of a secret."""

    def __init__(self, spec: JwtSpec) -> None:
        super().__init__(spec.token_path, spec.lifetime_s)
        self._spec = spec
        try:
            self._key = RSAKey.import_key(spec.private_key_pem)
        except (ValueError, TypeError, JoseError):
            raise Misconfigured(
                "private_key_pem is not an RSA private key in PEM", code="credentials.missing"
            ) from None
        if not self._key.is_private:
            raise Misconfigured("private_key_pem holds a public key", code="credentials.missing")

    def _form(self, wire: Wire) -> tuple[Sequence[tuple[str, str]], Mapping[str, str]]:
        assertion = self._assertion(wire)
        if self._spec.as_client:
            kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            client = [("client_assertion_type", kind), ("client_assertion", assertion)]
            return [("grant_type", "client_credentials"), *client], {}
        return [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)], {}

    def _assertion(self, wire: Wire) -> str:
        spec = self._spec
        issued_at_s = wire.clock.now_ms() // 1000
        header = {"alg": spec.algorithm, "typ": "JWT", **({"kid": spec.key_id} if spec.key_id else {})}
        claims: dict[str, Any] = {
            "iss": spec.issuer,
            "aud": spec.audience,
            "iat": issued_at_s,
            "exp": issued_at_s + spec.assertion_life_s,
            "jti": f"{wire.rng.getrandbits(128):032x}",
        }
        if spec.subject:
            claims["sub"] = spec.subject
        if spec.scope:
            claims["scope"] = list(spec.scope)
        return jwt.encode(header, claims, self._key, algorithms=[spec.algorithm])
