"""What every way of signing in is: given a wire to work with, it says who we are."""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from accordant.connector.exchange import Answer
from accordant.kernel.clock import Clock
from accordant.kernel.errors import Misconfigured, Retryable


class Wire(Protocol):
    """What an `Auth` is given to work with, by the `VendorHttp` that it signs for."""

    @property
    def connection(self) -> str:
        """Name of the connection, for messages."""
        ...

    @property
    def clock(self) -> Clock: ...

    @property
    def rng(self) -> random.Random: ...

    async def post_form(
        self, path: str, fields: Sequence[tuple[str, str]], *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Call the token endpoint, on the connection's own host; any status is handed back.

        Raises:
            Unavailable: no answer; nothing was written either way.
        """
        ...


class Auth(Protocol):
    """Says who we are."""

    def attach(self, wire: Wire) -> None:
        """Called once, by the `VendorHttp` that signs with it."""
        ...

    async def headers(self, method: str, url: str, *, body: bytes) -> Mapping[str, str]:
        """The headers that authenticate this call; `url` is complete and encoded."""
        ...

    async def refused(self, headers: Mapping[str, str]) -> bool:
        """The vendor answered 401 to these headers; True where trying again with new ones makes sense."""
        ...


def required(value: str, name: str) -> str:
    """A credential that is there and fits into a header.

    Raises:
        Misconfigured: empty, or with characters that no header may carry. The value is not shown.
    """
    if not value or not value.isprintable():
        raise Misconfigured(
            f"the credential {name} is empty or has unprintable characters; expected one line of text",
            code="credentials.missing",
            hint="enter it again in the secrets file, without a line break",
        )
    return value


def attached(wire: Wire | None) -> Wire:
    """The wire, or a plain error for an `Auth` that no `VendorHttp` took."""
    if wire is None:
        raise Misconfigured("this sign-in is not attached to a connection yet", code="credentials.unattached")
    return wire


def credentials_refused(connection: str, said: str) -> Retryable:
    """Nothing was applied, and nothing will be until a person acts: the work parks, it does not fail."""
    return Retryable(
        f"{connection} does not accept our credentials: {said}",
        code="vendor.credentials_refused",
        hint=f"The owner of connection {connection} renews its credentials, then releases what is parked here.",
        detail={"connection": connection},
    )
