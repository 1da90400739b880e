"""A PostgreSQL server that may be killed, for the tests of this folder alone."""

from collections.abc import Iterator

import pytest

from tests import databases
from tests.faults.cluster import Cluster, cluster


@pytest.fixture(scope="session")
def mortal() -> Iterator[Cluster]:
    """The server, with a prepared database to copy."""
    with cluster() as one:
        one.ask("CREATE DATABASE prepared TEMPLATE template0")
        databases.prepared(databases.named(one.url, "prepared"))
        yield one


@pytest.fixture
def mortal_url(mortal: Cluster) -> str:
    """A new database on it."""
    return databases.fresh_postgresql(mortal.url, template="prepared")
