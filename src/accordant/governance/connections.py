"""Which systems this company connects, where they are, and which secrets open them, by name only."""

from pathlib import Path
from typing import Any

import msgspec


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
    rate_per_s: float | None = None
    concurrency: int = 32
    daily_quota: int | None = None
    timeout_s: float = 10.0


def load_connections(folder: Path) -> tuple[ConnectionEntry, ...]:
    """The connections of an estate folder, in the file's order.

    Raises:
        Misconfigured: `detail["problems"]` lists up to 50 lines `path:line:col: code: what – expected – how to fix`.
    """
    raise NotImplementedError
