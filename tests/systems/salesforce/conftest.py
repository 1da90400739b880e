from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from accordant.connector.sandbox import SandboxOptions, serve
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox
from tests.systems.salesforce.org import Org


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Org]:
    options = SandboxOptions(system="crm", state_dir=tmp_path, admin_token="door")
    async with serve(SalesforceSandbox, options) as serving:
        yield Org(serving, tmp_path)
