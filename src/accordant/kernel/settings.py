"""The platform's own settings: one typed object, read once when it starts."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from accordant.kernel.errors import Misconfigured


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the platform keeps its state and how much it does at once."""

    state: Path
    """Folder of the database, the estate and the sandboxes' ledgers."""
    database_url: str
    tenant: str = "demo"
    engine: str = "journal"
    """`journal` (one process) or `dbos` (any number of workers on PostgreSQL)."""
    in_flight: int = 64
    """Transactions driven at the same time."""
    window: int = 512
    """Transactions read ahead; memory does not grow with the backlog beyond this."""
    host: str = "127.0.0.1"
    port: int = 8080


def settings_for(state: Path, *, database_url: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from a state folder and the environment (`ACCORDANT_DATABASE_URL`, `ACCORDANT_ENGINE`, …)."""
    env = os.environ if environ is None else environ
    url = database_url or env.get("ACCORDANT_DATABASE_URL") or f"sqlite:///{state / 'accordant.db'}"
    return Settings(
        state=state,
        database_url=url,
        tenant=env.get("ACCORDANT_TENANT", "demo"),
        engine=env.get("ACCORDANT_ENGINE", "journal"),
        in_flight=_number(env, "ACCORDANT_IN_FLIGHT", default=64, most=100_000),
        port=_number(env, "ACCORDANT_PORT", default=8080, most=65_535),
    )


def _number(env: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = env.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or int(text) > most:
        raise Misconfigured(
            f"the variable {name} is {text[:40]!r}; expected a whole number from 0 to {most}",
            code="settings.number",
            hint=f"correct {name}, or unset it: {default} is then used",
        )
    return int(text)


def default_state() -> Path:
    """`ACCORDANT_STATE`, or `.accordant` in the current folder."""
    return Path(os.environ.get("ACCORDANT_STATE", ".accordant"))


def child_environment(**extra: str) -> dict[str, str]:
    """The environment for a process of ours that this one starts, with something added."""
    return {**os.environ, **extra}


def adopt_environment(values: Mapping[str, str]) -> None:
    """Add variables to this process's own environment, as if it had been started with them."""
    os.environ.update(values)


def secret_overrides(names: Iterable[str], *, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Secrets that the environment gives: `ACCORDANT_SECRET_BILLING_API_KEY` for `billing.api_key`."""
    env = os.environ if environ is None else environ
    variables = {name: "ACCORDANT_SECRET_" + re.sub("[^A-Z0-9]", "_", name.upper()) for name in names}
    return {name: env[variable] for name, variable in variables.items() if env.get(variable)}


def environment() -> Mapping[str, str]:
    """The process's environment, for the few things that may not stand in a command line."""
    return os.environ
