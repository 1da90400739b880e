"""What the doctor looks at: database, secrets, connections; each finding says what is wrong and what to do."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from accordant.backbone.engine.due import stranded
from accordant.connector.settings import SANDBOX, sandbox_url, secret_store
from accordant.experience.cli.client import address_of
from accordant.experience.cli.reading import settings_of
from accordant.governance.connections import ConnectionEntry, load_connections
from accordant.kernel.database import Database, NotRead, metadata
from accordant.kernel.database.connection import durability, weakness
from accordant.kernel.errors import AccordantError, Misconfigured
from accordant.security import secrets
from accordant.telemetry.audit import verify_chain
from accordant.wiring import VENDORS

_REACH_WITHIN_S = 3.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    about: str
    is_fine: bool
    said: str
    hint: str = ""


def examine(state: Path | None, db: str | None) -> list[Finding]:
    """Look at everything; changes nothing and sends no credentials."""
    settings = settings_of(state, db)
    findings = [_platform(settings.state), *_database(settings.database_url)]
    try:
        entries = load_connections(settings.state / "estate")
        stores = {entry.name: secret_store(entry, settings.state) for entry in entries}
    except AccordantError as wrong:
        problems: list[object] = wrong.detail.get("problems") or []
        said = "; ".join([wrong.message, *map(str, problems)])
        return [*findings, Finding(about="estate", is_fine=False, said=said, hint=wrong.hint)]
    except OSError as wrong:
        said = f"the estate cannot be read: {wrong.strerror}: {settings.state / 'estate'}"
        return [*findings, Finding(about="estate", is_fine=False, said=said, hint="`accordant up` lays one out")]
    findings += [_secrets(entry, stores[entry.name]) for entry in entries]
    return [*findings, *asyncio.run(_reach_all(entries, settings.state))]


def _platform(state: Path) -> Finding:
    address = address_of(state)
    if address is None:
        return Finding(about="platform", is_fine=True, said="not running on this state folder", hint="`accordant up`")
    try:
        os.kill(address.pid, 0)
    except ProcessLookupError:
        said = f"process {address.pid} of api.json has ended"
        return Finding(about="platform", is_fine=False, said=said, hint="start it again with `accordant up`")
    except PermissionError:
        return Finding(about="platform", is_fine=True, said=f"runs as another user, at {address.url}")
    return Finding(about="platform", is_fine=True, said=f"runs at {address.url} (process {address.pid})")


def _database(url: str) -> list[Finding]:
    database = None
    try:
        database = Database(url, readers=1)
        if database.is_sqlite and not Path(database.url.database or "").exists():
            said = f"{database.url.database} does not exist yet"
            return [Finding(about="database", is_fine=False, said=said, hint="`accordant up` makes it")]
        kept = Finding(about="database", is_fine=True, said=durability(database))
        if weak := weakness(database):
            kept = Finding(
                about="database", is_fine=False, said=weak, hint="turn it on in postgresql.conf, then restart"
            )
        return [kept, *database.read_now(_stored)]
    except (SQLAlchemyError, NotRead, Misconfigured) as failed:
        said = f"cannot be used: {str(failed).splitlines()[0]}"
        return [Finding(about="database", is_fine=False, said=said, hint="check --db, and that the server runs")]
    finally:
        if database is not None:
            database.close()


def _stored(connection: Connection) -> Iterable[Finding]:
    there = inspect(connection)
    missing = sorted(
        table.name if table.name not in there.get_table_names() else f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if table.name not in there.get_table_names()
        or column.name not in {one["name"] for one in there.get_columns(table.name)}
    )
    stamp = "no version recorded"
    if "alembic_version" in there.get_table_names():
        numbers = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        stamp = f"version {', '.join(map(str, numbers)) or 'none'}"
    if missing:
        said = f"{stamp}; it lacks {', '.join(dict.fromkeys(missing))}"
        return [
            Finding(about="schema", is_fine=False, said=said, hint="start this release once: it brings it up to date")
        ]
    chain = verify_chain(connection)
    said = f"{chain.entries:,} entries, unbroken" if chain.valid else f"broken at entry {chain.first_broken}"
    hint = "" if chain.valid else "somebody changed the audit past the platform; compare with a backup"
    audit = Finding(about="audit chain", is_fine=chain.valid, said=said, hint=hint)
    left = stranded(connection)
    said = f"{left} transactions will never be driven again" if left else "nothing is forgotten"
    hint = "restart the platform, and report it: this must not happen" if left else ""
    forgotten = Finding(about="transactions", is_fine=not left, said=said, hint=hint)
    schema = Finding(about="schema", is_fine=True, said=f"{stamp}; every table and column is there")
    return [schema, audit, forgotten]


def _secrets(entry: ConnectionEntry, store: secrets.Store) -> Finding:
    about = f"secrets of {entry.name}"
    references = [*entry.credentials.values(), *entry.webhook_secrets]
    missing = [one.removeprefix("secret:") for one in references if one.removeprefix("secret:") not in store]
    if missing:
        hint = "add them to secrets.json in the state folder, or set ACCORDANT_SECRET_<NAME>"
        return Finding(about=about, is_fine=False, said=f"missing: {', '.join(missing)}", hint=hint)
    connector = VENDORS.get(entry.vendor)
    if connector is not None and connector.verify is not None and not entry.webhook_secrets:
        hint = "name one under webhook_secrets in connections.yaml"
        return Finding(about=about, is_fine=False, said="no webhook secret: every delivery is refused", hint=hint)
    return Finding(about=about, is_fine=True, said=f"{len(references)} of {len(references)} present")


async def _reach_all(entries: Iterable[ConnectionEntry], state: Path) -> list[Finding]:
    return list(await asyncio.gather(*(_reach(entry, state) for entry in entries)))


async def _reach(entry: ConnectionEntry, state: Path) -> Finding:
    """Open a connection to the system and close it again."""
    about = f"connection {entry.name}"
    if entry.vendor not in VENDORS:
        hint = f"use one of {', '.join(VENDORS)}"
        return Finding(about=about, is_fine=False, said=f"no connector is called {entry.vendor!r}", hint=hint)
    try:
        name = entry.base_url.removeprefix(SANDBOX)
        url = entry.base_url if name == entry.base_url else sandbox_url(state, name)
    except Misconfigured as wrong:
        return Finding(about=about, is_fine=False, said=wrong.message, hint=wrong.hint)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        opening = asyncio.open_connection(parts.hostname, port, ssl=parts.scheme == "https" or None)
        _, writer = await asyncio.wait_for(opening, _REACH_WITHIN_S)
        writer.close()
    except (OSError, TimeoutError) as failed:
        why = str(failed) or "no answer in time"
        hint = "start its sandbox with `accordant up`, or check network and address"
        return Finding(about=about, is_fine=False, said=f"{url} cannot be reached: {why}", hint=hint)
    return Finding(about=about, is_fine=True, said=f"{entry.vendor} at {url} answers")
