"""Sandboxes for the tests of this folder."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from accordant.systems.zendesk.client import Zendesk
from tests.systems.zendesk.desk import Running, Start, connected, opened


@pytest.fixture
async def start(tmp_path: Path) -> AsyncGenerator[Start]:
    async with AsyncExitStack() as stack:

        async def started(**options: Any) -> Running:
            return await stack.enter_async_context(opened(tmp_path, **options))

        yield started


@pytest.fixture
async def zendesk(start: Start) -> Running:
    return await start()


@pytest.fixture
async def client(zendesk: Running) -> AsyncGenerator[Zendesk]:
    async with connected(zendesk) as client:
        yield client
