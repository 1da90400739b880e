"""Which systems this company connects, where they are, and which secrets open them, by name only."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from accordant.governance.problems import File, Problems
from accordant.governance.shapes import read_struct, refuse_unknown
from accordant.governance.strict_yaml import Spot, read_yaml

_REFERENCE = re.compile(r"secret:[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
_SECRETIVE = re.compile(r"secret|password|passwd|token|api_?key|private_?key|credential", re.IGNORECASE)

Positive = Annotated[int, msgspec.Meta(ge=1)]


class ConnectionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One connection of the estate, its secrets still references such as `secret:billing.api_key`."""

    name: str
    vendor: str
    base_url: str
    """Scheme, host and port; `sandbox://<connection>` stands for the address of the local sandbox."""
    credentials: dict[str, str] = {}
    webhook_secrets: tuple[str, ...] = ()
    """References, newest first; none means every delivery is refused."""
    options: dict[str, Any] = {}
    rate_per_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    concurrency: Positive = 32
    daily_quota: Positive | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0


def load_connections(folder: Path) -> tuple[ConnectionEntry, ...]:
    """The connections of an estate folder, in the file's order.

    Raises:
        Misconfigured: `detail["problems"]` lists up to 50 lines `path:line:col: code: what – expected – how to fix`.
    """
    problems = Problems()
    file = File("connections.yaml", problems)
    top = read_yaml(folder / "connections.yaml", file)
    entries: list[ConnectionEntry] = []
    if top is not None:
        refuse_unknown(top, {"connections": None}, file=file)
        for name, spot in top.entries["connections"].entries.items() if "connections" in top.entries else ():
            entry = _read_entry(name, spot, file=file)
            if entry:
                entries.append(entry)
        if not entries and file.is_sound:
            file.problem(top.at, "config.shape", what="no connections", expected="at least one", fix="add one")
    problems.raise_if_any("the estate")
    return tuple(entries)


def _read_entry(name: str, spot: Spot, *, file: File) -> ConnectionEntry | None:
    if not _NAME.fullmatch(name):
        file.problem(
            spot.key_at,
            "config.name",
            what=f"connection {name!r}",
            expected="small letters, digits, - and _",
            fix="rename it",
        )
    _refuse_plaintext(spot, file)
    entry = read_struct(spot, ConnectionEntry, file=file, given={"name": name})
    if entry and (wrong := _url_fault(entry.base_url)):
        file.problem(
            spot.entries["base_url"].at,
            "config.url",
            what=wrong,
            expected="https://host, http://127.0.0.1:port or sandbox://name, without a path",
            fix="correct base_url",
        )
    return entry


def _refuse_plaintext(spot: Spot, file: File) -> None:
    """Note every secret that is written out; the problem never repeats it."""
    suspects = dict(_leaves(spot, ()))
    for path, leaf in suspects.items():
        secret_place = path[0] in {"credentials", "webhook_secrets"} or (
            path[0] == "options" and any(_SECRETIVE.search(str(part)) for part in path[1:])
        )
        if secret_place and not (isinstance(leaf.value, str) and _REFERENCE.fullmatch(leaf.value)):
            file.problem(
                leaf.at,
                "config.plaintext_secret",
                what=f"{'.'.join(map(str, path))} is written out",
                expected="a reference such as secret:billing.api_key",
                fix="put the secret into the secrets file and its name here; treat the one written here as known",
            )


def _leaves(spot: Spot, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Spot]]:
    if isinstance(spot.value, dict):
        children: list[tuple[str | int, Spot]] = list(spot.value.items())
    elif isinstance(spot.value, list):
        children = list(enumerate(spot.value))
    else:
        return [(path, spot)] if path else []
    return [leaf for key, child in children for leaf in _leaves(child, (*path, key))]


def _url_fault(url: str) -> str:
    """What is wrong with an address; never repeats it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "base_url is no address"
    if not host or parts.scheme not in {"https", "http", "sandbox"}:
        return "base_url is no address"
    if parts.username or parts.password:
        return "base_url holds a user name or password"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "base_url holds a path"
    if parts.scheme == "http" and not _is_loopback(host):
        return "base_url is not encrypted"
    return ""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
