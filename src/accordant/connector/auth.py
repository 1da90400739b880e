"""Signing in, each way a vendor may ask for it; one token refresh serves everybody who waits for it."""

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from accordant.kernel.clock import Clock

if TYPE_CHECKING:
    from accordant.connector.http import Answer


class Wire(Protocol):
    """What an `Auth` is given to work with, by the `VendorHttp` that it signs for."""

    @property
    def connection(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def rng(self) -> random.Random: ...

    async def post_form(self, path: str, fields: Sequence[tuple[str, str]], *, headers: Mapping[str, str]) -> "Answer":
        """Call the token endpoint, on the connection's own host; any status is handed back."""
        ...


class Auth(Protocol):
    """Says who we are."""

    def attach(self, wire: Wire) -> None:
        """Called once, by the `VendorHttp` that signs with it."""
        ...

    async def headers(self, method: str, url: str, body: bytes) -> Mapping[str, str]:
        """The headers that authenticate this call; `url` is complete and encoded."""
        ...

    async def refused(self, headers: Mapping[str, str]) -> bool:
        """The vendor answered 401 to these headers; True where trying again with new ones makes sense."""
        ...


class BearerToken:
    """A token that an administrator made, such as a Stripe secret key."""

    def __init__(self, token: str) -> None:
        raise NotImplementedError


class BasicAuth:
    """User and password, or what a vendor puts in their place (Zendesk: `email/token` and the API token)."""

    def __init__(self, user: str, password: str) -> None:
        raise NotImplementedError


class OAuth1Keys(msgspec.Struct, frozen=True, kw_only=True):
    """NetSuite token-based authentication: an integration's consumer pair, a user's token pair, the account as realm."""

    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    realm: str


class OAuth1:
    """OAuth 1.0 with HMAC-SHA256 and a realm; every call is signed for itself."""

    def __init__(self, keys: OAuth1Keys) -> None:
        raise NotImplementedError


class ClientCredentialsSpec(msgspec.Struct, frozen=True, kw_only=True):
    """OAuth 2 client credentials (RFC 6749 §4.4). `token_path` is on the connection's host."""

    token_path: str
    client_id: str
    client_secret: str
    scope: str = ""
    in_body: bool = True
    """Credentials as form fields; False sends them as HTTP Basic."""
    lifetime_s: float | None = None
    """Where the vendor does not say `expires_in` (Salesforce): None keeps the token until it is refused."""


class ClientCredentials:
    """OAuth 2 with client id and secret."""

    def __init__(self, spec: ClientCredentialsSpec) -> None:
        raise NotImplementedError


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


class JwtBearer:
    """OAuth 2 with a signed assertion instead of a secret."""

    def __init__(self, spec: JwtSpec) -> None:
        raise NotImplementedError
