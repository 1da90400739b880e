"""OAuth 2: trading what we hold for a token that works for a while.

Twenty calls that find the token gone start one refresh and share it. A token near its end is renewed beside the work,
which goes on with the old one while that is good.
"""

import asyncio
import base64
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

import msgspec

from accordant.connector.exchange import Answer
from accordant.connector.retry import retry_after_s
from accordant.connector.signin import Wire, attached, credentials_refused, required
from accordant.kernel.errors import AccordantError, RateLimited, Unavailable
from accordant.kernel.failpoints import around

AHEAD_S = 60.0
"""A token is renewed this long before its end, or in the last fifth of a short life."""
AGAIN_S = 5.0
"""Between tries to renew a token that is still good."""


class _Held(msgspec.Struct):
    """A token in use."""

    headers: Mapping[str, str]
    renew_at_s: float
    ends_at_s: float


class TokenAuth(ABC):
    """A bearer token that is fetched when needed, by one at a time."""

    def __init__(self, token_path: str, lifetime_s: float | None) -> None:
        self._token_path = token_path
        self._lifetime_s = lifetime_s
        self._wire: Wire | None = None
        self._held: _Held | None = None
        self._renewal: asyncio.Task[_Held] | None = None

    def attach(self, wire: Wire) -> None:
        self._wire = wire

    async def headers(self, method: str, url: str, *, body: bytes) -> Mapping[str, str]:
        now_s = attached(self._wire).clock.monotonic_s()
        held = self._held
        if held is not None and now_s < held.renew_at_s:
            return held.headers
        if self._renewal is None:
            with around("signin.renew"):
                self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        if held is not None and now_s < held.ends_at_s:
            return held.headers
        # Shielded: whoever gives up waiting must not take the token from the others.
        return (await asyncio.shield(self._renewal)).headers

    async def refused(self, headers: Mapping[str, str]) -> bool:
        # Others may have renewed since these headers were made; their token is left alone.
        if self._held is not None and self._held.headers is headers:
            self._held = None
        return True

    @abstractmethod
    def _form(self, wire: Wire) -> tuple[Sequence[tuple[str, str]], Mapping[str, str]]:
        """Fields and headers of the call to the token endpoint."""

    async def _renew(self) -> _Held:
        wire = attached(self._wire)
        fields, headers = self._form(wire)
        asked_s = wire.clock.monotonic_s()
        answer = await wire.post_form(self._token_path, fields, headers=headers)
        token, said_s = _token_of(answer, wire)
        life_s = said_s or self._lifetime_s or math.inf
        return _Held(
            headers={"Authorization": f"Bearer {token}"},
            renew_at_s=asked_s + life_s - min(AHEAD_S, life_s / 5) if life_s < math.inf else math.inf,
            ends_at_s=asked_s + life_s * 0.95,
        )

    def _renewed(self, renewal: asyncio.Task[_Held]) -> None:
        self._renewal = None
        if not renewal.cancelled() and renewal.exception() is None:
            self._held = renewal.result()
        elif self._held is not None:
            self._held.renew_at_s = attached(self._wire).clock.monotonic_s() + AGAIN_S


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

    def __repr__(self) -> str:
        return f"ClientCredentialsSpec(token_path={self.token_path!r}, client_id={self.client_id!r})"


class ClientCredentials(TokenAuth):
    """OAuth 2 with client id and secret."""

    def __init__(self, spec: ClientCredentialsSpec) -> None:
        super().__init__(spec.token_path, spec.lifetime_s)
        client_id, secret = required(spec.client_id, "client_id"), required(spec.client_secret, "client_secret")
        fields = [("grant_type", "client_credentials")]
        self._extra: Mapping[str, str] = {}
        if spec.in_body:
            fields += [("client_id", client_id), ("client_secret", secret)]
        else:
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
            self._extra = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        self._fields = [*fields, ("scope", spec.scope)] if spec.scope else fields

    def _form(self, wire: Wire) -> tuple[Sequence[tuple[str, str]], Mapping[str, str]]:
        return self._fields, self._extra


def _token_of(answer: Answer, wire: Wire) -> tuple[str, float | None]:
    """The token and its life in seconds, where the vendor says it."""
    said = answer.json_or_none()
    fields = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    token = fields.get("access_token")
    if answer.status == 200 and isinstance(token, str) and token.isascii() and token.isprintable() and token:
        return token, _seconds(fields.get("expires_in"))
    raise _refusal(answer, str(fields.get("error", answer.status)), wire=wire)


def _refusal(answer: Answer, said: str, *, wire: Wire) -> AccordantError:
    if answer.status == 429:
        wait_s = retry_after_s(answer.headers, now_ms=wire.clock.now_ms())
        return RateLimited(f"{wire.connection} asks us to sign in less often", retry_after_s=wait_s)
    if 400 <= answer.status < 500:
        # Only the error code of RFC 6749 §5.2 is shown: some vendors repeat what was sent in the rest.
        return credentials_refused(wire.connection, said[:80])
    unavailable = Unavailable(f"{wire.connection} gave no token: status {answer.status}, or a body without one")
    unavailable.code = "vendor.no_token"
    return unavailable


def _seconds(value: object) -> float | None:
    """`expires_in`, which some vendors send as text (NetSuite)."""
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if 0 < seconds < math.inf else None
