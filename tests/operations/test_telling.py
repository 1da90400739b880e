"""Owners are told once for each cause, and the audit says so only after the channel took it."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from accordant.kernel.clock import ManualClock
from accordant.operations.telling import FileChannel, Notice, Teller
from tests.operations.stored import Storage, item, opened


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened(tmp_path / "test.db") as it:
        yield it


def _teller(storage: Storage, channel: FileChannel) -> Teller:
    return Teller(channel, database=storage.database, writer=storage.writer, clock=ManualClock())


def _notices(path: Path) -> list[Notice]:
    return [msgspec.json.decode(line, type=Notice) for line in path.read_text().splitlines()]


async def test_a_cause_is_told_once_with_its_count_and_money(storage: Storage, tmp_path: Path) -> None:
    same = {"cause_group": "cause-a", "amount_minor": 1000, "currency": "USD"}
    await storage.put(item(1, **same), item(2, **same), item(3, cause_group="cause-b", amount_minor=None))
    teller = _teller(storage, FileChannel(tmp_path / "notices.jsonl"))
    assert await teller.step() == 3
    assert await teller.step() == 0
    told = {notice.cause_group: notice for notice in _notices(tmp_path / "notices.jsonl")}
    assert (told["cause-a"].items, told["cause-a"].amount_minor) == (2, {"USD": 2000})
    assert (told["cause-b"].items, told["cause-b"].amount_minor) == (1, {})


async def test_a_channel_that_fails_leaves_the_item_untold(storage: Storage, tmp_path: Path) -> None:
    await storage.put(item(1))
    teller = _teller(storage, FileChannel(tmp_path / "no such folder" / "notices.jsonl"))
    with pytest.raises(OSError, match="no such folder"):
        await teller.step()
    assert await _teller(storage, FileChannel(tmp_path / "notices.jsonl")).step() == 1


async def test_a_closed_item_is_not_told(storage: Storage, tmp_path: Path) -> None:
    await storage.put(item(1, state="released"))
    assert await _teller(storage, FileChannel(tmp_path / "notices.jsonl")).step() == 0
