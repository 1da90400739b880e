"""Owners are told once for each cause, and the audit says so only after the channel took it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from accordant.kernel.clock import ManualClock
from accordant.kernel.database import NotCommitted, NotRead
from accordant.kernel.errors import AccordantError
from accordant.operations import telling
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


@pytest.mark.parametrize("refusal", [NotRead("restarting"), NotCommitted("no room")], ids=["read", "write"])
async def test_a_database_that_is_away_is_waited_for(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: AccordantError
) -> None:
    """The teller is one of the platform's workers: its end would be the end of the process."""
    monkeypatch.setattr(telling, "_PAUSE_S", 0.01)
    monkeypatch.setattr(telling, "_PAUSE_UNNOTED_S", 0.01)
    await storage.put(item(1))
    teller = _teller(storage, FileChannel(tmp_path / "notices.jsonl"))
    real, tries = teller.step, [0]

    async def away_at_first() -> int:
        tries[0] += 1
        if tries[0] < 3:
            raise refusal
        return await real()

    monkeypatch.setattr(teller, "step", away_at_first)
    running = asyncio.create_task(teller.run())
    while tries[0] < 5:
        assert not running.done()
        await asyncio.sleep(0.01)
    running.cancel()
    assert len(_notices(tmp_path / "notices.jsonl")) == 1
