"""When a state folder may be begun anew, gone on with, or must be left alone."""

import asyncio
import shutil
from pathlib import Path

from accordant.backbone.engine.ownership import ownership_of
from accordant.kernel.database import Database
from accordant.kernel.errors import Misconfigured, Refused
from accordant.launch.progress import read_progress

_OURS = frozenset(
    {"accordant.db", "accordant.db-wal", "accordant.db-shm", "accordant.db.owner", "estate", "ledger"}
    | {"api.json", "sandboxes.json", "secrets.json", "token"}
)


def clear(state: Path) -> None:
    """Remove what a platform leaves in its folder, and nothing else."""
    for entry in [*(state / name for name in _OURS), *state.glob("*.log")]:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def require_new(state: Path, database_url: str, *, hint: str) -> None:
    """Raises Misconfigured when the folder or the database already holds the records of an earlier run."""
    if (state / "ledger").exists():
        raise Misconfigured(
            f"{state} already holds a run, and what its sandboxes held is gone", code="state.not_empty", hint=hint
        )
    found = transactions_in(database_url)
    if found:
        raise Misconfigured(
            f"the database already holds {found} transactions of an earlier run; expected an empty one",
            code="database.not_empty",
            hint="name an empty database with --db",
        )


def transactions_in(database_url: str) -> int:
    """How many transactions a database holds; 0 where there is none yet."""
    database = Database(database_url)
    try:
        if database.is_sqlite and not Path(database.url.database or "").exists():
            return 0
        return read_progress(database).total
    finally:
        database.close()


def require_free(database_url: str) -> None:
    """Raises Refused when a running process drives this database."""
    database = Database(database_url)
    try:
        if database.is_sqlite and not Path(database.url.database or "").exists():
            return
        asyncio.run(_probe(database))
    except OSError as failed:
        raise Refused(f"the database cannot be locked: {failed}", code="engine.owned") from failed
    finally:
        database.close()


async def _probe(database: Database) -> None:
    ownership = ownership_of(database, on_lost=lambda: None)
    await ownership.take()
    await ownership.release()
