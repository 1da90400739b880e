"""Indexes that stay small because they hold only the rows somebody still has to look at."""

from typing import Any

from sqlalchemy import text


def only_where(condition: str) -> dict[str, Any]:
    """Index options for a partial index on both kinds of database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}
