"""Every test here runs on every engine, and on every database that the engine runs on."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests import databases
from tests.backbone.conformance.rig import Rig, Steps

Rigs = Callable[..., Rig]


async def nothing(*_: Any, **__: Any) -> None: ...


async def begin_and_end(url: str) -> None:
    """DBOS makes its own tables when it starts for the first time; copies of this database need not wait for that."""
    rig = Rig("dbos", url, steps=nothing)
    await rig.start()
    await rig.stop()


@pytest.fixture(scope="session")
def dbos_sqlite(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    url = databases.fresh_sqlite(sqlite_template, tmp_path_factory.mktemp("dbos"))
    asyncio.run(begin_and_end(url))
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture(scope="session")
def dbos_postgresql(postgresql: str, postgresql_template: str) -> str:
    databases.execute(postgresql, f"CREATE DATABASE with_dbos TEMPLATE {postgresql_template}")
    asyncio.run(begin_and_end(databases.named(postgresql, "with_dbos")))
    return "with_dbos"


@pytest.fixture(params=["journal", "dbos"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def fresh_url(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> databases.FreshUrl:
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgresql")
        template: str = request.getfixturevalue("postgresql_template" if engine == "journal" else "dbos_postgresql")
        return lambda: databases.fresh_postgresql(server, template=template)
    file: Path = request.getfixturevalue("sqlite_template" if engine == "journal" else "dbos_sqlite")

    def fresh() -> str:
        url = databases.fresh_sqlite(file, tmp_path)
        if engine == "dbos":
            shutil.copy(f"{file}.dbos", f"{url.removeprefix('sqlite:///')}.dbos")
        return url

    return fresh


@pytest.fixture
async def rigs(engine: str, fresh_url: databases.FreshUrl) -> AsyncIterator[Rigs]:
    """Makes a platform whose flow is the given function."""
    made: list[Rig] = []

    def make(steps: Steps, **options: Any) -> Rig:
        made.append(Rig(engine, fresh_url(), steps=steps, **options))
        return made[-1]

    yield make
    for rig in made:
        if rig.lives:
            await rig.stop()


_PRODUCTION_IS_POSTGRESQL = "test_a_due_transaction_is_driven_to_its_end"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """DBOS on SQLite is for trying out: one test of it here, all of them in the campaign."""
    for item in items:
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        is_trial = chosen.get("engine") == "dbos" and chosen.get("fresh_url") == "sqlite"
        if is_trial and _PRODUCTION_IS_POSTGRESQL not in item.name:
            item.add_marker("campaign")
