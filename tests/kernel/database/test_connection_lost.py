"""PostgreSQL loses our connection at the worst moments; every group is still written exactly once."""

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from accordant.backbone.rows import memo_table
from accordant.kernel.database import Database, Writer
from accordant.kernel.database.session import WritingSession
from accordant.telemetry.audit import verify_chain
from tests import databases
from tests.kernel.database.rows import add, audit_of, audited, memos, put

pytestmark = pytest.mark.postgres


@pytest.fixture
def fresh_url(postgresql: str, postgresql_template: str) -> databases.FreshUrl:
    return lambda: databases.fresh_postgresql(postgresql, template=postgresql_template)


class Breaking:
    """A cursor that has its server process ended before or after one statement."""

    def __init__(self, cursor: Any, kill: Any, *, at: str, after: bool) -> None:
        self._cursor = cursor
        self._kill = kill
        self._at = at
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, *rest: Any) -> Any:
        if not statement.startswith(self._at):
            return self._cursor.execute(statement, *rest)
        if not self._after:
            self._kill()
        result = self._cursor.execute(statement, *rest)
        if self._after:  # it was done, but the answer did not arrive
            self._kill()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result


@pytest.mark.parametrize("at", ["BEGIN", "WITH", "COMMIT"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_lost_around_a_statement(
    database: Database, writer: Writer, monkeypatch: pytest.MonkeyPatch, *, at: str, after: bool
) -> None:
    await writer.commit(audited(add("before"), "before"), at="test")
    session: WritingSession = writer._session
    real, left = session._connect, [1]

    def connect() -> Any:
        connection = real()
        if not left[0]:
            return connection
        left[0] -= 1
        pid = connection.driver_connection.info.backend_pid

        def kill() -> None:
            with database.engine.begin() as other:
                other.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))

        class Once:
            def cursor(self) -> Any:
                return Breaking(connection.cursor(), kill, at=at, after=after)

        return Once()

    monkeypatch.setattr(session, "_connect", connect)
    told = await asyncio.wait_for(
        asyncio.gather(*(writer.commit(audited(add(f"tx{n}"), f"tx{n}"), at="test") for n in range(3))), 20
    )
    assert all(one.is_new(memo_table, f"tx{n}") for n, one in enumerate(told))
    assert sorted(memos(database)) == ["before", "tx0", "tx1", "tx2"]
    assert [n for n, _ in audit_of(database)] == [1, 2, 3, 4]
    assert database.read_now(verify_chain).valid
    await writer.commit(audited(put("after"), "after"), at="test")
    assert database.read_now(verify_chain).entries == 5


async def test_backends_ended_at_random_moments_lose_and_double_nothing(database: Database, writer: Writer) -> None:
    stop = asyncio.Event()

    async def kill_now_and_then() -> None:
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        while not stop.is_set():
            await asyncio.sleep(0.03)
            await asyncio.to_thread(databases.execute, database.url.render_as_string(hide_password=False), statement)

    killer = asyncio.create_task(kill_now_and_then())
    for start in range(0, 400, 40):
        told = await asyncio.gather(
            *(writer.commit(audited(add(f"tx{n}"), f"tx{n}"), at="test") for n in range(start, start + 40))
        )
        assert all(one.is_new(memo_table, f"tx{start + n}") for n, one in enumerate(told))
        await asyncio.sleep(0.02)
    stop.set()
    await killer
    assert len(memos(database)) == 400
    verdict = database.read_now(verify_chain)
    assert (verdict.valid, verdict.entries) == (True, 400)
