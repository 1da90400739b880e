"""A store's two views agree once the lag has passed, whatever happened in between."""

from typing import Any

import pytest

from accordant.connector.sandbox import KeyConflict, LaggedStore, Reply, ReplyMemo, SandboxClock
from accordant.kernel.clock import ManualClock


def store(clock: SandboxClock, lag_s: float) -> LaggedStore:
    return LaggedStore(clock=clock, lag_s=lambda: lag_s, indexes={"ref": lambda record: record.get("ref")})


def test_updates_and_deletions_lag_too() -> None:
    clock = SandboxClock(ManualClock())
    kept = store(clock, 10.0)
    kept.put("1", {"ref": "old"})
    clock.advance(20)
    kept.put("1", {"ref": "new"})
    assert (kept.find("ref", "old"), kept.find("ref", "new")) == ([{"ref": "old"}], [])
    assert (kept.find_now("ref", "old"), kept.find_now("ref", "new")) == ([], [{"ref": "new"}])
    clock.advance(10)
    assert (kept.find("ref", "old"), kept.find("ref", "new")) == ([], [{"ref": "new"}])
    kept.delete("1")
    assert kept.get("1") is None
    assert kept.search() == [{"ref": "new"}]
    clock.advance(10)
    assert kept.search() == []
    assert kept.find("ref", "new") == []


def test_records_without_the_indexed_value_are_kept_out_of_the_index() -> None:
    clock = SandboxClock(ManualClock())
    kept = store(clock, 0.0)
    kept.put("1", {"name": "no ref"})
    kept.put("1", {"ref": "C-1"})
    kept.put("1", {"ref": None})
    assert (kept.find("ref", "C-1"), kept.find("ref", None), len(kept)) == ([], [], 1)


@pytest.mark.parametrize("other", [("POST", b"{}"), ("PUT", b"{ }")])
def test_a_key_belongs_to_its_first_parameters(other: tuple[Any, ...]) -> None:
    memo = ReplyMemo(clock=SandboxClock(ManualClock()), ttl_s=60)
    memo.save("k", Reply(201), "PUT", b"{}")
    assert memo.recall("k", "PUT", b"{}") == Reply(201)
    assert memo.recall("new", "PUT", b"{}") is None
    with pytest.raises(KeyConflict):
        memo.recall("k", *other)


def test_the_clock_never_goes_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        SandboxClock(ManualClock()).advance(-1)
