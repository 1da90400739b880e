from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.operations.stored import Storage, opened


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened(tmp_path / "test.db") as it:
        yield it
