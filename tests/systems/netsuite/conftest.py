from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.systems.netsuite.account import Account, open_account


@pytest.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as running:
        yield running
