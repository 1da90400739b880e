from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state folder that every command uses by itself, on a terminal of 80 columns."""
    monkeypatch.setenv("ACCORDANT_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("ACCORDANT_DATABASE_URL", "ACCORDANT_TENANT", "ACCORDANT_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
