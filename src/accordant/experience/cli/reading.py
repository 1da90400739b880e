"""Reading what the platform has stored, whether it runs or not."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from accordant.experience.cli.client import address_of
from accordant.experience.cli.outcome import NotFound
from accordant.kernel.database import Database, NotRead
from accordant.kernel.errors import AccordantError, Unavailable
from accordant.kernel.settings import Settings, default_state, settings_for

Result = TypeVar("Result")


class Records:
    """The database of one installation, for reading."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        self.tenant = settings.tenant

    def read(self, query: Callable[[Connection], Result]) -> Result:
        """Run a query. Raises NotFound where the tables are not there yet, Unavailable where nobody answers."""
        try:
            return self.database.read_now(query)
        except (DBAPIError, NotRead) as failed:
            raise _explained(failed, self.settings) from failed


@contextmanager
def records(state: Path | None, db: str | None) -> Generator[Records]:
    """Open the database that the options name. Raises NotFound where nothing was ever stored."""
    settings = settings_of(state, db)
    database = Database(settings.database_url, readers=1)
    try:
        if database.is_sqlite and not Path(database.url.database or "").exists():
            raise NotFound(
                f"nothing is stored here yet: {database.url.database} does not exist",
                code="state.missing",
                hint="start with `accordant demo` or `accordant up`, or name another folder with --state",
            )
        yield Records(database, settings)
    finally:
        database.close()


def settings_of(state: Path | None, db: str | None) -> Settings:
    """Settings from the options; a running platform says itself which database it uses."""
    folder = state or default_state()
    address = address_of(folder)
    return settings_for(folder, database_url=db or (address.database_url if address else None))


def _explained(failed: DBAPIError | NotRead, settings: Settings) -> AccordantError:
    cause = failed.__cause__ if isinstance(failed, NotRead) else failed
    said = (str(getattr(cause, "orig", None) or cause or failed).splitlines() or [type(failed).__name__])[0]
    if "no such table" in said or "does not exist" in said:
        return NotFound(
            f"the database has no tables of this platform yet ({said})",
            code="state.missing",
            hint="start the platform once with `accordant up`, or name another database with --db",
        )
    return Unavailable(f"the database cannot be read: {said}", detail={"state": str(settings.state)})
