from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from accordant.systems.netsuite.client import NetSuite
from tests.systems.netsuite.account import Account, open_account
from tests.systems.netsuite.connected import connected


@pytest.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as running:
        yield running


@pytest.fixture
async def erp(account: Account) -> AsyncGenerator[NetSuite]:
    async with connected(account) as client:
        yield client
