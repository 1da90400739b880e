"""Every doubtful answer for every effect class: A, B and C are applied once, D at most once and then a person is asked.

The real ledger, driver and desk stand before a vendor that counts what it applied. Class, doubt and what must be true
stand in the name of each test.
"""

import asyncio
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accordant.backbone.engine.due import one_due
from accordant.backbone.rows import exception_table
from accordant.canonical.operation import EffectClass
from accordant.kernel.errors import Refused
from accordant.operations.verification import Verifier
from tests import databases
from tests.ambiguity.doubtful import Doubt, DoubtfulVendor
from tests.backbone.conformance.rig import Rig
from tests.backbone.shop import estate
from tests.campaign_figures import drop

A, B, C, D = EffectClass.NATIVE_KEY, EffectClass.UPSERT, EffectClass.LOOKUP, EffectClass.ONCE
EVERY = [pytest.param(c, d, id=f"{c.value}-{d.value.replace(' ', '-')}") for c in (A, B, C, D) for d in Doubt]
NO_DOUBT_FOR_D = {Doubt.LIE, Doubt.TWICE}
"""The answer is clear: there is nothing to be in doubt about."""


class Bench:
    """One transaction with one effect, behind the whole of the backbone."""

    def __init__(self, url: str, doubts: Sequence[Doubt], effect_class: EffectClass) -> None:
        async def steps(tx: Any, event: Any, *, vendor: DoubtfulVendor) -> None:
            await tx.effect("write", vendor.operation(event.order, effect_class))

        self.rig = Rig("journal", url, steps=steps)
        self.rig.sleep = self._sleep
        self.vendor = DoubtfulVendor(doubts, self.rig.clock)
        self.rig.vendor = self.vendor  # pyright: ignore[reportAttributeAccessIssue]

    async def _sleep(self, seconds: float) -> None:
        self.rig.clock.advance(seconds)
        await asyncio.sleep(0)

    async def read_back(self) -> None:
        """As often as a difference needs to be believed."""
        verifier = Verifier(
            database=self.rig.database,
            writer=self.rig.writer,
            clock=self.rig.clock,
            ports={"erp": self.vendor},
            policies=lambda: estate().policies,
        )
        for _ in range(3):
            await verifier.step("erp")
            self.rig.clock.advance(3)

    def items(self, code: str) -> list[Any]:
        item = exception_table.c
        query = select(exception_table).where(item.code == code, item.state == "open")
        return self.rig.database.read_now(lambda c: list(c.execute(query).mappings()))

    def is_verified(self) -> bool:
        return [one.checked for one in self.rig.effects() if one.state == "confirmed"] == ["verified"]


async def play(url: str, doubts: Sequence[Doubt], effect_class: EffectClass) -> Bench:
    bench = Bench(url, doubts, effect_class)
    await bench.rig.start()
    try:
        await bench.rig.tell("o")
        if Doubt.TWICE in doubts:
            await _drive_again_meanwhile(bench)
        await bench.rig.settled()
        await bench.read_back()
        bench.rig.check()
    except BaseException:
        await bench.rig.stop()
        raise
    return bench


async def _drive_again_meanwhile(bench: Bench) -> None:
    """Whoever asks for the transaction while it is driven gets nothing, in this process or another one."""
    for _ in range(20):
        bench.rig.engine.nudge()
        await asyncio.sleep(0)
    other = Rig("journal", bench.rig.url, steps=bench.rig.flow.run)
    with pytest.raises(Refused, match="another process already drives"):
        await other.start()
    await other.writer.stop()
    other.database.close()


@pytest.mark.parametrize(("effect_class", "doubt"), EVERY)
async def test_a_doubtful_answer(effect_class: EffectClass, doubt: Doubt, sqlite_url: str) -> None:
    bench = await play(sqlite_url, (doubt,), effect_class)
    try:
        if effect_class is D and doubt not in NO_DOUBT_FOR_D:
            await _in_doubt_until_a_person_says(bench)
        elif doubt is Doubt.LIE:
            _found_out(bench)
        else:
            assert bench.vendor.ledger == ["o"], "duplicate or lost"
            assert bench.rig.state("o") == "completed"
            assert bench.is_verified()
            assert bench.rig.open_items() == []
    finally:
        await bench.rig.stop()


def _found_out(bench: Bench) -> None:
    """What was promised and not done never shows green, and somebody is asked."""
    assert bench.vendor.ledger == []
    assert not bench.is_verified()
    (item,) = bench.items("readback.different")
    assert item["owner"]


async def _in_doubt_until_a_person_says(bench: Bench) -> None:
    assert len(bench.vendor.ledger) <= 1, "duplicate"
    assert len(bench.vendor.sent) == 1, "class D was sent again"
    (item,) = bench.items("effect.in_doubt")
    assert item["owner"]
    assert bench.rig.state("o") == "exception"
    await bench.rig.desk.retry(item["exception_id"], actor="ops")
    await bench.rig.settled()
    assert len(bench.vendor.sent) == 1, "a retry alone says nothing about what the vendor holds"
    assert len(bench.items("effect.in_doubt")) == 1


@pytest.fixture
def sqlite_url(sqlite_template: Any, tmp_path: Any) -> str:
    return databases.fresh_sqlite(sqlite_template, tmp_path)


async def test_two_drives_at_once_repeat_the_key_and_the_upsert(sqlite_url: str) -> None:
    """Where the lock itself was lost, equal keys and equal records still keep a write single."""
    for effect_class in (A, B):
        bench = Bench(sqlite_url, (Doubt.TWICE,), effect_class)
        await bench.rig.start()
        bench.rig.engine._reserved = _Everything()
        name = await bench.rig.tell(f"o{effect_class.value}")
        due = bench.rig.database.read_now(lambda c, name=name: one_due(c, name))
        assert due is not None
        await asyncio.gather(bench.rig.driver.drive(due), bench.rig.driver.drive(due), return_exceptions=True)
        assert bench.vendor.ledger == [f"o{effect_class.value}"]
        assert len(bench.vendor.sent) == 2, "the second drive found it done: nothing was proved"
        await bench.rig.stop()


@pytest.mark.campaign
@pytest.mark.parametrize("effect_class", [A, B, C], ids=lambda c: c.value)
async def test_two_doubtful_answers_in_a_row(effect_class: EffectClass, sqlite_template: Any, tmp_path: Path) -> None:
    """Class D is not here: it is sent once, so that it meets one doubtful answer at most."""
    later = [one for one in Doubt if one is not Doubt.TWICE]
    rows = [row for row in product(later, repeat=2) if row[0] is not Doubt.LIE]
    sendings = 0
    for index, row in enumerate(rows):
        apart = tmp_path / str(index)
        apart.mkdir()
        bench = await play(databases.fresh_sqlite(sqlite_template, apart), row, effect_class)
        await bench.rig.stop()
        assert bench.vendor.ledger == ["o"], f"duplicate or lost after {row}"
        assert (bench.rig.state("o"), bench.is_verified()) == ("completed", True), row
        assert bench.rig.open_items() == [], row
        sendings += len(bench.vendor.sent)
        shutil.rmtree(apart)
    assert sendings > len(rows) or effect_class is C, "nothing was ever sent again: only the first doubt was met"
    name = f"class {effect_class.value}"
    figures = {f"{name}: pairs of doubts": len(rows), f"{name}: writes sent": sendings}
    drop(f"ambiguity-{effect_class.value}", figures, part="ambiguity")


class _Everything(set[str]):
    def __contains__(self, _: object) -> bool:
        return True
