"""The command API over real HTTP, on a real database, with an engine that drives nothing."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import uvicorn

from accordant.backbone.flow import Flows
from accordant.experience.api.operations import create_app
from accordant.governance.demo_estate import install
from accordant.governance.versions import EstateStore
from accordant.kernel.clock import ManualClock
from accordant.kernel.settings import settings_for
from accordant.operations.approvals import ApprovalDesk
from accordant.operations.exceptions import Desk, DeskParts
from tests.operations import stored
from tests.operations.test_replay import Idle

TOKEN = "a-token-of-sixteen-or-more"


async def platform_on(storage: stored.Storage, state: Path) -> Any:
    """What the API needs of a platform."""
    clock = ManualClock(stored.NOW_MS + 100_000)
    if not (state / "estate").exists():
        install(state / "estate")
    estates = EstateStore(storage.database, storage.writer, clock=clock, folder=state / "estate", tenant=stored.TENANT)
    await estates.start()
    engine = Idle()
    parts = DeskParts(
        tenant=stored.TENANT,
        database=storage.database,
        writer=storage.writer,
        clock=clock,
        engine=engine,
        flows=Flows(),
    )
    return SimpleNamespace(
        settings=settings_for(state, environ={}),
        database=storage.database,
        writer=storage.writer,
        clock=clock,
        engine=engine,
        estates=estates,
        desk=Desk(parts, estate=estates.current, reread=lambda: None),
        approvals=ApprovalDesk(parts, estate=estates.current, wake=lambda: None),
        ledger=SimpleNamespace(in_flight=3),
        pump=SimpleNamespace(nudge=lambda: None),
        failed=asyncio.Event(),
    )


@contextmanager
def running(state: Path, *rows: Any, audit: Any = ()) -> Iterator[str]:
    """A platform process in a thread, with these rows in its database and its address in the state folder."""
    ready, ended = threading.Event(), threading.Event()
    box: dict[str, Any] = {}

    async def serve() -> None:
        async with stored.opened(state / "accordant.db") as storage:
            platform = await platform_on(storage, state)
            await storage.put(*rows, audit=audit)
            config = uvicorn.Config(create_app(platform, TOKEN), port=0, log_level="warning", lifespan="off")
            server = box["server"] = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.01)
            box["port"] = server.servers[0].sockets[0].getsockname()[1]
            ready.set()
            await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()
            ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert ready.wait(20)
    assert "port" in box, "the API did not start"
    url = f"http://127.0.0.1:{box['port']}"
    (state / "api.json").write_bytes(msgspec.json.encode({"url": url, "token": TOKEN, "pid": os.getpid()}))
    try:
        yield url
    finally:
        box["server"].should_exit = True
        assert ended.wait(20)


def fill(state: Path, *rows: Any, audit: Any = ()) -> None:
    """A database with these rows and an estate in force; nothing runs."""
    state.mkdir(parents=True, exist_ok=True)

    async def write() -> None:
        async with stored.opened(state / "accordant.db") as storage:
            await platform_on(storage, state)
            await storage.put(*rows, audit=audit)

    asyncio.run(write())
