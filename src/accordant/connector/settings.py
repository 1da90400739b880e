"""A connection as the estate writes it becomes the settings of a client: secrets looked up, sandboxes found."""

from pathlib import Path

import msgspec

from accordant.connector.capabilities import ConnectionSettings, SandboxSeed
from accordant.governance.connections import ConnectionEntry
from accordant.kernel.errors import Misconfigured
from accordant.kernel.settings import secret_overrides
from accordant.security import secrets

SANDBOX = "sandbox://"


def settings_of(entry: ConnectionEntry, state: Path, *, sandbox: SandboxSeed) -> ConnectionSettings:
    """A connection with its secrets and, for `sandbox://`, the local sandbox's address and options.

    A secret that the environment gives (`ACCORDANT_SECRET_…`) wins over the one of the secrets file.

    Raises:
        Misconfigured: a secret or the sandbox is missing.
    """
    store = secret_store(entry, state)
    options, base_url = dict(entry.options), entry.base_url
    if base_url.startswith(SANDBOX):
        base_url = sandbox_url(state, base_url.removeprefix(SANDBOX))
        options = {**sandbox.options, **options}
    return ConnectionSettings(
        name=entry.name,
        vendor=entry.vendor,
        base_url=base_url,
        credentials={name: secrets.resolve(ref, store).reveal() for name, ref in entry.credentials.items()},
        webhook_secrets=tuple(secrets.resolve(ref, store).reveal() for ref in entry.webhook_secrets),
        options=options,
        rate_per_s=entry.rate_per_s,
        concurrency=entry.concurrency,
        daily_quota=entry.daily_quota,
        timeout_s=entry.timeout_s,
    )


def secret_store(entry: ConnectionEntry, state: Path) -> secrets.Store:
    """The secrets of the state folder, with those of this connection that the environment overrides."""
    references = [*entry.credentials.values(), *entry.webhook_secrets]
    names = [one.removeprefix(secrets.PREFIX) for one in references if one.startswith(secrets.PREFIX)]
    return secrets.open_store(state / "secrets.json", overrides=secret_overrides(names))


def sandbox_url(state: Path, name: str) -> str:
    """Where a local sandbox listens, as its launcher wrote it down."""
    file = state / "sandboxes.json"
    addresses: dict[str, str] = msgspec.json.decode(file.read_bytes(), type=dict[str, str]) if file.exists() else {}
    if name not in addresses:
        raise Misconfigured(f"no sandbox runs for {name}; start the platform with `accordant up`")
    return addresses[name]
