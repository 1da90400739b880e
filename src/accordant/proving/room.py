"""Where a drill may break things: an empty folder, and a database of its own that nobody else's data is in.

SQLite gets a new file. On PostgreSQL a new database is created and dropped again; where the role may not create one, a
new schema in the database that was named, which must then be empty.
"""

import contextlib
import random
from collections.abc import Generator
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from accordant.kernel.errors import Misconfigured, Retryable
from accordant.launch import state as states
from accordant.proving.disturbance import CLIENT_TIMEOUT_S
from accordant.security.secrets import PREFIX, open_store, save_store

_NAME = "accordant_verify_"
_SECRET_MIN = 12
"""A shorter secret would be found by chance."""
_USED = (
    "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND n.nspname NOT LIKE 'pg_toast%' AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 1 LIMIT 1"
)
_HINT = "name an empty database, such as postgresql://user@host/postgres, or leave --db away"


def require_empty_folder(folder: Path) -> None:
    """Raises Misconfigured when anything is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Misconfigured(
            f"{folder} is not empty; a drill breaks what it finds and needs a folder of its own",
            code="verify.state_not_empty",
            hint="name a new folder with --state, or leave --state away",
        )


@contextlib.contextmanager
def fresh_database(url: str | None, folder: Path, *, rng: random.Random) -> Generator[str]:
    """The address of a database made for this drill, dropped again at the end.

    Raises:
        Misconfigured: the address makes no sense, or what it names holds data.
        Retryable: the server does not answer, or allows neither a database nor a schema.
    """
    parsed = _parsed(url) if url else None
    if parsed is None:
        yield f"sqlite:///{folder / 'accordant.db'}"
    elif parsed.get_backend_name() == "sqlite":
        _require_no_file(parsed)
        yield parsed.render_as_string(hide_password=False)
    else:
        with _on_server(parsed, f"{_NAME}{rng.getrandbits(48):012x}") as address:
            yield address


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as wrong:
        raise Misconfigured(
            "--db is no database address; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE",
            code="verify.bad_url",
        ) from wrong
    if parsed.get_backend_name() not in {"sqlite", "postgresql", "postgres"}:
        raise Misconfigured(
            f"{parsed.get_backend_name()!r} is not a database Accordant runs on; use sqlite:/// or postgresql://",
            code="verify.bad_url",
        )
    return parsed


def _require_no_file(parsed: URL) -> None:
    file = Path(parsed.database or "")
    if not parsed.database or parsed.database == ":memory:":
        raise Misconfigured("a drill needs a database that survives a kill; name a file", code="verify.bad_url")
    if file.exists() and file.stat().st_size:
        raise Misconfigured(
            f"{file} holds data; a drill needs a file of its own", code="verify.database_not_empty", hint=_HINT
        )


@contextlib.contextmanager
def _on_server(parsed: URL, name: str) -> Generator[str]:
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    used = _execute(plain, _USED)
    if used:
        raise Misconfigured(
            f"the database {parsed.database!r} holds data ({used}); a drill leaves it alone",
            code="verify.database_not_empty",
            hint=_HINT,
        )
    try:
        _execute(plain, f'CREATE DATABASE "{name}" TEMPLATE template0')
        made, address = "DATABASE", parsed.set(database=name)
    except psycopg.errors.InsufficientPrivilege:
        made, address = "SCHEMA", parsed.update_query_dict({"options": f"-csearch_path={name}"})
        try:
            _execute(plain, f'CREATE SCHEMA "{name}"')
        except psycopg.errors.InsufficientPrivilege as refused:
            raise Retryable(
                "the role may create neither a database nor a schema",
                code="verify.no_room",
                hint="GRANT CREATE ON DATABASE … TO …, or ALTER ROLE … CREATEDB",
            ) from refused
    try:
        yield address.render_as_string(hide_password=False)
    finally:
        _execute(
            plain, f'DROP DATABASE "{name}" WITH (FORCE)' if made == "DATABASE" else f'DROP SCHEMA "{name}" CASCADE'
        )


def _execute(address: str, statement: str) -> str:
    """Run one statement of ours, outside any transaction; the first value that it gives, as text."""
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(cast(LiteralString, statement))
            found = cursor.fetchone() if cursor.description else None
            return str(found[0]) if found else ""
    except psycopg.OperationalError as failed:
        raise Retryable(f"PostgreSQL does not answer: {failed}", code="verify.no_database") from failed


def furnish(state: Path, *, rng: random.Random) -> tuple[dict[str, str], tuple[str, ...]]:
    """Lay out the state folder of a drill: impatient connections, and a second signing secret that nobody knows.

    Returns the secret that signs for each connection, and every secret that no artefact may show.
    """
    states.prepare(state)
    file = state / "estate" / "connections.yaml"
    text = file.read_text(encoding="utf-8")
    text = text.replace("timeout_s: 5", f"timeout_s: {CLIENT_TIMEOUT_S}")
    signing: dict[str, str] = {}
    stored = {name: secret.reveal() for name, secret in open_store(state / "secrets.json").items()}
    for connection in ("stripe", "zendesk"):
        name = f"{connection}.drill"
        signing[connection] = stored[name] = f"canary-{rng.getrandbits(160):040x}"
        line = f"      - {PREFIX}{connection}.webhook\n"
        text = text.replace(line, f"{line}      - {PREFIX}{name}\n")
    file.write_text(text, encoding="utf-8")
    save_store(state / "secrets.json", stored)
    canaries = [*stored.values(), states.command_token(state)]
    return signing, tuple(one for one in canaries if len(one) >= _SECRET_MIN)
