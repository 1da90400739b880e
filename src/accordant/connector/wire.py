"""One request, one answer: sockets, address, time limit and size cap of a connection, and no decisions.

What went wrong is told in the one distinction that matters later: was anything sent?
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from accordant.connector.capabilities import ConnectionSettings
from accordant.connector.exchange import Answer, Request, form_body
from accordant.kernel.clock import Clock
from accordant.kernel.errors import Misconfigured, Unavailable
from accordant.kernel.failpoints import around

RESPONSE_BYTES_MAX = 8 << 20
CONNECT_S_MAX = 5.0
USER_AGENT = "accordant"
_FOREIGN = frozenset(" ?#\\")
"""What no encoded path holds."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class HttpDeps(msgspec.Struct, frozen=True, kw_only=True):
    """What the kit is given instead of taking it: the pool of sockets, time, randomness.

    `rng` also makes nonces: outside tests it is a `random.SystemRandom`.
    """

    session: aiohttp.ClientSession
    clock: Clock
    rng: random.Random
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


class Lost(Exception):
    """There is no usable answer. `sent` is False only where surely nothing reached the vendor."""

    def __init__(self, what: str, *, sent: bool, request_sha256: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.sent = sent
        self.request_sha256 = request_sha256


class Target(msgspec.Struct, frozen=True):
    """Where a request goes, worked out once per call."""

    url: URL
    text: str
    sha256: str


class Line:
    """The way to one vendor's host, and to no other."""

    def __init__(self, settings: ConnectionSettings, deps: HttpDeps, *, headers: Mapping[str, str]) -> None:
        self.connection = settings.name
        self.clock = deps.clock
        self.rng = deps.rng
        self._session = deps.session
        self._credentials = settings.credentials
        # A repeat that nobody counts is a second effect: the ledger decides about every one of them.
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage] - there is no public switch
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
        self._timeout_s = settings.timeout_s
        # Connecting gets a limit of its own, the only one that proves that nothing was sent.
        self._timeout = aiohttp.ClientTimeout(
            total=settings.timeout_s, connect=min(CONNECT_S_MAX, settings.timeout_s / 2)
        )
        origin = _origin(settings)
        self._scheme, self._host, self._port = origin.scheme, origin.host or "", origin.port
        self._origin_text = str(origin.origin())

    def target(self, request: Request) -> Target:
        """Address and hash of a request.

        Raises:
            Misconfigured: a path that is not absolute and encoded.
        """
        path = request.path
        if path[:1] != "/" or not (path.isascii() and path.isprintable()) or not _FOREIGN.isdisjoint(path):
            raise Misconfigured(f"{path[:80]!r} is not an encoded absolute path", code="connection.path")
        query = urlencode(request.query, quote_via=quote) if request.query else ""
        url = URL.build(
            scheme=self._scheme, host=self._host, port=self._port, path=path, query_string=query, encoded=True
        )
        place = f"{path}?{query}" if query else path
        hasher = sha256(f"{request.method} {place}\n".encode())
        hasher.update(request.body)
        return Target(url, self._origin_text + place, hasher.hexdigest())

    async def send(self, request: Request, target: Target, *, signed: Mapping[str, str], wrote: bool) -> Answer:
        """Send it once.

        Raises:
            Lost: no answer, or not all of it.
        """
        headers = {**self._headers, **request.headers, **signed}
        if request.body:
            headers["Content-Type"] = request.content_type or "application/json"
        elif request.content_type:
            headers["Content-Type"] = request.content_type
        try:
            with around("vendor.request"):
                async with self._session.request(
                    request.method,
                    target.url,
                    data=request.body or None,
                    headers=headers,
                    allow_redirects=False,
                    timeout=self._timeout,
                ) as response:
                    body = await _read(response, target)
                    return Answer(
                        status=response.status,
                        headers={name.lower(): value for name, value in response.headers.items()},
                        body=body,
                        request_sha256=target.sha256,
                        response_sha256=sha256(body).hexdigest(),
                        wrote=wrote,
                        hidden=(self._credentials, signed),
                    )
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
            raise Lost(f"cannot connect ({type(error).__name__})", sent=False) from None
        except TimeoutError:
            what = f"did not answer within {self._timeout_s:g} s"
            raise Lost(what, sent=True, request_sha256=target.sha256) from None
        except (aiohttp.ClientError, OSError) as error:
            what = f"broke the connection ({type(error).__name__})"
            raise Lost(what, sent=True, request_sha256=target.sha256) from None

    async def post_form(
        self, path: str, fields: Sequence[tuple[str, str]], *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Call the token endpoint; see `signin.Wire`."""
        request = Request("POST", path, body=form_body(fields), content_type="application/x-www-form-urlencoded")
        try:
            return await self.send(request, self.target(request), signed=headers or {}, wrote=False)
        except Lost as lost:
            raise Unavailable(f"{self.connection} {lost.what} when asked for a token") from None


async def _read(response: aiohttp.ClientResponse, target: Target) -> bytes:
    """The whole body, never holding much more than the cap, however it is packed."""
    expected = response.content_length
    if expected is not None and expected <= RESPONSE_BYTES_MAX and "Content-Encoding" not in response.headers:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    if expected is None or expected <= RESPONSE_BYTES_MAX:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > RESPONSE_BYTES_MAX:
                break
            chunks.append(chunk)
        else:
            return b"".join(chunks)
    response.close()
    raise Lost(f"answered with more than {RESPONSE_BYTES_MAX} bytes", sent=True, request_sha256=target.sha256)


def _origin(settings: ConnectionSettings) -> URL:
    """The checked base URL.

    Raises:
        Misconfigured: not scheme, host and port alone, or plain HTTP to another machine without `plain_http`.
    """
    try:
        url = URL(settings.base_url)
        port = url.port
    except ValueError:
        url, port = URL(), None
    wanted = f"connection {settings.name}: base_url must be scheme, host and port, such as https://api.example.com"
    if url.scheme not in {"http", "https"} or not url.host or not port:
        raise Misconfigured(wanted, code="connection.url")
    if url.user or url.password or url.raw_query_string or url.raw_fragment or url.raw_path not in {"", "/"}:
        raise Misconfigured(wanted, code="connection.url")
    if url.scheme == "http" and url.host not in _LOOPBACK and settings.options.get("plain_http") is not True:
        hint = "Use https, or set the option plain_http for a host inside your own network."
        raise Misconfigured(
            f"connection {settings.name}: plain http would show its credentials", code="connection.url", hint=hint
        )
    return url
