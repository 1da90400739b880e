from pathlib import Path

import pytest

from accordant.governance.demo_estate import install
from tests.governance.databases import database_url, postgres_url, storage

__all__ = ["database_url", "folder", "postgres_url", "storage"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo estate in a folder of its own."""
    place = tmp_path / "estate"
    assert install(place)
    return place
