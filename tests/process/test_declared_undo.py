"""What a flow says about taking itself back is true: nothing is left in any system, or somebody is told what stands.

Each flow is played once undisturbed, and then once more for each of its writes, to which the system says no. Under
`on_failure: compensate` what was written before must be taken back by the undo that the flow declares, so that billing,
the books, support and the CRM are worth what they were; what has no undo, an open item with an owner names.
"""

from pathlib import Path

import pytest

from accordant.backbone.flow import Flow
from accordant.backbone.rows import TransactionRow
from accordant.wiring import FLOWS
from tests.process.beginnings import BEGINNINGS
from tests.process.bench import Bench, benched

NOTHING_TO_UNDO = frozenset({"deal_correction", "refund_outside"})
"""Flows that write nothing."""


def test_every_shipped_flow_has_a_beginning() -> None:
    missing = FLOWS.all().keys() - BEGINNINGS.keys()
    assert missing == set(), f"add how they begin to tests/process/beginnings.py: {sorted(missing)}"
    assert BEGINNINGS.keys() == FLOWS.all().keys()


@pytest.mark.parametrize("name", sorted(FLOWS.all().keys() - NOTHING_TO_UNDO))
async def test_what_was_written_is_taken_back_or_named(name: str, sqlite_template: Path, tmp_path: Path) -> None:
    async with benched(tmp_path, sqlite_template, without=beside(FLOWS.named(name))) as bench:
        writes = await undisturbed(bench, FLOWS.named(name))
        assert writes, f"{name} writes nothing; then it belongs to NOTHING_TO_UNDO"
        for n in range(writes):
            await refused(bench, FLOWS.named(name), at=n)


def beside(one: Flow) -> frozenset[str]:
    """Other flows that the same facts begin: their writes are not this flow's."""
    kinds = {one.on, *one.also}
    others = (other for other in FLOWS.all().values() if other.name != one.name)
    return frozenset(other.name for other in others if kinds & {other.on, *other.also})


async def undisturbed(bench: Bench, one: Flow) -> int:
    """How many writes the flow makes, all of which are taken."""
    fact = await BEGINNINGS[one.name](bench, "100")
    bench.mood.begin(refuse_at=None)
    row = await bench.play(fact, "100")
    assert row.state == "completed", bench.open_item(row)
    return len(bench.mood.keys)


async def refused(bench: Bench, one: Flow, *, at: int) -> None:
    subject = str(101 + at)
    fact = await BEGINNINGS[one.name](bench, subject)
    before = bench.worth()
    bench.mood.begin(refuse_at=at)
    row = await bench.play(fact, subject)
    where = f"{one.name}, refused at write {at + 1}: {row.state}"
    left = {system: worth - before[system] for system, worth in bench.worth().items() if worth != before[system]}
    standing = not_taken_back(bench, row)
    if row.state == "compensated":
        assert (standing, left) == ([], {}), where
        return
    item = bench.open_item(row)
    assert row.state == "exception", where
    assert item is not None, where
    assert item.owner, where
    assert [name for name in standing if name not in item.message] == [], f"{where}: {item.message}"
    worth_something = [one for one in bench.effects_of(row) if one.name in standing and one.kind != "customer"]
    systems = {one.system for one in worth_something}
    assert left.keys() <= systems, f"{where}: {item.message}"


def not_taken_back(bench: Bench, row: TransactionRow) -> list[str]:
    """Names of what was written and is not undone, notices apart."""
    confirmed = {one.name for one in bench.effects_of(row) if one.state == "confirmed"}
    return sorted(
        name for name in confirmed if not name.startswith(("undo ", "tell ")) and f"undo {name}" not in confirmed
    )
