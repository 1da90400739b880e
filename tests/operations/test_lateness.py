"""What takes longer than its flow promises is somebody's, and the item closes by itself when it is over."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accordant.backbone.rows import ExceptionRow, exception_table
from accordant.governance.policies import ExceptionPolicy, FlowPolicy, Policies
from accordant.kernel.clock import ManualClock
from accordant.operations.lateness import LATE, Lateness
from accordant.telemetry.audit import verify_chain
from tests.operations.stored import NOW_MS, Storage, effect, item, opened, transaction

_POLICY = ExceptionPolicy(cause_class="technical", owner="ops", severity="high", deadline_h=4, runbook="r")
_POLICIES = Policies(exceptions={"*": _POLICY}, flows={"customer_onboarding": FlowPolicy(sla_s=60)})
_MOVING: dict[str, Any] = {"state": "running", "turn": 1, "due_rank": 1, "ended_at_ms": None, "opened_at_ms": NOW_MS}


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    async with opened(tmp_path / "test.db") as it:
        yield it


def _looking(storage: Storage, *, after_s: float) -> Lateness:
    return Lateness(
        database=storage.database,
        writer=storage.writer,
        clock=ManualClock(NOW_MS + round(after_s * 1000)),
        policies=lambda: _POLICIES,
        flows=("customer_onboarding",),
    )


def _items(storage: Storage, state: str) -> list[ExceptionRow]:
    query = select(exception_table).where(exception_table.c.state == state)
    return storage.database.read_now(lambda c: [ExceptionRow(**row) for row in c.execute(query).mappings()])


async def test_a_late_transaction_has_one_item_that_says_where_it_stands(storage: Storage) -> None:
    stands_at = effect("place order", 1, system="erp", state="unknown")
    await storage.put(transaction(1, **{**_MOVING, "state": "waiting", "waiting_for": "vendor"}), stands_at)
    assert await _looking(storage, after_s=59).step() == 0
    assert await _looking(storage, after_s=121).step() == 1
    assert await _looking(storage, after_s=600).step() == 0
    (found,) = _items(storage, "open")
    assert (found.code, found.owner, found.step) == (LATE, "ops", "erp-one")
    assert found.message == "customer_onboarding of DEAL-1 was begun 2 minutes ago and waits for erp-one"
    assert found.deadline_ms > found.opened_at_ms


async def test_the_item_closes_when_the_transaction_ends_or_stops(storage: Storage) -> None:
    await storage.put(transaction(1, **_MOVING), transaction(2, **_MOVING), transaction(3, **_MOVING))
    assert await _looking(storage, after_s=100).step() == 3
    stopped = transaction(2, **{**_MOVING, "state": "exception", "due_rank": None})
    await storage.put(transaction(1), stopped, item(2, code="vendor.rejected"))
    assert await _looking(storage, after_s=101).step() == 2
    assert [one.transaction_id for one in _items(storage, "open") if one.code == LATE] == [
        transaction(3).transaction_id
    ]
    assert {one.closed_by for one in _items(storage, "resolved")} == {"accordant"}
    assert storage.database.read_now(verify_chain).valid


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "waiting", "waiting_for": "timer", "turn": 2},
        {"state": "waiting", "waiting_for": "event", "turn": 1},
        {"state": "waiting", "waiting_for": "approval", "turn": 1},
        {"state": "waiting", "waiting_for": "lane", "turn": 0},
        {"flow": "somebody_elses"},
        {"state": "completed"},
    ],
)
async def test_what_is_where_it_should_be_is_not_late(storage: Storage, changed: dict[str, Any]) -> None:
    await storage.put(transaction(1, **{**_MOVING, **changed}))
    assert await _looking(storage, after_s=10_000).step() == 0
