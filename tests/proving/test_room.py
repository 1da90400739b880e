"""A drill never touches anybody's data: it refuses what is not empty and cleans up after itself."""

import random
from pathlib import Path

import pytest

from accordant.kernel.errors import Misconfigured, Retryable
from accordant.proving import room
from accordant.security.secrets import open_store
from tests import databases

CHANCE = random.Random(5)


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    room.require_empty_folder(tmp_path)
    room.require_empty_folder(tmp_path / "new")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Misconfigured, match="not empty") as refused:
        room.require_empty_folder(tmp_path)
    assert refused.value.code == "verify.state_not_empty"


def test_without_an_address_the_database_stands_in_the_folder_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCORDANT_DATABASE_URL", "postgresql://production/db")
    with room.fresh_database(None, tmp_path, rng=CHANCE) as url:
        assert url == f"sqlite:///{tmp_path / 'accordant.db'}"


def test_a_file_that_holds_data_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.db"
    file.write_bytes(b"SQLite format 3\0")
    with (
        pytest.raises(Misconfigured, match="holds data"),
        room.fresh_database(f"sqlite:///{file}", tmp_path, rng=CHANCE),
    ):
        pass
    assert file.read_bytes() == b"SQLite format 3\0"


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_makes_no_sense_is_wrong_usage(url: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused, room.fresh_database(url, tmp_path, rng=CHANCE):
        pass
    assert refused.value.code == "verify.bad_url"


def test_a_server_that_does_not_answer_is_no_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(Retryable) as failed, room.fresh_database("postgresql://x@127.0.0.1:1/x", tmp_path, rng=CHANCE):
        pass
    assert failed.value.code == "verify.no_database"


@pytest.mark.postgres
def test_on_a_server_a_database_is_made_and_dropped_again(postgresql: str, tmp_path: Path) -> None:
    empty = databases.fresh_postgresql(postgresql)
    with room.fresh_database(empty, tmp_path, rng=CHANCE) as url:
        assert "accordant_verify_" in url
        databases.prepared(url)
    with pytest.raises(Retryable, match="does not exist"):
        databases_of(url)


@pytest.mark.postgres
def test_a_database_that_holds_anything_is_refused_and_left_alone(postgresql: str, tmp_path: Path) -> None:
    mine = databases.fresh_postgresql(postgresql)
    databases.execute(mine, "CREATE TABLE customers (id int)")
    with pytest.raises(Misconfigured, match=r"public\.customers"), room.fresh_database(mine, tmp_path, rng=CHANCE):
        pass
    databases.execute(mine, "SELECT * FROM customers")


@pytest.mark.postgres
def test_a_role_that_may_create_no_database_gets_a_schema(postgresql: str, tmp_path: Path) -> None:
    mine = databases.fresh_postgresql(postgresql)
    name = mine.partition("?")[0].rpartition("/")[2]
    databases.execute(mine, f"CREATE ROLE drill_{name} LOGIN")
    databases.execute(mine, f"GRANT CREATE ON DATABASE {name} TO drill_{name}")
    as_drill = mine.replace("//postgres:@", f"//drill_{name}:@").replace("//postgres@", f"//drill_{name}@")
    assert as_drill != mine
    with room.fresh_database(as_drill, tmp_path, rng=CHANCE) as url:
        assert "search_path" in url
        databases.prepared(url)
        databases.execute(url, "SELECT count(*) FROM inbox")
    assert room._execute(mine, room._USED) == ""


def databases_of(url: str) -> str:
    """What the server says about a database."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    return room._execute(plain, "SELECT 1")


def test_the_folder_of_a_drill_has_secrets_that_nobody_knows(tmp_path: Path) -> None:
    signing, canaries = room.furnish(tmp_path, rng=CHANCE)
    stored = {name: secret.reveal() for name, secret in open_store(tmp_path / "secrets.json").items()}
    estate = (tmp_path / "estate" / "connections.yaml").read_text()
    assert stored["stripe.drill"] == signing["stripe"]
    assert "secret:zendesk.drill" in estate
    assert set(signing.values()) <= set(canaries)
    assert not any(canary in estate for canary in canaries)
    assert signing["stripe"] != signing["zendesk"]
