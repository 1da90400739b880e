"""The migrated schema is the declared one; a newer database is refused; two starters do not disturb each other."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from accordant.kernel.database import Database, metadata
from accordant.kernel.database.schema import MIGRATIONS, REVISIONS, prepare_schema
from accordant.kernel.errors import Misconfigured
from tests import databases


def described(connection: Connection) -> dict[str, Any]:
    """Everything the database says about its tables, partial indexes included."""
    found = inspect(connection)
    names = [name for name in found.get_table_names() if name != "alembic_version"]
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"], c.get("default")) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (i["name"], i["column_names"], bool(i["unique"]), condition(i))
                for i in found.get_indexes(name)
                if not i.get("duplicates_constraint")
            ),
            sorted((u["name"], u["column_names"]) for u in found.get_unique_constraints(name)),
        )
        for name in sorted(names)
    }


def condition(index: Any) -> str:
    return str(next((v for k, v in index.get("dialect_options", {}).items() if k.endswith("_where")), ""))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> databases.FreshUrl:
    if request.param == "sqlite":
        names = iter("abcdef")
        return lambda: f"sqlite:///{tmp_path / next(names)}.db"
    server: str = request.getfixturevalue("postgresql")
    return lambda: databases.fresh_postgresql(server)


def test_the_migrated_schema_is_the_declared_one(empty_url: databases.FreshUrl) -> None:
    migrated, declared = Database(databases.prepared(empty_url())), Database(empty_url())
    metadata.create_all(declared.engine)
    assert migrated.read_now(described) == declared.read_now(described)
    assert migrated.read_now(lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []
    partial = [i for table in migrated.read_now(described).values() for i in table[2] if i[3]]
    assert len(partial) >= 8
    migrated.close()
    declared.close()


def test_the_code_knows_every_revision_and_the_last_is_the_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert tuple(one.revision for one in reversed(list(scripts.walk_revisions()))) == REVISIONS
    assert scripts.get_current_head() == REVISIONS[-1]


def test_a_newer_database_is_refused(url: str) -> None:
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misconfigured, match="9999") as refusal:
        prepare_schema(database, databases.ROOMS)
    assert refusal.value.code == "schema.newer"
    database.close()


def test_tables_that_no_migration_made_are_left_alone(empty_url: databases.FreshUrl) -> None:
    database = Database(empty_url())
    metadata.tables["audit"].create(database.engine)
    with pytest.raises(Misconfigured, match="audit"):
        prepare_schema(database, databases.ROOMS)
    assert database.read_now(lambda c: inspect(c).get_table_names()) == ["audit"]
    database.close()


def test_starters_at_the_same_moment_do_not_disturb_each_other(empty_url: databases.FreshUrl) -> None:
    url, failed = empty_url(), list[BaseException]()

    def begin() -> None:
        try:
            databases.prepared(url)
        except BaseException as error:  # noqa: BLE001 - a thread's error must reach the test
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failed == []


def test_a_migration_that_fails_leaves_nothing(empty_url: databases.FreshUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    database = Database(empty_url())
    real = op.create_index

    def fail_late(name: str, *rest: Any, **more: Any) -> None:
        if name == "transaction_head":
            raise OSError("the power fails here")
        real(name, *rest, **more)

    monkeypatch.setattr(op, "create_index", fail_late)
    with pytest.raises(OSError, match="power"):
        prepare_schema(database, databases.ROOMS)
    assert database.read_now(lambda c: inspect(c).get_table_names()) == []
    monkeypatch.undo()
    prepare_schema(database, databases.ROOMS)
    database.close()


def test_a_database_up_to_date_is_opened_without_loading_the_migration_tool(tmp_path: Path) -> None:
    url = databases.prepared(f"sqlite:///{tmp_path / 'ready.db'}")
    program = (
        "import sys\n"
        "from accordant.backbone import rows\n"
        "from accordant.kernel.database import Database\n"
        "from accordant.kernel.database.schema import prepare_schema\n"
        f"prepare_schema(Database({url!r}), [rows])\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
