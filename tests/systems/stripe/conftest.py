"""The sandbox over real HTTP."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from accordant.connector.sandbox import SandboxOptions, serve
from accordant.systems.stripe.sandbox.door import StripeSandbox
from tests.systems.stripe.account import ADMIN_TOKEN, Running, Start


@pytest.fixture
def start(tmp_path: Path) -> Start:
    @asynccontextmanager
    async def started(**options: Any) -> AsyncGenerator[Running]:
        given = SandboxOptions(system="billing", state_dir=tmp_path, admin_token=ADMIN_TOKEN, **options)
        async with serve(StripeSandbox, given) as serving, aiohttp.ClientSession() as session:
            running = Running(serving, session, tmp_path / "ledger" / "billing.jsonl")
            await running.admin("POST", "load", {"products": [{"id": "GTXB", "name": "GTX Basic"}]})
            yield running

    return started


@pytest.fixture
async def running(start: Start) -> AsyncGenerator[Running]:
    async with start() as one:
        yield one
