"""What the platform writes into api.json, commands can read, and nobody else."""

from pathlib import Path

import pytest

from accordant.experience.cli.client import address_of
from accordant.experience.cli.reading import settings_of
from accordant.launch.state import Address, write_private

URL = "postgresql://accordant:hush@db.example/accordant"


def test_reading_commands_find_the_database_that_the_platform_uses(tmp_path: Path) -> None:
    write_private(tmp_path / "api.json", Address(url="http://127.0.0.1:1", token="t", pid=1, database_url=URL))
    assert settings_of(tmp_path, None).database_url == URL
    assert settings_of(tmp_path, "sqlite:///other.db").database_url == "sqlite:///other.db"


def test_the_address_is_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = Address(url="http://127.0.0.1:1", token="t-secret", pid=1, database_url=URL)
    write_private(tmp_path / "api.json", address)
    assert (tmp_path / "api.json").stat().st_mode & 0o777 == 0o600
    for one in (address, address_of(tmp_path)):
        assert "hush" not in repr(one)
        assert "t-secret" not in repr(one)
