"""What a server forgets on purpose is raised where we can, and told loudly where we cannot."""

import asyncio
from collections.abc import Iterator

import pytest

from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.experience.cli import checks
from accordant.kernel.database import Database, Writer
from accordant.kernel.database.connection import durability, weakness
from accordant.telemetry.audit import AuditChain
from tests.faults.cluster import Cluster
from tests.kernel.database.rows import add

pytestmark = pytest.mark.postgres


@pytest.fixture
def forgetful(mortal: Cluster, mortal_url: str) -> Iterator[str]:
    """A database on a server with fsync and synchronous_commit off."""
    for name in ("fsync", "synchronous_commit"):
        mortal.ask(f"ALTER SYSTEM SET {name} = off")
    mortal.ask("SELECT pg_reload_conf()")
    yield mortal_url
    mortal.ask("ALTER SYSTEM RESET ALL")
    mortal.ask("SELECT pg_reload_conf()")


async def test_our_commits_wait_for_the_disk_where_the_server_would_not(forgetful: str) -> None:
    database = Database(forgetful)
    writer = Writer(database, chain=AuditChain("main"), follow_ups=FOLLOW_UPS)
    writer.start()
    await writer.commit(add("tx"), at="test")
    session = writer._session
    cursor = await asyncio.to_thread(lambda: session._connect().cursor().execute("SHOW synchronous_commit"))
    assert cursor.fetchone() == ("on",)
    assert "synchronous_commit=off (raised to on" in durability(database)
    await writer.stop()
    database.close()


def test_a_server_that_never_syncs_is_a_finding_of_the_doctor(forgetful: str) -> None:
    database = Database(forgetful)
    assert "fsync off" in weakness(database)
    database.close()
    found = {one.about: one for one in checks._database(forgetful)}
    assert not found["database"].is_fine
    assert "power cut" in found["database"].said
    assert "postgresql.conf" in found["database"].hint


def test_a_server_that_syncs_has_no_weakness(mortal_url: str) -> None:
    database = Database(mortal_url)
    assert weakness(database) == ""
    assert "raised" not in durability(database)
    database.close()
