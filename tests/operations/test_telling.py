"""Owners are told once for each cause, and the audit says so only after the channel took it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from accordant.backbone.rows import ApprovalRow, DecisionRow
from accordant.kernel.clock import ManualClock, utc_text
from accordant.kernel.database import NotCommitted, NotRead
from accordant.kernel.errors import AccordantError
from accordant.operations import telling
from accordant.operations.asking import Notice
from accordant.operations.telling import FileChannel, Teller
from accordant.telemetry.audit import audit_table
from tests.operations.stored import NOW_MS, Storage, item, opened


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


ESCALATES_MS, EXPIRES_MS = NOW_MS + 5_000, NOW_MS + 9_000
_PLAIN: dict[str, Any] = {
    **dict.fromkeys(ApprovalRow.__struct_fields__, ""),
    "approval_id": "apv-1",
    "what": "credit 400.00 USD",
    "roles": '["reviewer","director"]',
    "amount_minor": 40_000,
    "counted_minor": 40_000,
    "currency": "USD",
    "estate_version": 1,
    "opened_at_ms": NOW_MS,
    "escalates_at_ms": ESCALATES_MS,
    "expires_at_ms": EXPIRES_MS,
}
SAID = DecisionRow(approval_id="apv-1", verdict="approved", actor="rita", note="", estate_version=1, at_ms=NOW_MS)


def question(**changed: Any) -> ApprovalRow:
    return ApprovalRow(**{**_PLAIN, **changed})


async def told_at(storage: Storage, path: Path, *instants_ms: int) -> list[tuple[str, str, str]]:
    """Code, role and deadline of what is told when the teller looks at these instants, each time twice."""
    for at_ms in instants_ms:
        clock = ManualClock(at_ms)
        for _ in range(2):
            await Teller(FileChannel(path), database=storage.database, writer=storage.writer, clock=clock).step()
    return [(one.code, one.owner, one.deadline) for one in _notices(path)] if path.exists() else []


async def test_whose_turn_it_is_is_told_once_and_again_when_it_is_passed_on(storage: Storage, tmp_path: Path) -> None:
    await storage.put(question())
    path = tmp_path / "notices.jsonl"
    asked = ("approval.asked", "reviewer", utc_text(ESCALATES_MS))
    passed_on = ("approval.escalated", "director", utc_text(EXPIRES_MS))
    assert await told_at(storage, path, NOW_MS, ESCALATES_MS - 1) == [asked]
    assert await told_at(storage, path, ESCALATES_MS, EXPIRES_MS - 1, EXPIRES_MS) == [asked, passed_on]
    audit = storage.database.read_now(lambda c: [row.detail for row in c.execute(select(audit_table.c.detail))])
    assert [msgspec.json.decode(one)["role"] for one in audit] == ["reviewer", "director"]


@pytest.mark.parametrize(
    ("rows", "at_ms", "told"),
    [
        ((question(), SAID), NOW_MS, []),
        ((question(),), EXPIRES_MS, []),
        ((question(),), ESCALATES_MS + 1, ["director"]),
        ((question(roles='["reviewer"]'),), ESCALATES_MS + 1, ["reviewer"]),
    ],
    ids=["answered", "over", "passed on before anybody looked", "nobody to pass it on to"],
)
async def test_only_whose_turn_it_is_is_told(
    storage: Storage, tmp_path: Path, rows: tuple[Any, ...], at_ms: int, told: list[str]
) -> None:
    await storage.put(*rows)
    assert [role for _, role, _ in await told_at(storage, tmp_path / "notices.jsonl", at_ms)] == told


async def test_the_end_of_the_time_is_told_to_whoever_let_it_lie_and_to_the_owner(
    storage: Storage, tmp_path: Path
) -> None:
    over = item(1, code="approval.expired", detail='{"approval":"apv-1"}', owner="finance operations")
    await storage.put(question(), msgspec.structs.replace(SAID, verdict="expired"), over)
    told = await told_at(storage, tmp_path / "notices.jsonl", EXPIRES_MS + 1)
    assert sorted((code, owner) for code, owner, _ in told) == [
        ("approval.expired", "director"),
        ("approval.expired", "finance operations"),
    ]
