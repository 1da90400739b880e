"""Commands go to the process that owns the database, over its API; where it is stands in the state folder."""

import os
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from accordant.experience.cli.outcome import BadInput, NotFound, NotRunning
from accordant.kernel.errors import AccordantError, Refused, Unavailable
from accordant.kernel.settings import default_state

_TIMEOUT_S = 120.0
_START = "start it with `accordant up`"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """`api.json`: where the platform answers, the token for its commands, and its process."""

    url: str
    token: str
    pid: int
    database_url: str | None = None
    """Where it is not the state folder's own."""

    def __repr__(self) -> str:
        return f"Address(url={self.url!r}, pid={self.pid})"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What the API answers when it does not do something."""

    code: str = ""
    detail: str = ""
    hint: str = ""
    about: dict[str, Any] = {}


def address_of(state: Path) -> Address | None:
    """What `api.json` says, or None where there is none or it cannot be understood."""
    try:
        return msgspec.json.decode((state / "api.json").read_bytes(), type=Address)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


class Client:
    """The running platform."""

    def __init__(self, state: Path | None, *, actor: str) -> None:
        """Raises NotRunning where no platform runs on this state folder."""
        self._state = state or default_state()
        address = address_of(self._state)
        if address is None:
            raise NotRunning(f"no platform runs on {self._state}: it has no readable api.json", hint=_START)
        if not _is_alive(address.pid):
            raise NotRunning(
                f"no platform runs on {self._state}: process {address.pid} of its api.json has ended", hint=_START
            )
        self._address = address
        self._actor = actor

    def command(self, method: str, path: str, *, body: object = None) -> dict[str, Any]:
        """What it answered. Raises Refused, NotFound, BadInput, Unavailable or NotRunning."""
        parts = urlsplit(self._address.url)
        connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT_S)
        headers = {
            "Authorization": f"Bearer {self._address.token}",
            "Content-Type": "application/json",
            "X-Actor": self._actor,
        }
        try:
            connection.request(method, path, msgspec.json.encode(body if body is not None else {}), headers)
            answer = connection.getresponse()
            status, raw = answer.status, answer.read()
        except ConnectionRefusedError as refused:
            raise NotRunning(f"nobody answers at {self._address.url}", hint=_START) from refused
        except (OSError, HTTPException) as failed:
            raise Unavailable(
                f"the platform at {self._address.url} gave no whole answer ({failed}); "
                "the command may have been carried out, so look before you repeat it"
            ) from failed
        finally:
            connection.close()
        if status >= 300:
            raise problem_of(status, raw)
        return msgspec.json.decode(raw, type=dict[str, Any])


def path(*parts: str) -> str:
    """A path of the API; every part is escaped."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def problem_of(status: int, raw: bytes) -> AccordantError:
    """The error that an answer stands for."""
    try:
        said = msgspec.json.decode(raw, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = Problem(detail=raw[:200].decode(errors="replace"))
    kinds: dict[int, type[AccordantError]] = {404: NotFound, 409: Refused, 422: BadInput, 503: Unavailable}
    kind = kinds.get(status, Refused)
    message = said.detail or f"the platform answered {status}"
    error = kind(message, detail=said.about)
    error.code, error.hint = said.code or error.code, said.hint
    return error


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
