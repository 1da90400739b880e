"""A worker that is wrong on purpose: it says that a commit is durable before the disk was asked to make it so."""

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL

from accordant.experience.cli.main import app
from accordant.kernel.database import connection

_open = connection._open


def _carelessly(url: URL) -> Engine:
    engine = _open(url)

    def normal(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA synchronous=NORMAL")

    event.listen(engine, "connect", normal)
    return engine


connection._open = _carelessly

if __name__ == "__main__":
    app()
