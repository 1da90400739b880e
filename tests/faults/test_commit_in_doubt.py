"""The server dies during COMMIT: what was committed is known exactly, also when transaction ids are given out again."""

import asyncio

import pytest
from sqlalchemy import make_url

from accordant.backbone.follow_ups import FOLLOW_UPS
from accordant.backbone.rows import memo_table
from accordant.kernel import failpoints
from accordant.kernel.database import Database, Writer
from accordant.telemetry.audit import continue_chain, verify_chain
from tests.faults.cluster import Cluster
from tests.kernel.database.rows import add, audited, memos

pytestmark = [pytest.mark.postgres]


async def test_a_group_lost_with_the_server_is_written_again_though_its_id_is_taken(
    mortal: Cluster, mortal_url: str
) -> None:
    """Another client commits under the id that the crash set free; PostgreSQL then says "committed" of it."""
    database = Database(mortal_url)
    name = str(make_url(mortal_url).database)
    mortal.ask("CREATE TABLE IF NOT EXISTS others (n int)", database=name)
    writer = Writer(database, chain=database.read_now(lambda c: continue_chain(c, "main")), follow_ups=FOLLOW_UPS)
    writer.start()
    await writer.commit(audited(add("before"), "before"), at="test")
    crashed: list[str] = []

    def crash(place: str) -> None:
        if place == "database.commit:before" and not crashed:
            crashed.append(place)
            mortal.kill_and_start()
            for n in range(3):
                mortal.ask(f"INSERT INTO others VALUES ({n})", database=name)

    failpoints.arm(crash)
    try:
        told = await asyncio.wait_for(writer.commit(add("tx"), at="test"), 30)
    finally:
        failpoints.arm(None)
    assert crashed
    assert told.is_new(memo_table, "tx")
    assert sorted(memos(database)) == ["before", "tx"]
    await writer.commit(audited(add("after"), "after"), at="test")
    assert database.read_now(verify_chain).valid
    await writer.stop()
    database.close()


async def test_a_group_whose_id_nobody_took_is_written_again(mortal: Cluster, mortal_url: str) -> None:
    """The server has never heard of the transaction: not a value that cannot be stored, but a group to write again."""
    database = Database(mortal_url)
    writer = Writer(database, chain=database.read_now(lambda c: continue_chain(c, "main")), follow_ups=FOLLOW_UPS)
    writer.start()
    crashed: list[str] = []

    def crash(place: str) -> None:
        if place == "database.commit:before" and not crashed:
            crashed.append(place)
            mortal.stop_and_start()

    failpoints.arm(crash)
    try:
        await asyncio.wait_for(writer.commit(audited(add("tx"), "tx"), at="test"), 30)
    finally:
        failpoints.arm(None)
    assert list(memos(database)) == ["tx"]
    assert database.read_now(verify_chain).entries == 1
    await writer.stop()
    database.close()
